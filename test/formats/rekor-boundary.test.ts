/** Bodies, requests and answers of both generations of Rekor at their borders. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64, utf8 } from '#base/bytes';
import type { Result } from '#base/result';
import { unwrap } from '#base/result';
import type { JsonObject, JsonValue } from '#formats/json';
import {
  dsseV1Body,
  hashedRekordV1Body,
  hashedRekordV2Body,
  intotoV1Body,
  isRekorV1Origin,
  loggedHashes,
  parseLogEntryV1,
  parseRekorV1Body,
  parseRekorV1Request,
  parseRekorV2Body,
  parseRekorV2Request,
  readKindVersion,
  rekordV1Body,
  rekorV1RequestJson,
} from '#formats/rekor';
import { edit } from '../double/json-edits.ts';

const said = (result: Result<unknown>): string => (result.ok ? 'ok' : result.error.code);
const hash = { algorithm: 'sha256', value: new Uint8Array(32).fill(1) } as const;
const other = { algorithm: 'sha512', value: new Uint8Array(64).fill(2) } as const;
const signature = Uint8Array.of(9, 9);
const signatures = [{ signature, verifier: 'PEM' }];
const bodies: Readonly<Record<string, Uint8Array>> = {
  'hashedrekord 0.0.1': hashedRekordV1Body({ hash, signature, verifier: 'PEM' }),
  'rekord 0.0.1': rekordV1Body({ hash, signature, verifier: 'PEM' }),
  'dsse 0.0.1': dsseV1Body({ envelopeHash: hash, payloadHash: other, signatures }),
  'intoto 0.0.2': intotoV1Body({ envelopeHash: hash, payloadHash: other, payloadType: 't', signatures }),
};
const json = (name: string): JsonObject =>
  JSON.parse(Buffer.from(bodies[name] as Uint8Array).toString()) as JsonObject;
const bytes = (value: JsonValue): Uint8Array => utf8(JSON.stringify(value));
const split = (name: string): [string, string] => name.split(' ') as [string, string];

for (const name of Object.keys(bodies)) {
  test(`a body of ${name} is read as that and as nothing else`, () => {
    const [kind, version] = split(name);
    const body = bodies[name] as Uint8Array;
    const parsed = unwrap(parseRekorV1Body(kind, version, body));
    assert.deepEqual([parsed.kind, parsed.version], [kind, version]);
    assert.deepEqual(readKindVersion(body), { kind, version });
    for (const wrong of Object.keys(bodies)) {
      if (wrong !== name) assert.equal(said(parseRekorV1Body(...split(wrong), body)), 'WB-173', wrong);
    }
    assert.equal(said(parseRekorV1Body(kind, '9.9.9', body)), 'WB-172');
    assert.equal(said(parseRekorV1Body(kind, version, bytes(edit(json(name), { kind: 'x' })))), 'WB-173');
    assert.equal(
      said(parseRekorV1Body(kind, version, bytes(edit(json(name), { apiVersion: '9' })))),
      'WB-173',
    );
    assert.equal(said(parseRekorV2Body(kind, version, body)), 'WB-172');
  });
}

test('a hash is of a known algorithm with a value of its length (WB-173)', () => {
  const read = (changes: JsonObject): string =>
    said(parseRekorV1Body('hashedrekord', '0.0.1', bytes(edit(json('hashedrekord 0.0.1'), changes))));
  const at = 'spec.data.hash';
  assert.equal(read({}), 'ok');
  assert.equal(read({ [`${at}.algorithm`]: 'sha384', [`${at}.value`]: '00'.repeat(48) }), 'ok');
  assert.equal(read({ [`${at}.algorithm`]: 'sha384' }), 'WB-173');
  assert.equal(read({ [`${at}.value`]: '00'.repeat(31) }), 'WB-173');
  assert.equal(read({ [`${at}.algorithm`]: 'md5', [`${at}.value`]: '00'.repeat(16) }), 'WB-173');
  assert.equal(read({ [`${at}.algorithm`]: 'toString' }), 'WB-173');
});

const many = (name: string, path: string, count: number): string => {
  const base = json(name);
  const holder = path
    .split('.')
    .reduce<JsonValue>((value, key) => (value as JsonObject)[key] as JsonValue, base);
  const [one] = holder as readonly JsonValue[];
  const list = Array.from({ length: count }, () => one as JsonValue);
  return said(parseRekorV1Body(...split(name), bytes(edit(base, { [path]: list }))));
};

test('an entry carries at most 16 signatures (WB-173)', () => {
  for (const [name, path] of [
    ['dsse 0.0.1', 'spec.signatures'],
    ['intoto 0.0.2', 'spec.content.envelope.signatures'],
  ] as const) {
    assert.equal(many(name, path, 16), 'ok');
    assert.equal(many(name, path, 17), 'WB-173');
  }
});

test('intoto: the payload hash may be absent, the signature is base64 twice (WB-173)', () => {
  const base = json('intoto 0.0.2');
  const without = unwrap(
    parseRekorV1Body('intoto', '0.0.2', bytes(edit(base, { 'spec.content.payloadHash': undefined }))),
  );
  assert.ok(without.kind === 'intoto' && without.payloadHash === undefined);
  const whole = unwrap(parseRekorV1Body('intoto', '0.0.2', bytes(base)));
  assert.ok(whole.kind === 'intoto' && whole.payloadHash !== undefined);
  assert.deepEqual([...(whole.signatures[0]?.signature ?? [])], [9, 9]);
  const once = { 'spec.content.envelope.signatures.0.sig': toBase64(utf8('!')) };
  assert.equal(said(parseRekorV1Body('intoto', '0.0.2', bytes(edit(base, once)))), 'WB-173');
  const first: JsonObject = {
    apiVersion: '0.0.1',
    kind: 'intoto',
    spec: {
      content: { hash: { algorithm: 'sha256', value: '00'.repeat(32) } },
      publicKey: toBase64(utf8('PEM')),
    },
  };
  const old = unwrap(parseRekorV1Body('intoto', '0.0.1', bytes(first)));
  assert.ok(old.kind === 'intoto' && old.verifier === 'PEM' && old.signatures.length === 0);
});

const leaf = hashedRekordV2Body({
  hash,
  signature,
  verifier: { kind: 'publicKey', rawBytes: Uint8Array.of(1), keyDetails: 'X' },
});
const leafJson = JSON.parse(Buffer.from(leaf).toString()) as JsonObject;

test('a v2 leaf has its kind, version, algorithm and exactly one verifier', () => {
  const read = (
    changes: Readonly<Record<string, JsonValue | undefined>>,
    kind = 'hashedrekord',
    version = '0.0.2',
  ): string => said(parseRekorV2Body(kind, version, bytes(edit(leafJson, changes))));
  const at = 'spec.hashedRekordV002';
  assert.equal(read({}), 'ok');
  assert.equal(read({}, 'dsse'), 'WB-172');
  assert.equal(read({}, 'hashedrekord', '0.0.1'), 'WB-172');
  assert.equal(read({ kind: 'dsse' }), 'WB-173');
  assert.equal(read({ apiVersion: '0.0.1' }), 'WB-173');
  assert.equal(read({ [`${at}.data.algorithm`]: 'SHA1' }), 'WB-173');
  assert.equal(read({ [`${at}.data.algorithm`]: 'toString' }), 'WB-173');
  const raw = { rawBytes: 'AQ==' };
  assert.equal(read({ [`${at}.signature.verifier.x509Certificate`]: raw }), 'WB-173');
  assert.equal(read({ [`${at}.signature.verifier.publicKey`]: undefined }), 'WB-173');
  const certificate = { publicKey: undefined, x509Certificate: raw };
  const changes = Object.fromEntries(
    Object.entries(certificate).map(([name, value]) => [`${at}.signature.verifier.${name}`, value]),
  );
  const parsed = unwrap(parseRekorV2Body('hashedrekord', '0.0.2', bytes(edit(leafJson, changes))));
  assert.equal(parsed.verifier.kind, 'x509Certificate');
});

test('requests of v1 are of the two kinds that are taken', () => {
  const hashed = rekorV1RequestJson({
    kind: 'hashedrekord',
    version: '0.0.1',
    hash,
    signature,
    verifier: 'PEM',
  });
  const envelope = rekorV1RequestJson({ kind: 'dsse', version: '0.0.1', envelope: '{}', verifiers: ['PEM'] });
  const read = (value: JsonObject, changes: JsonObject = {}): string =>
    said(parseRekorV1Request(bytes(edit(value, changes))));
  assert.equal(read(hashed), 'ok');
  assert.equal(read(envelope), 'ok');
  assert.equal(read(hashed, { apiVersion: '0.0.2' }), 'WB-172');
  assert.equal(read(envelope, { apiVersion: '0.0.2' }), 'WB-172');
  assert.equal(read(hashed, { kind: 'rekord' }), 'WB-172');
  assert.equal(read(envelope, { 'spec.proposedContent.verifiers': [] }), 'WB-174');
  const pem = toBase64(utf8('PEM'));
  assert.equal(read(envelope, { 'spec.proposedContent.verifiers': new Array<string>(16).fill(pem) }), 'ok');
  assert.equal(
    read(envelope, { 'spec.proposedContent.verifiers': new Array<string>(17).fill(pem) }),
    'WB-174',
  );
});

test('requests of v2 are for a digest or an envelope, never for both (WB-174) or neither (WB-172)', () => {
  const verifier = { publicKey: { rawBytes: 'AQ==' }, keyDetails: 'X' };
  const hashed = { digest: 'AQ==', signature: { content: 'AQ==', verifier } };
  const payload = { payload: 'AQ==', payloadType: 't', signatures: [{ sig: 'AQ==' }] };
  const dsse = (count: number): JsonObject => ({
    envelope: payload,
    verifiers: new Array<JsonObject>(count).fill(verifier),
  });
  const read = (value: JsonObject): string => said(parseRekorV2Request(bytes(value)));
  assert.equal(unwrap(parseRekorV2Request(bytes({ hashedRekordRequestV002: hashed }))).kind, 'hashedrekord');
  assert.equal(unwrap(parseRekorV2Request(bytes({ dsseRequestV002: dsse(1) }))).kind, 'dsse');
  assert.equal(read({ hashedRekordRequestV002: hashed, dsseRequestV002: dsse(1) }), 'WB-174');
  assert.equal(read({}), 'WB-172');
  assert.equal(read({ dsseRequestV002: dsse(0) }), 'WB-174');
  assert.equal(read({ dsseRequestV002: dsse(16) }), 'ok');
  assert.equal(read({ dsseRequestV002: dsse(17) }), 'WB-174');
});

test('a request of v2 with a field nobody knows, anywhere in it, is refused (WB-174); names with underscores are known', () => {
  const sample = (): JsonObject => ({
    hashedRekordRequestV002: {
      digest: 'AQ==',
      signature: { content: 'AQ==', verifier: { publicKey: { rawBytes: 'AQ==' }, keyDetails: 'X' } },
    },
  });
  const spoiled = (...path: readonly string[]): string => {
    const request = sample();
    const inner = path.reduce((at, name) => at[name] as JsonObject, request) as Record<string, unknown>;
    inner['more'] = null;
    return said(parseRekorV2Request(bytes(request)));
  };
  const [request, signature, verifier] = ['hashedRekordRequestV002', 'signature', 'verifier'] as const;
  assert.deepEqual(
    [
      spoiled(),
      spoiled(request),
      spoiled(request, signature),
      spoiled(request, signature, verifier),
      spoiled(request, signature, verifier, 'publicKey'),
    ],
    new Array<string>(5).fill('WB-174'),
  );
  const snake = JSON.stringify(sample())
    .replace('hashedRekordRequestV002', 'hashed_rekord_request_v002')
    .replace('publicKey', 'public_key')
    .replace('rawBytes', 'raw_bytes')
    .replace('keyDetails', 'key_details');
  assert.equal(said(parseRekorV2Request(snake)), 'ok');
  const dsse = {
    envelope: { payload: 'AQ==', payloadType: 't', signatures: [{ sig: 'AQ==' }] },
    verifiers: [],
  };
  assert.equal(said(parseRekorV2Request(bytes({ dsseRequestV002: { ...dsse, more: 1 } }))), 'WB-174');
});

const answer: JsonObject = {
  body: toBase64(bodies['hashedrekord 0.0.1'] as Uint8Array),
  integratedTime: 5,
  logID: '00'.repeat(32),
  logIndex: 7,
  verification: {
    signedEntryTimestamp: 'AQ==',
    inclusionProof: {
      checkpoint: 'c',
      hashes: ['00'.repeat(32)],
      logIndex: 1,
      rootHash: '00'.repeat(32),
      treeSize: 2,
    },
  },
};

test('an answer of a v1 log is read with what it vouches by, and without', () => {
  const read = (changes: Readonly<Record<string, JsonValue | undefined>>) =>
    unwrap(parseLogEntryV1(edit(answer, changes)));
  const whole = read({});
  assert.equal(whole.inclusionProof?.hashes.length, 1);
  assert.equal(whole.inclusionPromise?.length, 1);
  assert.equal(read({ 'verification.signedEntryTimestamp': undefined }).inclusionPromise, undefined);
  assert.equal(read({ 'verification.inclusionProof': undefined }).inclusionProof, undefined);
  const bare = read({ verification: undefined });
  assert.deepEqual([bare.inclusionPromise, bare.inclusionProof], [undefined, undefined]);
  assert.equal(said(parseLogEntryV1(edit(answer, { 'verification.inclusionProof': 5 }))), 'WB-173');
});

test('an origin with a tree number is that of a v1 log, all others are not', () => {
  for (const origin of ['rekor.example - 1', ' - 1', 'a - b - 2'])
    assert.equal(isRekorV1Origin(origin), true, origin);
  for (const origin of ['rekor.example', 'a - ', 'a - 1x', 'a -1', 'a- 1', 'a - x1', 'x\na - 1']) {
    assert.equal(isRekorV1Origin(origin), false, origin);
  }
});

test('the digests an entry records are those of what was signed', () => {
  const [hex1, hex2] = ['01'.repeat(32), '02'.repeat(64)];
  const of = (name: string): unknown => unwrap(loggedHashes(...split(name), bodies[name] as Uint8Array));
  assert.deepEqual(of('hashedrekord 0.0.1'), [`sha256:${hex1}`]);
  assert.deepEqual(of('dsse 0.0.1'), [`sha512:${hex2}`, `sha256:${hex1}`]);
  assert.deepEqual(of('intoto 0.0.2'), [`sha512:${hex2}`, `sha256:${hex1}`]);
  assert.deepEqual(unwrap(loggedHashes('hashedrekord', '0.0.2', leaf)), [`sha256:${hex1}`]);
  const without = bytes(edit(json('intoto 0.0.2'), { 'spec.content.payloadHash': undefined }));
  assert.deepEqual(unwrap(loggedHashes('intoto', '0.0.2', without)), [`sha256:${hex1}`]);
  assert.equal(said(loggedHashes('hashedrekord', '0.0.1', utf8('{}'))), 'WB-173');
  assert.equal(said(loggedHashes('dsse', '0.0.2', leaf)), 'WB-172');
});

test('signatures of an envelope are written in the order of their text', () => {
  const [one, two, three] = [1, 2, 3].map((byte) => ({
    signature: Uint8Array.of(byte),
    verifier: `${byte}`,
  }));
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  const write = (...list: (typeof one)[]): string =>
    Buffer.from(dsseV1Body({ envelopeHash: hash, payloadHash: hash, signatures: list })).toString();
  assert.equal(write(three, one, two), write(one, two, three));
  assert.equal(write(two, three, one), write(one, two, three));
  assert.ok(write(two, one).indexOf('"AQ=="') < write(two, one).indexOf('"Ag=="'));
});
