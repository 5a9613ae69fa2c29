import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, hash, sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { der } from '#formats/der';
import { pemDecode, pemEncode } from '#formats/pem';
import { buildTimeStampRequest, parseTimeStampResponse, type TimestampToken } from '#formats/tsp';
import { parseCertificate, verifyCertificateSignature } from '#formats/x509';
import { createHttpServer, type HttpApp } from '#platform/http-server';
import { fileKeyStore, type KeyStore, memoryKeyStore } from '#platform/key-store';
import { run } from '#platform/process';
import { systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createTsa, POLICY_OID, registerTsa, type Tsa } from '#services/tsa';

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
const data = utf8('signature bytes');

interface Fixture {
  readonly tsa: Tsa;
  readonly app: HttpApp;
  readonly clock: FixedClock;
}

async function fixture(keys: KeyStore = memoryKeyStore()): Promise<Fixture> {
  const clock = new FixedClock(NOW);
  const log = createLogger('tsa', 'silent');
  const tsa = await createTsa({ keys, clock, random: systemRandom, log });
  const app = createHttpServer({ log, bodyBytesMax: 64 * 1024 });
  registerTsa(app, { tsa, log });
  return { tsa, app, clock };
}

interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly type: string;
}

async function post(
  app: HttpApp,
  payload: Uint8Array | string,
  type = 'application/timestamp-query',
  accept = '*/*',
): Promise<Answer> {
  const answer = await app.inject({
    method: 'POST',
    url: '/api/v1/timestamp',
    headers: { 'content-type': type, accept },
    payload: typeof payload === 'string' ? payload : Buffer.from(payload),
  });
  return {
    status: answer.statusCode,
    bytes: new Uint8Array(answer.rawPayload),
    text: answer.body,
    type: String(answer.headers['content-type']),
  };
}

const query = (over: object = {}): Uint8Array =>
  buildTimeStampRequest({ hashName: 'sha256', hash: sha256(data), ...over });
const tokenOf = (answer: Answer): TimestampToken => {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.type, 'application/timestamp-reply');
  return unwrap(parseTimeStampResponse(answer.bytes));
};

test('a DER request gets a token of the documented profile, without a certificate', async () => {
  const { app, tsa } = await fixture();
  const token = tokenOf(await post(app, query()));
  assert.equal(token.genTime, NOW);
  assert.equal(token.policy, POLICY_OID);
  assert.equal(token.accuracyMs, 1000);
  assert.equal(token.ordering, false);
  assert.equal(token.nonce, undefined);
  assert.equal(token.certificates.length, 0);
  assert.equal(token.covers(data), true);
  assert.equal(token.signerInfo.signingCertificate.algorithm, 'sha256');
  assert.equal(token.verifySignature(tsa.chain[0]), true);
});

test('the certificate is inside only when asked for, and the nonce comes back', async () => {
  const { app, tsa } = await fixture();
  const token = tokenOf(await post(app, query({ certReq: true, nonce: Uint8Array.of(0xff, 7) })));
  assert.deepEqual(
    token.certificates.map((one) => toHex(one.der)),
    [toHex(tsa.chain[0].der)],
  );
  assert.equal(toHex(token.nonce ?? new Uint8Array(0)), '00ff07');
});

test('the authority follows the profile: timeStamping critical and alone, leaf signed by root', async () => {
  const { app } = await fixture();
  const answer = await app.inject('/api/v1/timestamp/certchain');
  const [leaf, root] = unwrap(pemDecode(answer.body, 'CERTIFICATE')).map((block) =>
    unwrap(parseCertificate(block.der)),
  );
  assert.equal(answer.headers['content-type'], 'application/pem-certificate-chain');
  assert.deepEqual(leaf?.extKeyUsages, ['1.3.6.1.5.5.7.3.8']);
  assert.equal(leaf?.extensions.get('2.5.29.37')?.critical, true);
  assert.equal(leaf?.isCa, false);
  assert.equal(root?.isCa, true);
  assert.equal(verifyCertificateSignature(leaf!, root!), true);
  assert.equal((await app.inject('/ping')).statusCode, 200);
});

