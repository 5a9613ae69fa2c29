/** What cosign writes beside or instead of a bundle: signature, certificate, local bundle, timestamp, envelope. */
import { resolve } from 'node:path';
import { toBase64, utf8, utf8Text } from '#base/bytes';
import { unwrap } from '#base/result';
import type { ParsedBundle } from '#formats/bundle';
import type { CliContext } from '../context.ts';

export interface Pieces {
  /** Of an envelope: the envelope itself, which is what cosign calls its signature. */
  readonly signature: Uint8Array;
  readonly certificatePem?: string;
  /** `{"base64Signature","cert","rekorBundle"}`, as `--bundle` meant before version 3. */
  readonly localBundle: string;
  /** `{"SignedRFC3161Timestamp"}`. */
  readonly timestamp?: string;
  /** Of a statement. */
  readonly payload?: Uint8Array;
}

/** A DER TimeStampResp as cosign 2 writes it. */
export const timestampJson = (response: Uint8Array): string =>
  JSON.stringify({ SignedRFC3161Timestamp: toBase64(response) });

export async function piecesOf(bundle: Uint8Array): Promise<Pieces> {
  const [{ parseBundle }, { envelopeJson }, { pemEncode }, { rekorBundle }] = await Promise.all([
    import('#formats/bundle'),
    import('#formats/dsse'),
    import('#formats/pem'),
    import('#sign'),
  ]);
  const { content, material, tlogEntries, timestamps }: ParsedBundle = unwrap(parseBundle(bundle));
  const signature = content.kind === 'dsse' ? utf8(envelopeJson(content.envelope)) : content.signature;
  const certificatePem =
    material.kind === 'certificate' ? pemEncode('CERTIFICATE', material.certificate.der) : undefined;
  const entry = tlogEntries.find((one) => one.inclusionPromise !== undefined);
  const [timestamp] = timestamps;
  const local = {
    base64Signature: toBase64(signature),
    ...(certificatePem === undefined ? {} : { cert: toBase64(utf8(certificatePem)) }),
    ...(entry === undefined ? {} : { rekorBundle: JSON.parse(rekorBundle(entry)) as object }),
  };
  return {
    signature,
    localBundle: JSON.stringify(local),
    ...(certificatePem === undefined ? {} : { certificatePem }),
    ...(timestamp === undefined ? {} : { timestamp: timestampJson(timestamp) }),
    ...(content.kind === 'dsse' ? { payload: content.envelope.payload } : {}),
  };
}

/** Writes a file as cosign does, readable by its owner. `said` is its line on standard error. */
export async function writePiece(
  file: string,
  data: Uint8Array | string,
  said: string,
  context: CliContext,
): Promise<void> {
  const { writeFileDurable } = await import('#platform/files');
  await writeFileDurable(resolve(context.cwd, file), data, { mode: 0o600 });
  context.stderr(said);
}

/** Raw bytes, or their base64 text. */
export const encoded = (data: Uint8Array | string, isBase64: boolean): Uint8Array | string => {
  if (!isBase64) return data;
  return toBase64(typeof data === 'string' ? utf8(data) : data);
};

/** The bundle a native verb printed. */
export const printedBundle = (printed: readonly (string | Uint8Array)[]): Uint8Array => {
  const [first] = printed;
  return typeof first === 'string' ? utf8(first) : (first ?? new Uint8Array());
};

export const bundleText = (bundle: unknown): Uint8Array => utf8(JSON.stringify(bundle));
export const textOf = (bytes: Uint8Array): string => utf8Text(bytes);
