/** OCI digests (`sha256:<hex>`). */
import type { Digest } from './brand.ts';
import { fromHex, toHex } from './bytes.ts';
import { type HashName, hash } from './crypto.ts';
import { reason } from './reason.ts';
import { R } from './reasons.ts';
import { err, ok, type Result, unwrap } from './result.ts';

const form = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/;

export function parseDigest(text: string): Result<Digest> {
  if (form.test(text)) return ok(text as Digest);
  return err(
    reason(R.digest, { expected: 'sha256:<64 hex digits>', actual: JSON.stringify(text.slice(0, 200)) }),
  );
}

export const digest = (text: string): Digest => unwrap(parseDigest(text));

export function digestOf(bytes: Uint8Array, algorithm: HashName = 'sha256'): Digest {
  return `${algorithm}:${toHex(hash(algorithm, bytes))}` as Digest;
}

/** The digest whose raw hash value is `bytes`. */
export function digestFromBytes(algorithm: HashName, bytes: Uint8Array): Digest {
  return digest(`${algorithm}:${toHex(bytes)}`);
}

export function digestAlgorithm(value: Digest): HashName {
  return value.slice(0, value.indexOf(':')) as HashName;
}

export function digestHex(value: Digest): string {
  return value.slice(value.indexOf(':') + 1);
}

export const digestBytes = (value: Digest): Uint8Array => fromHex(digestHex(value));
