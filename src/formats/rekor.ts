/** Rekor entries: bodies, requests and promises of both generations. */
import type { Digest } from '#base/brand';
import { digestFromBytes } from '#base/digest';
import { ok, type Result } from '#base/result';
import { parseRekorV1Body } from './rekor-v1.ts';
import { parseRekorV2Body } from './rekor-v2.ts';

export {
  type DsseBodyV1,
  dsseV1Body,
  type HashedRekordBodyV1,
  type HashValue,
  hashedRekordV1Body,
  hashedRekordV1Text,
  type IntotoBodyV1,
  intotoV1Body,
  intotoV001Body,
  logEntryV1Json,
  parseLogEntryV1,
  parseRekorV1Body,
  parseRekorV1Request,
  type RekorBodyV1,
  type RekorRequestV1,
  readKindVersion,
  rekordV1Body,
  rekorV1RequestJson,
  setPayload,
} from './rekor-v1.ts';
export {
  type HashedRekordBodyV2,
  hashedRekordV2Body,
  hashedRekordV2RequestJson,
  hashedRekordV2Text,
  parseRekorV2Body,
  parseRekorV2Request,
  type RekorRequestV2,
  type VerifierV2,
} from './rekor-v2.ts';

/** Checkpoint origin of a Rekor v1 shard: `<host> - <tree id>`. Everything else is a v2 log's host name. */
export const isRekorV1Origin = (origin: string): boolean => /^.* - [0-9]+$/.test(origin);

/**
 * The digests an entry's body records: of what was signed (hashedrekord; for DSSE in v2 its pre-authentication
 * encoding), or of payload and envelope (dsse, intoto), in this order. Fails as the body's parser does.
 */
export function loggedHashes(kind: string, version: string, body: Uint8Array): Result<readonly Digest[]> {
  const parsed =
    kind === 'hashedrekord' && version === '0.0.2'
      ? parseRekorV2Body(kind, version, body)
      : parseRekorV1Body(kind, version, body);
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  const hashes = 'hash' in value ? [value.hash] : [value.payloadHash, value.envelopeHash];
  return ok(hashes.flatMap((one) => (one === undefined ? [] : [digestFromBytes(one.algorithm, one.value)])));
}