test('the nonce of a JSON request comes back to the last digit, of any size and sign', async () => {
  const { app } = await fixture();
  for (const [nonce, octets] of [
    ['0', '00'],
    ['128', '0080'],
    ['-5', 'fb'],
    ['-128', '80'],
    ['9007199254740993', '20000000000001'],
    ['9223372036854775807', '7fffffffffffffff'],
    ['18446744073709551615', '00ffffffffffffffff'],
    ['-9007199254740993', 'dfffffffffffff'],
  ] as const) {
    const nested = '"more":{"nonce":7},';
    const body = JSON.stringify({ artifactHash: toBase64(sha256(data)), hashAlgorithm: 'sha256' });
    const sent = `{${nested}"nonce":${nonce},${body.slice(1)}`;
    const token = tokenOf(await post(app, sent, 'application/json'));
    assert.equal(toHex(token.nonce ?? new Uint8Array(0)), octets, nonce);
  }
});

for (const hashName of ['sha256', 'sha384', 'sha512'] as const) {
  test(`a JSON request over ${hashName} gets a token`, async () => {
    const { app, tsa } = await fixture();
    const body = {
      artifactHash: toBase64(hash(hashName, data)),
      hashAlgorithm: hashName,
      certificates: true,
      nonce: 123,
    };
    const token = tokenOf(await post(app, JSON.stringify(body), 'application/json'));
    assert.equal(token.covers(data), true);
    assert.equal(token.certificates.length, 1);
    assert.equal(toHex(token.nonce ?? new Uint8Array(0)), '7b');
    assert.equal(token.verifySignature(tsa.chain[0]), true);
  });
}

const raw = (oid: string, length: number, ...rest: readonly Uint8Array[]): Uint8Array =>
  der.seq(der.int(1), der.seq(der.seq(der.oid(oid)), der.octets(new Uint8Array(length))), ...rest);
const sha256Oid = '2.16.840.1.101.3.4.2.1';
const extension = der.implicit(0, der.seq(der.seq(der.oid('1.2.3'), der.bool(true), der.octets(der.nul()))));

const general = 'Error generating timestamp response';
const weak = 'Weak hash algorithm in timestamp request';
const policy = 'unaccepted policy: requested TSA policy is not supported by the TSA';
const extensions = 'unaccepted extension: requested extensions are not supported by the TSA';
const inconsistent = 'Message digest has incorrect length for specified algorithm';
type Rejected = readonly [name: string, request: Uint8Array, failure: RegExp, words: string];
const rejected: readonly Rejected[] = [
  ['SHA-1', raw('1.3.14.3.2.26', 20), /badAlg, WB-1055/, weak],
  ['MD5', raw('1.2.840.113549.2.5', 16), /badAlg, WB-1054/, general],
  ['an unknown hash', raw('1.2.3.4', 32), /badAlg, WB-1054/, general],
  ['a foreign policy', query({ policy: '1.2.3' }), /unacceptedPolicy, WB-1056/, policy],
  ['a critical extension', raw(sha256Oid, 32, extension), /unacceptedExtension, WB-1057/, extensions],
  ['a hash of the wrong length', raw(sha256Oid, 31), /badDataFormat, WB-136/, inconsistent],
  ['a nonce of 10 kB', query({ nonce: new Uint8Array(10_240).fill(1) }), /badDataFormat, WB-133/, general],
  ['bytes after the request', new Uint8Array([...query(), 0]), /badDataFormat, WB-121/, general],
];

