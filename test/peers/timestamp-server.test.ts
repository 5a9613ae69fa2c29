/**
 * Request by request, the real timestamp authority and ours: the same answers in form and content to good ones, the same
 * status, number and words to bad ones, ours with its own code behind them.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { fromHex, toBase64, toHex, utf8 } from '#base/bytes';
import { hash } from '#base/crypto';
import { unwrap } from '#base/result';
import { der } from '#formats/der';
import { buildTimeStampRequest, parseTimeStampResponse } from '#formats/tsp';
import { startStack, temporaryFolder } from '../stack/helper.ts';
import { assertAlike, errorOf } from './bad-input.ts';
import { type Asked, ask } from './fulcio-world.ts';
import { freePort, Processes } from './real-services.ts';

const stack = await startStack();
const processes = new Processes(await temporaryFolder());
after(() => processes.close());
const port = await freePort();
processes.start('timestamp-server', [
  ...['serve', '--host', '127.0.0.1', '--port', `${port}`, '--timestamp-signer', 'memory'],
  ...['--disable-ntp-monitoring', '--log-type', 'prod'],
]);
const theirs = `http://127.0.0.1:${port}`;
await processes.answer('timestamp-server', `${theirs}/ping`);
const ours = stack.origins.tsa;

const path = '/api/v1/timestamp';
const QUERY = 'application/timestamp-query';
const artifact = utf8('a signature');
const binary = (body: Uint8Array): Asked => ({ path, body, type: QUERY });
const json = (body: string | object): Asked => ({ path, body });
const digestOf = (name: 'sha256' | 'sha384' | 'sha512'): string => toBase64(hash(name, artifact));
const asked = { artifactHash: digestOf('sha256'), hashAlgorithm: 'sha256' };

/** The digits as they are: a number would round them. */
const withNonce = (digits: string): string => JSON.stringify(asked).replace('{', `{"nonce":${digits},`);

const good: Readonly<Record<string, Asked>> = {
  'SHA-256, as clients in Go ask': binary(
    buildTimeStampRequest({ hashName: 'sha256', hash: hash('sha256', artifact) }),
  ),
  'SHA-384 with certificates': binary(
    buildTimeStampRequest({ hashName: 'sha384', hash: hash('sha384', artifact), certReq: true }),
  ),
  'SHA-512 with a nonce': binary(
    buildTimeStampRequest({
      hashName: 'sha512',
      hash: hash('sha512', artifact),
      nonce: fromHex('0123456789abcdef'),
    }),
  ),
  'the policy of the authority': binary(
    buildTimeStampRequest({
      hashName: 'sha256',
      hash: hash('sha256', artifact),
      policy: '1.3.6.1.4.1.57264.2',
    }),
  ),
  JSON: json(asked),
  'JSON with certificates and a nonce': json({ ...asked, certificates: true, nonce: 1234 }),
  'JSON with a nonce of 64 bits': json(withNonce('18446744073709551615')),
  'JSON with a nonce of 80 bits': json(withNonce('1208925819614629174706175')),
  'JSON with a negative nonce': json(withNonce('-9007199254740993')),
  'JSON with the nonce 0': json({ ...asked, nonce: 0 }),
  'JSON without a nonce, said so': json({ ...asked, nonce: null }),
  'JSON with SHA-512 in capitals': json({ artifactHash: digestOf('sha512'), hashAlgorithm: 'SHA512' }),
  'JSON with an empty policy': json({ ...asked, tsaPolicyOID: '' }),
  'JSON with a field nobody knows': json({ ...asked, more: 1 }),
};

for (const [name, request] of Object.entries(good)) {
  test(`answered alike: ${name}`, async () => {
    const both = await Promise.all(
      [theirs, ours].map(async (base) => {
        const response = await fetch(`${base}${path}`, {
          method: 'POST',
          headers: { 'content-type': request.type ?? 'application/json' },
          body: (request.body instanceof Uint8Array || typeof request.body === 'string'
            ? request.body
            : JSON.stringify(request.body)) as string,
        });
        const bytes = new Uint8Array(await response.arrayBuffer());
        assert.equal(response.status, 200, new TextDecoder().decode(bytes));
        const token = unwrap(parseTimeStampResponse(bytes));
        const { messageImprint, policy, certificates, nonce } = token;
        return {
          type: response.headers.get('content-type'),
          imprint: [messageImprint.algorithm, toBase64(messageImprint.hash)],
          policy,
          certificates: certificates.length,
          nonce: nonce === undefined ? 'none' : toHex(nonce),
        };
      }),
    );
    assert.deepEqual(both[1], both[0]);
  });
}

