/** Wire: Rekor v1 (openapi.yaml). */
import { fromHex, toBase64, toHex } from '#base/bytes';
import { publicKeyPem } from '#base/crypto';
import { limits } from '#base/limits';
import { fail, type WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { type JsonObject, type JsonReader, type JsonValue, parseJson, protoReader } from '#formats/json';
import { leafHash } from '#formats/merkle';
import { logEntryV1Json } from '#formats/rekor';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import { bodyBytes, type HttpApp, type HttpReply } from '#platform/http-server';
import { openapiFaults } from '#platform/openapi-faults';
import { RETRIEVE_ENTRIES_MAX } from './config.ts';
import { acceptV1 } from './entry-v1.ts';
import type { LogService } from './log.ts';
import { R } from './reasons.ts';
import { searchV1 } from './search-v1.ts';
import { sendCheckpoint, sendTile } from './tiles.ts';
import { accepting, errorV1, sendError, told } from './wire.ts';

const json = 'application/json';
const entriesPath = '/api/v1/log/entries';

export function routesV1(app: HttpApp, service: LogService): void {
  const options = { bodyLimit: limits.logEnvelopeBytes };
  app.post(entriesPath, options, (request, reply) => create(service, bodyBytes(request), reply));
  app.get<{ Querystring: { logIndex?: string } }>(entriesPath, async (request, reply) => {
    const index = readNumber(request.query.logIndex, 'logIndex', 0);
    return send(reply, entryJson(service, await service.entry(index)));
  });
  app.get<{ Params: { id: string } }>(`${entriesPath}/:id`, async (request, reply) => {
    const entry = await service.entryByLeaf(leafOfId(service, request.params.id, 'entryUUID in path'));
    return send(reply, entryJson(service, entry));
  });
  app.post(`${entriesPath}/retrieve`, options, async (request, reply) =>
    send(reply, await retrieve(service, readBody(bodyBytes(request)))),
  );
  app.get('/api/v1/log', async (_request, reply) => send(reply, logInfo(service)));
  app.get<{ Querystring: { treeID?: string } }>('/api/v1/log/publicKey', async (request, reply) => {
    const shard = shardOfTree(service, request.query.treeID);
    return reply.type('application/x-pem-file').send(publicKeyPem(shard.publicKey));
  });
  app.get<{ Querystring: { firstSize?: string; lastSize?: string; treeID?: string } }>(
    '/api/v1/log/proof',
    async (request, reply) => send(reply, await proof(service, request.query)),
  );
  app.post('/api/v1/index/retrieve', options, async (request, reply) => {
    const found = await searchV1(service, readBody(bodyBytes(request)));
    const ids = await Promise.all(found.map((index) => idOfIndex(service, index)));
    return send(reply, ids);
  });
  // Beyond Rekor's: the log as tlog-tiles, for monitors and fsck.
  app.get('/api/v1/checkpoint', async (_request, reply) => sendCheckpoint(service, reply));
  app.get('/api/v1/tile/*', (request, reply) => sendTile(service, '/api/v1/', request.raw.url ?? '', reply));
  app.get('/ping', async (_request, reply) => send(reply, {}));
  app.get('/healthz', async (_request, reply) => health(service, reply));
}

function send(reply: HttpReply, body: JsonValue | object): HttpReply {
  return reply.type(json).send(JSON.stringify(body));
}

function health(service: LogService, reply: HttpReply): HttpReply {
  const { stopped } = service.log;
  if (stopped === undefined) return send(reply, { status: 'ok' });
  return sendError(reply, 503, stopped.actual, errorV1);
}

async function create(service: LogService, body: Uint8Array, reply: HttpReply): Promise<HttpReply> {
  const { entry, duplicate } = await service.submit(
    await accepting('error processing entry', () => acceptV1(body)),
  );
  const uuid = toHex(leafHash(entry.canonicalizedBody));
  const id = entryId(service, uuid);
  reply.header('location', `${entriesPath}/${id}`);
  if (duplicate) {
    const message = `an equivalent entry already exists in the transparency log with UUID ${id}`;
    return sendError(reply, 409, message, errorV1);
  }
  // sigstore-go looks the entry up in this object by the ETag, so the two must be the same id.
  return send(reply.code(201).header('etag', id), { [id]: logEntryV1Json(entry) });
}

/** 16 hex digits of the tree id, 64 of the leaf hash. */
function entryId(service: LogService, uuid: string): string {
  return BigInt(service.treeId).toString(16).padStart(16, '0') + uuid;
}

async function idOfIndex(service: LogService, index: number): Promise<string> {
  const shard = service.shardOf(index);
  const record = await shard.log.record(index - shard.firstIndex);
  return entryId(shard, toHex(leafHash(record.entry)));
}

function entryJson(service: LogService, entry: TransparencyLogEntry): JsonObject {
  const uuid = toHex(leafHash(entry.canonicalizedBody));
  const statement = service.attestation(entry);
  // Only with entries that are asked for: the answer to an upload has none, as the original's.
  const attestation = statement === undefined ? {} : { attestation: { data: toBase64(statement) } };
  const id = entryId(service.shardOf(entry.logIndex), uuid);
  return { [id]: { ...attestation, ...logEntryV1Json(entry) } };
}

/** An entry id (80 hex digits), which names its tree, or a UUID (64). `name` is what the original calls it. */
function leafOfId(service: LogService, id: string, name: string): Uint8Array {
  if (!/^(?:[0-9a-f]{64}|[0-9a-f]{80})$/i.test(id)) {
    const refusal = { expected: '64 or 80 hex digits', actual: JSON.stringify(id.slice(0, 100)) };
    const words = `${name} should match '^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$'`;
    throw told(words, fail(R.pattern, refusal), openapiFaults.pattern);
  }
  const text = id.toLowerCase();
  if (text.length === 80 && !service.shards.some((shard) => text.startsWith(entryId(shard, '')))) {
    throw fail(R.notFound, { expected: `an entry of tree ${treesOf(service)}`, actual: text });
  }
  return fromHex(text.slice(-64));
}

function readBody(body: Uint8Array): JsonReader {
  const value = unwrap(parseJson(body, { maxBytes: limits.logEnvelopeBytes }));
  // Go clients write a list they do not use as null, which the protobuf rules read as absent.
  return protoReader(value, 'request', { as: R.query });
}

function readNumber(text: string | undefined, name: string, minimum: number, place = 'query'): number {
  const at = `${name} in ${place}`;
  if (text === undefined)
    throw told(
      `${at} is required`,
      fail(R.required, { expected: name, actual: 'none' }),
      openapiFaults.required,
    );
  const value = /^(?:0|-?[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  const actual = JSON.stringify(text);
  if (!Number.isSafeInteger(value)) {
    const refusal = fail(R.type, { expected: `${name} as a decimal number`, actual });
    throw told(`${at} must be of type int64: ${actual}`, refusal, openapiFaults.type);
  }
  if (value < minimum) {
    const words = `${at} should be greater than or equal to ${minimum}`;
    throw told(
      words,
      fail(R.range, { expected: `${name} of ${minimum} or more`, actual }),
      openapiFaults.minimum,
    );
  }
  return value;
}

const treesOf = (service: LogService): string => service.shards.map((shard) => shard.treeId).join(', ');

/** The shard a question names; the active one when it names none. */
function shardOfTree(service: LogService, treeId: string | undefined): LogService {
  if (treeId === undefined) return service;
  const actual = JSON.stringify(treeId.slice(0, 100));
  if (!/^[0-9]+$/.test(treeId)) {
    const words = "treeID in query should match '^[0-9]+$'";
    throw told(words, fail(R.pattern, { expected: 'decimal digits', actual }), openapiFaults.pattern);
  }
  const shard = service.shards.find((one) => one.treeId === treeId);
  if (shard !== undefined) return shard;
  const refusal = fail(R.query, { expected: `tree ${treesOf(service)}`, actual });
  throw told(`no log range found for tree ID ${treeId}`, refusal);
}

/** Each of the three lists of a retrieval may be absent; one that is there has 1 to 10 items. */
function itemsOf(query: JsonReader, name: string): readonly JsonValue[] {
  const items = query.array(name);
  const isThere = query.has(name);
  const refusal = (): WaybillError =>
    fail(R.queryLimit, { expected: `1 to ${RETRIEVE_ENTRIES_MAX} ${name}`, actual: String(items.length) });
  if (isThere && items.length === 0)
    throw told(`${name} in body should have at least 1 items`, refusal(), openapiFaults.minItems);
  if (items.length > RETRIEVE_ENTRIES_MAX) {
    const words = `${name} in body should have at most ${RETRIEVE_ENTRIES_MAX} items`;
    throw told(words, refusal(), openapiFaults.maxItems);
  }
  return items;
}

/** Up to ten entries by id, by index or as proposals; what the log does not have is left out. */
async function retrieve(service: LogService, query: JsonReader): Promise<JsonObject[]> {
  const uuids = itemsOf(query, 'entryUUIDs').map((id, at) =>
    leafOfId(service, String(id), `entryUUIDs.${at} in body`),
  );
  const indexes = itemsOf(query, 'logIndexes').map((index, at) =>
    readNumber(String(index), `logIndexes.${at}`, 0, 'body'),
  );
  const proposed = itemsOf(query, 'entries').map((entry) => leafHash(acceptV1(JSON.stringify(entry)).body));
  const count = uuids.length + indexes.length + proposed.length;
  if (count > RETRIEVE_ENTRIES_MAX) {
    const expected = `at most ${RETRIEVE_ENTRIES_MAX} entryUUIDs, logIndexes and entries`;
    const words = `more than max allowed ${RETRIEVE_ENTRIES_MAX} entries in request`;
    throw told(words, fail(R.queryLimit, { expected, actual: String(count) }));
  }
  const found: TransparencyLogEntry[] = [];
  for (const index of indexes) if (index < service.size) found.push(await service.entry(index));
  for (const leaf of [...uuids, ...proposed]) {
    const entry = await service.findLeaf(leaf);
    if (entry !== undefined) found.push(entry);
  }
  return found.map((entry) => entryJson(service, entry));
}

function logInfo(service: LogService): JsonObject {
  return { ...shardInfo(service), inactiveShards: service.inactive.map(shardInfo) };
}

function shardInfo({ log, treeId }: LogService): JsonObject {
  const { size, root, checkpoint } = log.tree;
  return { rootHash: toHex(root), signedTreeHead: checkpoint, treeID: treeId, treeSize: size };
}

async function proof(
  service: LogService,
  query: { firstSize?: string; lastSize?: string; treeID?: string },
): Promise<JsonObject> {
  const { log } = shardOfTree(service, query.treeID);
  const first = query.firstSize === undefined ? 1 : readNumber(query.firstSize, 'firstSize', 1);
  const last = readNumber(query.lastSize, 'lastSize', 1);
  if (first > last) {
    const refusal = fail(R.query, { expected: 'firstSize ≤ lastSize', actual: `${first} and ${last}` });
    throw told(`firstSize(${first}) must be less than lastSize(${last})`, refusal);
  }
  const { size } = log.tree;
  if (last > size) {
    const refusal = fail(R.query, { expected: `lastSize of at most ${size}`, actual: String(last) });
    const words = `the tree size requested(${last}) was greater than what is currently observable(${size})`;
    throw told(words, refusal);
  }
  const hashes = await log.consistency(first, last);
  return { rootHash: toHex(await log.rootAt(last)), hashes: hashes.map(toHex) };
}
