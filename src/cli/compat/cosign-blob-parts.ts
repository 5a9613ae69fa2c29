/** The signed document behind `cosign verify-blob`: a bundle, a local bundle of cosign 2, or single pieces. */
import { equalBytes, utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { isJsonObject, own, parseJson } from '#formats/json';
import type { SignedEntity } from '#verify';
import type { CliContext } from '../context.ts';
import { textAt } from '../issuer-chains.ts';
import { R } from '../reasons.ts';
import type { BlobFlags } from '../verify-blobs.ts';
import { cosignRule } from './cosign-common.ts';
import { certificateText } from './cosign-detached.ts';
import {
  type CosignIdentityFlags,
  type Mode,
  refuseBesideBundle,
  wantsSignedTime,
} from './cosign-identity.ts';

type Flags = BlobFlags & CosignIdentityFlags;

export interface BlobDocument {
  readonly mode: Mode;
  readonly entity: SignedEntity;
}

/** Throws what cosign says of flags that do not go together. */
export async function blobDocument(flags: Flags, context: CliContext): Promise<BlobDocument> {
  const { bundle, key, certificate } = flags;
  requireVerifier(flags);
  if (key !== undefined && certificate !== undefined) {
    throw cosignRule('exactly one of: key reference (--key), certificate (--certificate) or hardware token');
  }
  const { readSignedBlob } = await import('#flows/verify-blob');
  const signedWith = key === undefined ? 'certificate' : 'key';
  const bytes = bundle === undefined ? undefined : await bytesAt(bundle);
  if (bytes !== undefined && !isLocalBundle(bytes)) {
    refuseBesideBundle(flags);
    if (flags.signature) {
      throw cosignRule(
        'unsupported: signature may not be provided using --signature when using --new-bundle-format',
      );
    }
    return { mode: 'bundle', entity: unwrap(readSignedBlob(bytes, signedWith)) };
  }
  requireTimestamp(flags);
  const local = bytes === undefined ? undefined : unwrap(readSignedBlob(bytes, signedWith));
  const parts = await piecesOf(flags, local, signedWith, context);
  return { mode: 'legacy', entity: await stamped(parts, flags, context) };
}

function requireVerifier({ bundle, key, certificate, signature }: Flags): void {
  if (bundle === undefined && signature === undefined) {
    const actual = key === undefined ? 'none of them' : '--key alone';
    throw fail(R.optionValue, { expected: 'a bundle with --bundle, or --signature', actual });
  }
  if ((bundle ?? key ?? certificate) !== undefined) return;
  throw cosignRule(
    'provide a key with --key or --sk, a certificate to verify against with --certificate, or a bundle with --bundle',
  );
}

function requireTimestamp(flags: Flags): void {
  if ((flags.rfc3161Timestamp !== undefined) === wantsSignedTime(flags)) return;
  const [given, lacking] =
    flags.rfc3161Timestamp === undefined
      ? ['--use-signed-timestamps or --timestamp-certificate-chain', '--rfc3161-timestamp-path']
      : ['--rfc3161-timestamp-path', '--use-signed-timestamps or --timestamp-certificate-chain'];
  throw cosignRule(`when specifying ${given}, you must also specify ${lacking}`);
}

/** `{"base64Signature": …}`: what `--bundle` meant before version 3. */
function isLocalBundle(bytes: Uint8Array): boolean {
  const json = parseJson(bytes);
  return json.ok && isJsonObject(json.value) && own(json.value, 'base64Signature') !== undefined;
}

/** Single pieces win over those of a local bundle, except that two certificates have to be one. */
async function piecesOf(
  flags: Flags,
  local: SignedEntity | undefined,
  signedWith: 'certificate' | 'key',
  context: CliContext,
): Promise<SignedEntity> {
  const { signature, certificate, rfc3161Timestamp } = flags;
  const pem = certificate ? await certificateText(certificate, context) : undefined;
  const timestamp = rfc3161Timestamp ? await textAt(rfc3161Timestamp, context) : undefined;
  const [{ signatureText, signedParts }, { isInline }] = await Promise.all([
    import('#flows/verify-blob'),
    import('../verify-blobs.ts'),
  ]);
  const text = signature
    ? isInline(signature)
      ? signature
      : signatureText(await bytesAt(signature))
    : signatureText(local === undefined ? new Uint8Array() : signedBytes(local));
  const made = unwrap(
    signedParts(
      {
        signature: text,
        ...(pem === undefined ? {} : { certificate: pem }),
        ...(timestamp === undefined ? {} : { timestamp }),
      },
      signedWith,
    ),
  );
  if (local === undefined) return made;
  const material = sameMaterial(local.material, made.material);
  return { ...made, material, entries: local.entries };
}

function signedBytes({ signature, envelopeBytes }: SignedEntity): Uint8Array {
  return envelopeBytes ?? signature;
}

type Material = SignedEntity['material'];

function sameMaterial(local: Material, given: Material): Material {
  if (given.kind === 'publicKey') return local;
  if (local.kind === 'publicKey' || equalBytes(local.certificate.der, given.certificate.der)) return given;
  throw cosignRule('the cert passed in does not match the cert in the provided bundle');
}

/** With the stamp of a CT log that lies in a file. */
async function stamped(
  entity: SignedEntity,
  { sct: file }: Flags,
  context: CliContext,
): Promise<SignedEntity> {
  if (!file || entity.material.kind === 'publicKey') return entity;
  const { parseAddChainResponse } = await import('#formats/sct');
  const sct = unwrap(parseAddChainResponse(utf8(await textAt(file, context))));
  return { ...entity, material: { ...entity.material, sct } };
}

async function bytesAt(path: string): Promise<Uint8Array> {
  const { readFileLimited } = await import('#platform/files');
  return readFileLimited(path, limits.bundleBytes);
}
