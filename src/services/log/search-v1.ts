/** Rekor v1's index query → entries. */
import { utf8Text } from '#base/bytes';
import { fail, WaybillError } from '#base/reason';
import { attempt } from '#base/result';
import type { JsonReader } from '#formats/json';
import { openapiFaults } from '#platform/openapi-faults';
import { SEARCH_ENTRIES_MAX } from './config.ts';
import type { LogService } from './log.ts';
import { R } from './reasons.ts';
import { keyHashKey, type SearchKey, subjectKey } from './search-keys.ts';
import { readPemVerifier } from './verifier.ts';
import { told } from './wire.ts';

const SUBJECT_CHARS_MAX = 512;

/**
 * `email`, `subject`, `hash`, `publicKey`, joined by `operator` (default `or`). A hash also finds what is logged
 * under the digests it is joined with, such as plain signatures by the image's digest. Throws WB-1034, WB-1039
 * and WB-1040.
 */
export async function searchV1(service: LogService, query: JsonReader): Promise<readonly number[]> {
  const operator = query.optionalString('operator') ?? 'or';
  if (operator !== 'or' && operator !== 'and') {
    const refusal = fail(R.pattern, { expected: 'operator or, and', actual: JSON.stringify(operator) });
    throw told('operator in body should be one of [and or]', refusal, openapiFaults.enumeration);
  }
  const asked = await keysOf(service, query);
  if (operator === 'or') return service.find(asked.flat(), SEARCH_ENTRIES_MAX);
  const each = await Promise.all(asked.map((keys) => service.find(keys)));
  const [first = [], ...others] = each.map((list) => new Set(list));
  return [...first].filter((index) => others.every((set) => set.has(index))).slice(0, SEARCH_ENTRIES_MAX);
}

/** For each field of the query the keys that answer it, any of them. */
async function keysOf(service: LogService, query: JsonReader): Promise<(readonly SearchKey[])[]> {
  const keys: (readonly SearchKey[])[] = [];
  for (const field of ['email', 'subject']) {
    const subject = query.optionalString(field) ?? '';
    if (subject.length > SUBJECT_CHARS_MAX)
      throw told(
        `${field} in body should be at most ${SUBJECT_CHARS_MAX} chars long`,
        fail(R.range, {
          expected: `${field} of at most ${SUBJECT_CHARS_MAX} characters`,
          actual: `${subject.length}`,
        }),
        openapiFaults.tooLong,
      );
    if (subject !== '') keys.push([subjectKey(subject)]);
  }
  const hash = query.optionalString('hash') ?? '';
  if (hash !== '') keys.push(await service.joined(hashKey(hash)));
  const publicKey = query.optionalChild('publicKey');
  if (publicKey !== undefined) keys.push(publicKeyKeys(publicKey));
  return keys;
}

/** Digits an unnamed hash has, and its name. `sha1` is a key that no entry of this log has. */
const bareHashes: Readonly<Record<number, string>> = { 40: 'sha1', 64: 'sha256', 128: 'sha512' };
const HASH_FORM = '^(sha512:)?[0-9a-fA-F]{128}$|^(sha256:)?[0-9a-fA-F]{64}$|^(sha1:)?[0-9a-fA-F]{40}$';
const hashForm = new RegExp(HASH_FORM);

function hashKey(hash: string): SearchKey {
  const text = hash.toLowerCase();
  if (hashForm.test(text)) return text.includes(':') ? text : `${bareHashes[text.length]}:${text}`;
  const expected = 'a hash as sha256:…, sha512:… or sha1:…';
  const refusal = fail(R.pattern, { expected, actual: JSON.stringify(hash.slice(0, 200)) });
  throw told(`hash in body should match '${HASH_FORM}'`, refusal, openapiFaults.pattern);
}

/** Formats of Rekor whose entries this log does not take: nothing is found by such a key. */
const foreignFormats: ReadonlySet<string> = new Set(['pgp', 'minisign', 'ssh', 'tuf']);

function publicKeyKeys(json: JsonReader): readonly SearchKey[] {
  const format = json.string('format');
  if (foreignFormats.has(format)) return [];
  if (format !== 'x509') {
    const known = ['x509', ...foreignFormats].join(', ');
    const refusal = fail(R.pattern, { expected: `a key format of ${known}`, actual: JSON.stringify(format) });
    const words = 'publicKey.format in body should be one of [pgp x509 minisign ssh tuf]';
    throw told(words, refusal, openapiFaults.enumeration);
  }
  const text = attempt(() => utf8Text(json.bytes('content')));
  if (!text.ok) throw json.wrong('content', 'base64 of PEM', '…');
  const key = attempt(() => readPemVerifier(text.value).pem);
  if (key.ok) return [keyHashKey(key.value)];
  throw told('public key provided could not be parsed', new WaybillError(key.error));
}
