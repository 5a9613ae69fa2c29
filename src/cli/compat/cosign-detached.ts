/**
 * Evidence that does not lie in the registry, or only in part: `cosign verify --signature … --payload …`, and
 * `--certificate` for signatures that were attached without one.
 */

import type { Digest } from '#base/brand';
import { fromBase64, utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { attempt } from '#base/result';
import type { Attachments, LegacySignature } from '#oci';
import { legacyAnnotations } from '#verify';
import type { CliContext } from '../context.ts';
import { textAt } from '../issuer-chains.ts';
import { isInline } from '../verify-blobs.ts';

export interface DetachedFlags {
  readonly signature?: string;
  readonly payload?: string;
  readonly certificate?: string;
}

/** What is attached, as the flags change it. `repository` is the image's, `registry/name`. */
export type Amend = (found: Attachments, repository: string) => Promise<Attachments>;

export async function detachedEvidence(flags: DetachedFlags, context: CliContext): Promise<Amend> {
  const { signature, payload, certificate } = flags;
  const pem = certificate ? await certificateText(certificate, context) : undefined;
  const annotations = pem === undefined ? [] : ([[legacyAnnotations.certificate, pem]] as const);
  if (!signature) return async (found) => withCertificate(found, annotations);
  const text = await signatureAt(signature);
  const given = payload ? await bytesOf(payload) : undefined;
  return async (found, repository) => {
    const bytes = given ?? (await impliedPayload(found.subject, repository));
    const layered = new Map([[legacyAnnotations.signature, text], ...annotations]);
    const legacySignatures = [await asAttached(bytes, text, layered, payload ?? signature)];
    return { ...found, bundles: [], legacyAttestations: [], legacySignatures };
  };
}

/** PEM, or base64 of it, as cosign writes certificates. */
export async function certificateText(place: string, context: CliContext): Promise<string> {
  const text = (await textAt(place, context)).trim();
  if (text.includes('-----BEGIN')) return text;
  const decoded = attempt(() => utf8Text(fromBase64(text)));
  return decoded.ok ? decoded.value : text;
}

/** cosign takes the signature itself, or a file with it. */
async function signatureAt(signature: string): Promise<string> {
  if (isInline(signature)) return signature;
  const { signatureText } = await import('#flows/verify-blob');
  return signatureText(await bytesOf(signature));
}

async function bytesOf(path: string): Promise<Uint8Array> {
  const { readFileLimited } = await import('#platform/files');
  return readFileLimited(path, limits.bundleBytes);
}

/** The document `cosign sign` would have signed, where none is given. */
async function impliedPayload(digest: Digest, repository: string): Promise<Uint8Array> {
  const { simpleSigning } = await import('#flows/sign-image');
  return simpleSigning(repository, digest, {});
}

async function asAttached(
  payload: Uint8Array,
  signature: string,
  annotations: ReadonlyMap<string, string>,
  from: string,
): Promise<LegacySignature> {
  const { describe, mediaType } = await import('#formats/oci');
  const layer = describe(payload, mediaType.simpleSigning, { annotations });
  return { kind: 'legacySignature', manifest: layer, from, signature, payload, layer };
}

function withCertificate(
  found: Attachments,
  annotations: readonly (readonly [string, string])[],
): Attachments {
  if (annotations.length === 0) return found;
  const certified = <A extends { readonly layer: LegacySignature['layer'] }>(one: A): A => ({
    ...one,
    layer: { ...one.layer, annotations: new Map([...one.layer.annotations, ...annotations]) },
  });
  return {
    ...found,
    legacySignatures: found.legacySignatures.map(certified),
    legacyAttestations: found.legacyAttestations.map(certified),
  };
}
