/** Rekor entries: bodies, requests and promises of both generations. */
export {
  type DsseBodyV1,
  dsseV1Body,
  type HashedRekordBodyV1,
  type HashValue,
  hashedRekordV1Body,
  type IntotoBodyV1,
  intotoV1Body,
  logEntryV1Json,
  parseLogEntryV1,
  parseRekorV1Body,
  parseRekorV1Request,
  type RekorBodyV1,
  type RekorRequestV1,
  readKindVersion,
  rekorV1RequestJson,
  setPayload,
} from './rekor-v1.ts';
export {
  type HashedRekordBodyV2,
  hashedRekordV2Body,
  hashedRekordV2RequestJson,
  parseRekorV2Body,
  parseRekorV2Request,
  type RekorRequestV2,
  type VerifierV2,
} from './rekor-v2.ts';

/** Checkpoint origin of a Rekor v1 shard: `<host> - <tree id>`. Everything else is a v2 log's host name. */
export const isRekorV1Origin = (origin: string): boolean => /^.* - [0-9]+$/.test(origin);