for (const [name, request, failure, words] of rejected) {
  test(`${name} is refused as Sigstore's authority refuses it, and in RFC 3161's words for who asks so`, async () => {
    const { app } = await fixture();
    const told = await post(app, request);
    assert.deepEqual([told.status, told.type], [400, 'application/json; charset=utf-8'].slice(0, 2));
    const said = JSON.parse(told.text) as { code: number; message: string };
    assert.equal(said.code, 400);
    assert.ok(said.message.startsWith(`${words}: `), said.message);
    assert.match(said.message, new RegExp(/WB-\d+/.exec(failure.source)?.[0] ?? 'none'));
    const answer = await post(app, request, undefined, 'application/timestamp-reply');
    assert.equal(answer.status, 200);
    const parsed = parseTimeStampResponse(answer.bytes);
    assert.equal(!parsed.ok && parsed.error.code, 'WB-135');
    assert.match(parsed.ok ? '' : parsed.error.actual, failure);
  });
}

const json = (over: object): string =>
  JSON.stringify({ artifactHash: toBase64(sha256(data)), hashAlgorithm: 'sha256', ...over });
const wrong: readonly (readonly [name: string, body: string, status: number, code: string, type?: string])[] =
  [
    ['SHA-1 in JSON', json({ hashAlgorithm: 'sha1' }), 400, 'WB-1055'],
    ['MD5 in JSON', json({ hashAlgorithm: 'md5' }), 400, 'WB-1054'],
    ['a JSON body that is none', '{', 400, 'WB-1050'],
    ['JSON above 1024 bytes', json({ pad: 'x'.repeat(1024) }), 400, 'WB-1050'],
    ['a hash that is no base64', json({ artifactHash: '%%' }), 400, 'WB-1050'],
    ['a hash of the wrong length', json({ artifactHash: 'AAAA' }), 400, 'WB-136'],
    ['a policy that is no identifier', json({ tsaPolicyOID: '3.x' }), 400, 'WB-1050'],
    ['a nonce that is text', json({ nonce: '12' }), 400, 'WB-1050'],
    ['a nonce with a fraction', json({ nonce: 0.5 }), 400, 'WB-1050'],
    ['a nonce with an exponent', json({ nonce: 1 }).replace('"nonce":1', '"nonce":1e3'), 400, 'WB-1050'],
    ['another content type', 'x', 415, 'WB-1052', 'text/plain'],
    ['a content type of 10 kB', 'x', 415, 'WB-1052', `a/${'b'.repeat(10_000)}`],
  ];

test('an empty body is refused like a parameter that is not there, and in RFC 3161’s words for who asks so', async () => {
  const { app } = await fixture();
  const told = await post(app, new Uint8Array(0));
  assert.equal(told.status, 422);
  const { code, message } = JSON.parse(told.text) as { code: number; message: string };
  assert.equal(code, 602);
  assert.match(message, /^request in body is required: WB-1050 /);
  const asked = await post(
    app,
    new Uint8Array(0),
    'application/timestamp-query',
    'application/timestamp-reply',
  );
  assert.equal(asked.status, 200);
  const parsed = parseTimeStampResponse(asked.bytes);
  assert.match(parsed.ok ? '' : parsed.error.actual, /badDataFormat, WB-121/);
});

for (const [name, body, status, code, type] of wrong) {
  test(`${name} is refused with ${code}`, async () => {
    const { app } = await fixture();
    const answer = await post(app, body, type ?? 'application/json');
    assert.equal(answer.status, status, answer.text);
    assert.match(
      (JSON.parse(answer.text) as { message: string }).message,
      new RegExp(`^[A-Za-z][^:]*: ${code} `),
    );
  });
}

test('a foreign policy in JSON is rejected as in DER', async () => {
  const { app } = await fixture();
  const answer = await post(app, json({ tsaPolicyOID: '1.2.3' }), 'application/json');
  assert.deepEqual([answer.status, answer.text.includes(policy)], [400, true]);
});

