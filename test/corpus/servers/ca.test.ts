/** What the rows CA-… of the corpus ask beyond the tests of the authority in test/services. */
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import type { JWTHeaderParameters } from 'jose';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { addChainResponse, embeddedScts, verifySct } from '#formats/sct';
import type { Certificate } from '#formats/x509';
import { httpTransport, type Transport } from '#platform/http-client';
import { memoryKeyStore } from '#platform/key-store';
import { httpCtSubmitter } from '#services/ca';
import { IssuedCertificates } from '#tlog';
import { caFixture, email, fakeLog, ISSUER, NOW, type Reply, token } from '../../services/ca-fixture.ts';
import { type IssuingWorld, isCertificate, issuingWorld, pemOf } from '../../services/ct-issued.ts';

const codeOf = (reply: Reply): string | undefined => reply.json.details?.[0]?.reason;

const headers: Readonly<Record<string, object>> = {
  'a link to a certificate': { x5u: 'https://evil.example/chain.pem' },
  'a certificate of its own': { x5c: ['MAAwAA=='] },
  'a link to keys': { jku: 'https://evil.example/keys' },
  'a payload that is not encoded': { b64: false, crit: ['b64'] },
  compression: { zip: 'DEF' },
};
for (const [what, more] of Object.entries(headers)) {
  test(`CA-01: a token whose header brings ${what} is refused, and nobody is asked for anything`, async () => {
    const { sign, web, log } = await caFixture();
    const [, ...rest] = (await token()).split('.');
    const header = { alg: 'ES256', kid: 'k1', ...more } as JWTHeaderParameters;
    const forged = [Buffer.from(JSON.stringify(header)).toString('base64url'), ...rest].join('.');
    const reply = await sign(forged);
    assert.deepEqual([reply.status, codeOf(reply)], [400, 'WB-1002']);
    assert.deepEqual(web.asked, []);
    assert.equal(log.chains.length, 0);
  });
}

test('CA-02: the age of a token is its end: one made long ago that has not ended is good, a time that is none is not', async () => {
  const { sign } = await caFixture();
  assert.equal((await sign(await token({ iat: NOW / 1000 - 30 * 86_400 }))).status, 200);
  for (const claims of [
    { iat: 'yesterday' },
    { exp: 'never' },
    { exp: `${NOW / 1000 + 60}` },
    { nbf: 'x' },
  ]) {
    const reply = await sign(await token(claims));
    assert.equal(reply.status, 400, JSON.stringify(claims));
    assert.match(codeOf(reply) ?? '', /^WB-100[25]$/);
  }
});

/** A log over real HTTP that answers as it is told. */
async function httpLog(answer: (response: ServerResponse, good: () => string) => void, timeoutMs = 150) {
  const clock = new FixedClock(NOW);
  const log = fakeLog(clock);
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    const promise = async (): Promise<void> => {
      const { chain } = JSON.parse(Buffer.concat(parts).toString()) as { chain: string[] };
      const sct = await log.addPreChain(
        chain.map((one) => new Uint8Array(Buffer.from(one, 'base64')) as never),
      );
      answer(response, () => JSON.stringify(addChainResponse(sct)));
    };
    request.on('end', () => void promise());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const real = httpTransport();
  const hasty: Transport = { ...real, request: (request) => real.request({ ...request, timeoutMs }) };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return caFixture([email], { ct: httpCtSubmitter(url, hasty), ctKey: log.key.publicKey });
}

const logs: Readonly<Record<string, (response: ServerResponse, good: () => string) => void>> = {
  'never answers': () => {},
  'drips its answer': (response, good) => {
    response.writeHead(200);
    response.write(good().slice(0, 5));
  },
  'cuts the connection before its answer': (response) => response.destroy(),
  'cuts the connection within its promise': (response, good) => {
    const text = good();
    response.writeHead(200, { 'content-length': text.length });
    response.write(text.slice(0, text.length / 2), () => response.destroy());
  },
  'answers 500': (response) => response.writeHead(500).end('no'),
  'answers a page': (response) => response.writeHead(200).end('<html>'),
  'answers without end': (response) => {
    response.writeHead(200);
    response.write('a'.repeat(128 * 1024));
  },
};
for (const [what, answer] of Object.entries(logs)) {
  test(`CA-07: with a certificate log that ${what} no certificate leaves`, async () => {
    const { sign, lines } = await httpLog(answer);
    const reply = await sign(await token());
    assert.deepEqual([reply.status, codeOf(reply)], [503, 'WB-1013'], reply.text);
    assert.equal(reply.text.includes('BEGIN CERTIFICATE'), false);
    assert.equal(lines.join('').includes('certificate issued'), false);
  });
}

test('CA-07: with a log over HTTP that promises, the certificate carries its promise', async () => {
  const { sign } = await httpLog((response, good) => response.writeHead(200).end(good()), 10_000);
  assert.equal((await sign(await token())).status, 200);
});

