/** Rekor v1's index query → entries. */
import { utf8Text } from '#base/bytes';
import { parseDigest } from '#base/digest';
import { fail } from '#base/reason';
import { attempt } from '#base/result';
import type { JsonReader } from '#formats/json';
import { SEARCH_ENTRIES_MAX } from './config.ts';
import type { LogService } from './log.ts';
import { R } from './reasons.ts';
import { keyHashKey, type SearchKey, subjectKey } from './search-keys.ts';
import { readPemVerifier } from './verifier.ts';

const SUBJECT_CHARS_MAX = 512;

/**
 * `email`, `subject`, `hash`, `publicKey`, joined by `operator` (default `or`). A hash also finds what is logged
 * under the digests it is joined with, such as plain signatures by the image's digest. Throws WB-1034, WB-1039
 * and WB-1040.
 */
export async function searchV1(service: LogService, query: JsonReader): Promise<readonly number[]> {
  const operator = query.optionalString('operator') ?? 'or';
  if (operator !== 'or' && operator !== 'and') {
    throw fail(R.pattern, { expected: 'operator or, and', actual: JSON.stringify(operator) });
  }
  const asked = await keysOf(service, query);
  if (asked.length === 0) {
    throw fail(R.query, { expected: 'email, subject, hash or publicKey', actual: 'none of them' });
  }
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
      throw fail(R.range, {
        expected: `${field} of at most ${SUBJECT_CHARS_MAX} characters`,
        actual: `${subject.length}`,
      });
    if (subject !== '') keys.push([subjectKey(subject)]);
  }
  const hash = query.optionalString('hash') ?? '';
  if (hash !== '') keys.push(await service.joined(hashKey(hash)));
  const publicKey = query.optionalChild('publicKey');
  if (publicKey !== undefined) keys.push(publicKeyKeys(publicKey));
  return keys;
}

/** `sha256:…`, `sha512:…`, a bare SHA-256, or `sha1:…`, which no entry of this log has. */
function hashKey(hash: string): SearchKey {
  const text = hash.toLowerCase();
  if (/^sha1:[0-9a-f]{40}$/.test(text)) return text;
  const digest = parseDigest(/^[0-9a-f]{64}$/.test(text) ? `sha256:${text}` : text);
  if (digest.ok) return digest.value;
  throw fail(R.pattern, { expected: 'a hash as sha256:…, sha512:… or sha1:…', actual: JSON.stringify(hash) });
}

/** Formats of Rekor whose entries this log does not take: nothing is found by such a key. */
const foreignFormats: ReadonlySet<string> = new Set(['pgp', 'minisign', 'ssh', 'tuf']);

function publicKeyKeys(json: JsonReader): readonly SearchKey[] {
  const format = json.string('format');
  if (foreignFormats.has(format)) return [];
  if (format !== 'x509') {
    const known = ['x509', ...foreignFormats].join(', ');
    throw fail(R.pattern, { expected: `a key format of ${known}`, actual: JSON.stringify(format) });
  }
  const text = attempt(() => utf8Text(json.bytes('content')));
  if (!text.ok) throw json.wrong('content', 'base64 of PEM', '…');
  return [keyHashKey(readPemVerifier(text.value).pem)];
}
