/**
 * Files of exceptions and revocations: `{"schema": …, "bundles": […]}`, each bundle a DSSE signature over the
 * same in-toto statement. Parsing believes nothing.
 */

import type { Digest } from '#base/brand';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, type NonEmpty, type Result, unwrap } from '#base/result';
import { type ParsedBundle, parseBundle } from '#formats/bundle';
import { parseStatement, type Statement } from '#formats/intoto';
import { type JsonObject, parseJson, reader } from '#formats/json';
import { R } from './exception-reasons.ts';

export const EXCEPTION_SCHEMA = 'waybill.dev/exception/v1';
export const REVOCATION_SCHEMA = 'waybill.dev/exception-revocation/v1';

export interface FileSignature {
  readonly bundle: ParsedBundle;
  /** As it stands in the file. */
  readonly json: JsonObject;
  readonly payload: Uint8Array;
  /** SHA-256 of the payload, hex. */
  readonly id: string;
}

export interface ExceptionFile {
  readonly kind: 'exception' | 'revocation';
  readonly signatures: NonEmpty<FileSignature>;
  /** What the first signature is said to be over. */
  readonly claimed: Statement;
  /** The first subject of it: what the verifier is asked about. */
  readonly subject: Digest;
}

const SIGNATURES_MAX = 8;

/** WB-963, or the reason of the bundle or statement that cannot be read. */
export function parseExceptionFile(bytes: Uint8Array): Result<ExceptionFile> {
  return attempt(() => {
    const json = reader(unwrap(parseJson(bytes, { maxBytes: limits.exceptionBytes })), '$', { as: R.file });
    const schema = json.text('schema');
    if (schema !== EXCEPTION_SCHEMA && schema !== REVOCATION_SCHEMA) {
      throw json.wrong('schema', `${EXCEPTION_SCHEMA} or ${REVOCATION_SCHEMA}`, schema);
    }
    const signatures = json.children('bundles', SIGNATURES_MAX).map((item) => signatureOf(item.object));
    const [first] = signatures;
    if (first === undefined) throw json.wrong('bundles', 'at least one signature', 'none');
    const claimed = unwrap(parseStatement(first.payload, limits.exceptionBytes));
    const hex = claimed.subject[0].digest['sha256'];
    if (hex === undefined) throw json.wrong('bundles[0]', 'a subject with a sha256', 'none');
    return {
      kind: schema === EXCEPTION_SCHEMA ? 'exception' : 'revocation',
      signatures: [first, ...signatures.slice(1)],
      claimed,
      subject: `sha256:${hex}` as Digest,
    };
  });
}

function signatureOf(json: JsonObject): FileSignature {
  const bundle = unwrap(parseBundle(utf8(JSON.stringify(json))));
  if (bundle.content.kind !== 'dsse') {
    throw fail(R.file, { expected: 'bundles with a statement', actual: 'a signature over bytes' });
  }
  const { payload } = bundle.content.envelope;
  return { bundle, json, payload, id: toHex(sha256(payload)) };
}

/** The text of a file. `bundles` are bundle JSON as bytes (a signer's) or values (another file's). */
export function exceptionFileText(
  kind: ExceptionFile['kind'],
  bundles: NonEmpty<Uint8Array | JsonObject>,
): string {
  const schema = kind === 'exception' ? EXCEPTION_SCHEMA : REVOCATION_SCHEMA;
  const values = bundles.map((bundle) => (bundle instanceof Uint8Array ? unwrap(parseJson(bundle)) : bundle));
  return `${JSON.stringify({ schema, bundles: values }, undefined, 2)}\n`;
}