/** Where an issuance ends, from the first signature to the answer. */
const steps = [
  'the precertificate is signed',
  'it is logged',
  'the promise is told',
  'the certificate is signed',
];

/** An authority that fails at one step from when it is told to. */
async function failing(step: number): Promise<IssuingWorld & { arm(): void }> {
  let isArmed = false;
  let signatures = 0;
  const keys = memoryKeyStore();
  const findKey = async (name: string) => {
    const key = await keys.findKey(name);
    if (key === undefined || name !== 'intermediate') return key;
    const sign = (data: Uint8Array): Uint8Array => {
      if (isArmed && signatures++ === (step === 0 ? 0 : 1) && (step === 0 || step === 3))
        throw new Error('ended');
      return key.sign(data);
    };
    return { publicKey: key.publicKey, sign };
  };
  const world = await issuingWorld((ct) => ({
    keys: { ...keys, findKey },
    ct: {
      addPreChain: async (chain) => {
        if (isArmed && step === 1) throw new Error('ended');
        const sct = await ct.addPreChain(chain);
        if (isArmed && step === 2) throw new Error('ended');
        return sct;
      },
    },
  }));
  const arm = (): void => {
    isArmed = true;
  };
  return { ...world, arm };
}

for (const [step, name] of steps.entries()) {
  test(`CA-08: an authority that ends when ${name} leaves at worst a logged precertificate, never the reverse`, async () => {
    const world = await failing(step);
    try {
      const released: Certificate[] = [];
      const issue = async (n: number): Promise<void> => {
        const answer = await world.issue(n);
        if (isCertificate(answer)) released.push(answer);
        else assert.equal(answer.text.includes('BEGIN CERTIFICATE'), false);
      };
      for (let n = 0; n < 3; n++) await issue(n);
      world.arm();
      await issue(3);
      assert.equal(released.length, 3, 'the one that ended did not leave');
      const { size } = world.ct.log.tree;
      assert.equal(size, step < 2 ? 3 : 4, 'what is in the log');
      const issued = new IssuedCertificates();
      issued.add(utf8(pemOf(...released)), 'what left');
      for (let at = 0; at < size; at++) issued.take((await world.ct.log.record(at)).entry);
      assert.deepEqual(issued.missing(), []);
      for (const one of released) {
        const [sct] = unwrap(embeddedScts(one));
        assert.ok(sct !== undefined);
        assert.ok(verifySct(sct, one, world.ca.intermediate.publicKey, world.ctKey.publicKey));
      }
    } finally {
      await world.close();
    }
  });
}

test('CA-09: a token a thousand times is as many certificates as the operator allows in a minute, each refusal logged', async () => {
  const { sign, lines, log } = await caFixture([email], { issuancesPerMinute: 10 });
  const bearer = await token();
  const key = generateKey('p256');
  const replies: Reply[] = [];
  for (let i = 0; i < 100; i++) {
    replies.push(...(await Promise.all(Array.from({ length: 10 }, () => sign(bearer, { key })))));
  }
  const of = (status: number): number => replies.filter((reply) => reply.status === status).length;
  assert.deepEqual([of(200), of(429)], [10, 990]);
  assert.equal(log.chains.length, 10, 'nothing of the others was logged');
  const all = lines.join('');
  assert.equal(all.split('"certificate issued"').length - 1, 10);
  assert.ok(all.split('WB-1018').length - 1 >= 990);
  assert.equal(all.includes(bearer), false);
});

test('CA-10: a log whose clock is up to a minute off is believed, a millisecond more and nothing is issued', async () => {
  for (const [skew, status] of [
    [60_000, 200],
    [-60_000, 200],
    [60_001, 503],
    [-60_001, 503],
    [600_000, 503],
    [-600_000, 503],
  ] as const) {
    const log = fakeLog(new FixedClock(NOW + skew));
    const { sign } = await caFixture([email], { ct: log, ctKey: log.key.publicKey });
    const reply = await sign(await token());
    assert.equal(reply.status, status, `${skew} ms: ${reply.text}`);
    if (status === 503) assert.equal(codeOf(reply), 'WB-1013');
  }
});

test('CA-11: a template in a claim is text, and user info in a URI is refused', async () => {
  const uri = { issuerUrl: ISSUER, clientId: 'sigstore', type: 'uri', subjectDomain: ISSUER } as const;
  const { sign } = await caFixture([uri]);
  for (const sub of [`${ISSUER}@evil.example/u`, 'https://user:pw@issuer.example/u', `${ISSUER}/u\r\nx`]) {
    const reply = await sign(await token({ sub }), { name: sub });
    assert.equal(reply.status, 400, sub);
    assert.match(codeOf(reply) ?? '', /^WB-10/);
  }
});
