/** `cosign verify --signature … --payload …`: a signature that lies in files instead of the registry. */
import { fail } from '#base/reason';
import type { LegacySignature } from '#oci';
import { R } from '../reasons.ts';
import { isInline } from '../verify-blobs.ts';

export interface DetachedFlags {
  readonly signature?: string;
  readonly payload?: string;
  readonly certificate?: string;
}

const FILE_BYTES_MAX = 4 * 1024 * 1024;

/** As it would lie in the registry; undefined without `--signature`. */
export async function detachedSignature(flags: DetachedFlags): Promise<LegacySignature | undefined> {
  const { signature, payload, certificate } = flags;
  if (signature === undefined && payload === undefined) return undefined;
  if (signature === undefined || payload === undefined) {
    const actual = signature === undefined ? '--payload alone' : '--signature alone';
    throw fail(R.optionValue, { expected: '--signature with --payload', actual });
  }
  const [{ readFileLimited }, { signatureText }, { utf8Text }, { describe, mediaType }] = await Promise.all([
    import('#platform/files'),
    import('#flows/verify-blob'),
    import('#base/bytes'),
    import('#formats/oci'),
  ]);
  // cosign takes the signature itself, or a file with it.
  const text = isInline(signature)
    ? signature
    : signatureText(await readFileLimited(signature, FILE_BYTES_MAX));
  const bytes = await readFileLimited(payload, FILE_BYTES_MAX);
  const layer = describe(bytes, mediaType.simpleSigning, {
    annotations: new Map([
      ['dev.cosignproject.cosign/signature', text],
      ...(certificate === undefined
        ? []
        : ([
            ['dev.sigstore.cosign/certificate', utf8Text(await readFileLimited(certificate, FILE_BYTES_MAX))],
          ] as const)),
    ]),
  });
  return { kind: 'legacySignature', manifest: layer, from: payload, signature: text, payload: bytes, layer };
}