test('chain and ping alike', async () => {
  const [theirChain, ourChain] = [
    await ask(theirs, { path: `${path}/certchain`, method: 'GET' }),
    await ask(ours, { path: `${path}/certchain`, method: 'GET' }),
  ];
  const shape = ({ status, headers }: typeof ourChain): unknown[] => [status, headers.get('content-type')];
  assert.deepEqual(shape(ourChain), shape(theirChain));
  const pings = [
    await ask(theirs, { path: '/ping', method: 'GET' }),
    await ask(ours, { path: '/ping', method: 'GET' }),
  ];
  assert.deepEqual(pings[1]?.text, pings[0]?.text);
});

const raw = (algorithm: string, digest: Uint8Array, ...more: Uint8Array[]): Uint8Array =>
  der.seq(der.int(1), der.seq(der.seq(der.oid(algorithm), der.nul()), der.octets(digest)), ...more);
const SHA256 = '2.16.840.1.101.3.4.2.1';
const digest = hash('sha256', artifact);
const extensions = der.implicit(0, der.seq(der.seq(der.oid('1.2.3.4'), der.octets(utf8('x')))));

const bad: Readonly<Record<string, Asked>> = {
  'SHA-1': binary(raw('1.3.14.3.2.26', new Uint8Array(20))),
  MD5: binary(raw('1.2.840.113549.2.5', new Uint8Array(16))),
  'a hash nobody knows': binary(raw('1.2.3.4', new Uint8Array(32))),
  'a digest of another length': binary(raw(SHA256, new Uint8Array(20))),
  'a foreign policy': binary(buildTimeStampRequest({ hashName: 'sha256', hash: digest, policy: '1.2.3.4' })),
  'an extension': binary(raw(SHA256, digest, extensions)),
  'no DER': binary(utf8('hello')),
  'DER that is another thing': binary(der.seq(der.int(1))),
  'a request cut off': binary(raw(SHA256, digest).slice(0, -4)),
  'bytes behind the request': binary(new Uint8Array([...raw(SHA256, digest), 0])),
  'an empty request': binary(new Uint8Array()),
  'a request that is too large': binary(new Uint8Array(2 * 1024 * 1024)),
  'SHA-1 in JSON': json({ artifactHash: toBase64(new Uint8Array(20)), hashAlgorithm: 'sha1' }),
  'a hash nobody knows in JSON': json({ ...asked, hashAlgorithm: 'md5' }),
  'no hash in JSON': json({ artifactHash: asked.artifactHash }),
  'a digest of another length in JSON': json({ ...asked, artifactHash: toBase64(new Uint8Array(20)) }),
  'no digest in JSON': json({ hashAlgorithm: 'sha256' }),
  'a digest that is not base64': json({ ...asked, artifactHash: '***' }),
  'a foreign policy in JSON': json({ ...asked, tsaPolicyOID: '1.2.3.4' }),
  'a policy that is none': json({ ...asked, tsaPolicyOID: 'x' }),
  'a policy of 200 parts': json({ ...asked, tsaPolicyOID: new Array<string>(200).fill('1').join('.') }),
  'a nonce that is text': json({ ...asked, nonce: 'x' }),
  'a nonce in quotes': json({ ...asked, nonce: '12' }),
  'a nonce with a fraction': json({ ...asked, nonce: 1.5 }),
  'a nonce with an exponent': json(withNonce('1e3')),
  'an empty object': json({}),
  'no JSON': json('hello'),
  'JSON cut off': json('{"artifactHash":"'),
  'JSON that is too large': json({ ...asked, more: 'x'.repeat(2000) }),
  'another type of content': { path, body: 'a=b', type: 'application/x-www-form-urlencoded' },
  text: { path, body: 'hello', type: 'text/plain' },
  'another method': { path, method: 'GET' },
  'a path that is not there': { path: `${path}/nothing`, method: 'GET' },
  'a path outside': { path: '/nothing', method: 'GET' },
};

for (const [name, request] of Object.entries(bad)) {
  test(`refused alike: ${name}`, async () => {
    const [real, own] = [await ask(theirs, request), await ask(ours, request)];
    assert.ok(real.status >= 400, `taken: ${real.status}`);
    assertAlike(own, real);
    assert.ok(request.type === undefined || errorOf(own).message !== undefined);
  });
}