test('a path or method that is not there is told as go-openapi tells it', async () => {
  const { app } = await fixture();
  const nowhere = await app.inject('/x');
  assert.equal(nowhere.statusCode, 404);
  const { code, message } = nowhere.json<{ code: number; message: string }>();
  assert.equal(code, 404);
  assert.match(message, /^path \/x was not found: WB-207 /);
  const other = await app.inject({ method: 'PUT', url: '/api/v1/timestamp/certchain' });
  assert.deepEqual([other.statusCode, other.headers.allow], [405, 'GET,HEAD']);
  assert.match(other.json<{ message: string }>().message, /^method PUT is not allowed, but \[GET\] are: /);
});

test('a body is read up to the limit and refused above it', async () => {
  const { app } = await fixture();
  assert.equal((await post(app, new Uint8Array(limits.tsaRequestBytes))).status, 400);
  const more = await post(app, new Uint8Array(limits.tsaRequestBytes + 1));
  assert.equal(more.status, 400);
  assert.match(more.text, /Error generating timestamp response: WB-1050 .* at most 65536 bytes/);
});

test('serial numbers differ within one millisecond and across starts', async () => {
  const keys = memoryKeyStore();
  const serials = new Set<string>();
  for (const { app } of [await fixture(keys), await fixture(keys)]) {
    for (let i = 0; i < 20; i++) serials.add(toHex(tokenOf(await post(app, query())).serial));
  }
  assert.equal(serials.size, 40);
});

test('outside the validity of its certificate nothing is signed', async () => {
  const { app, clock, tsa } = await fixture();
  clock.advance(tsa.chain[0].notAfter - NOW);
  tokenOf(await post(app, query()));
  clock.advance(1000);
  const answer = await post(app, query());
  assert.equal(answer.status, 503);
  assert.match(answer.text, /WB-1053/);
});

test('the second start goes on with the same authority, also under a passphrase', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'waybill-tsa-'));
  try {
    const store = (): KeyStore => fileKeyStore(dir, new Secret('pass'));
    const first = await fixture(store());
    const second = await fixture(store());
    assert.deepEqual(
      second.tsa.chain.map((one) => toHex(one.der)),
      first.tsa.chain.map((one) => toHex(one.der)),
    );
    assert.equal((await stat(join(dir, 'tsa.key'))).mode & 0o777, 0o600);
    await rm(join(dir, 'root.key'));
    tokenOf(await post((await fixture(store())).app, query()));
    await writeFile(join(dir, 'tsa.key'), generateKey('p256').exportPem('pass'), { mode: 0o600 });
    await assert.rejects(fixture(store()), /WB-1051.*another key/);
    await rm(join(dir, 'tsa.key'));
    await assert.rejects(fixture(store()), /WB-1051.*no such key/);
  } finally {
    await rm(dir, { recursive: true });
  }
});

const { code: opensslCode } = await run('openssl', ['version']);
if (opensslCode !== 0) process.stderr.write('tsa: openssl is not installed, its verification did not run\n');
else {
  test('openssl asks, and verifies the answer with the published chain', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'waybill-tsa-'));
    const openssl = (...args: readonly string[]) => run('openssl', ['ts', ...args], { cwd: dir });
    try {
      const { app, tsa } = await fixture();
      await writeFile(join(dir, 'data'), data);
      await writeFile(join(dir, 'root.pem'), pemEncode('CERTIFICATE', tsa.chain[1].der));
      await writeFile(join(dir, 'leaf.pem'), pemEncode('CERTIFICATE', tsa.chain[0].der));
      for (const options of [['-cert'], ['-no_nonce']]) {
        await openssl('-query', '-data', 'data', '-sha256', ...options, '-out', 'q.tsq');
        await writeFile(join(dir, 'r.tsr'), (await post(app, await readFile(join(dir, 'q.tsq')))).bytes);
        const trust = ['-CAfile', 'root.pem', '-untrusted', 'leaf.pem', '-attime', String(NOW / 1000)];
        const checked = await openssl('-verify', '-queryfile', 'q.tsq', '-in', 'r.tsr', ...trust);
        assert.equal(checked.code, 0, checked.stderr);
      }
    } finally {
      await rm(dir, { recursive: true });
    }
  });
}
