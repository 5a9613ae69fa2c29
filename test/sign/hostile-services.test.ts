/** The pipeline against services that refuse, break off, lie or are slow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex, utf8, utf8Text } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseSigningConfig, type SigningConfig } from '#formats/signing-config';
import type { HttpRequest, HttpResponse, Transport } from '#platform/http-client';
import { systemClock, systemRandom } from '#platform/system';
import { createSigner, type SignContent, servicesFrom } from '#sign';
import { ada, message, personSigner, signerOf, startStack, statement, wire } from '../stack/helper.ts';

const stack = await startStack();
const paths = {
  ca: '/api/v2/signingCert',
  tsa: '/api/v1/timestamp',
  log: '/api/v1/log/entries',
  log2: '/api/v2/log/entries',
};

type Lie = (answer: HttpResponse, request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

/** The real network, with one service's answers changed; remembers what was asked. */
function through(path: string, lie: Lie): Transport & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    request: async (request) => {
      asked.push(new URL(request.url).pathname);
      const answer = await wire.transport.request(request);
      return request.url.endsWith(path) ? lie(answer, request) : answer;
    },
    stream: wire.transport.stream,
  };
}

const sign = (transport: Transport, logVersion: 1 | 2 = 1, content: SignContent = message('x')) =>
  signerOf(
    stack,
    { kind: 'token', token: () => stack.mint({ sub: ada, email: ada }) },
    { transport, logVersion },
  ).sign(content);
const answering =
  (status: number, body: string, headers: Record<string, string> = {}): Lie =>
  (answer) => ({ ...answer, status, body: utf8(body), headers: new Map(Object.entries(headers)) });

const refusedAs =
  (code: string, exit: number, text?: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.reason.code, code, error.message);
    assert.equal(error.reason.exit, exit);
    if (text !== undefined) assert.match(error.reason.actual, text);
    assert.doesNotMatch(error.message, /eyJ/, 'no token in the message');
    return true;
  };

test('a refusal of the authority carries its words: WB-810', async () => {
  const transport = through(paths.ca, answering(400, '{"code":3,"message":"not you"}'));
  await assert.rejects(sign(transport), refusedAs('WB-810', 30, /status 400: not you/));
});

test('a refusal of the timestamp authority leaves nothing in the log: WB-812', async () => {
  const transport = through(paths.tsa, answering(400, 'no'));
  await assert.rejects(sign(transport), refusedAs('WB-812', 30));
  assert.deepEqual(transport.asked, [paths.ca, paths.tsa]);
});

test('a refusal of the log is WB-811, for both versions', async () => {
  await assert.rejects(
    sign(through(paths.log, answering(400, '{"message":"no"}'))),
    refusedAs('WB-811', 30, /no/),
  );
  await assert.rejects(sign(through(paths.log2, answering(405, '')), 2), refusedAs('WB-811', 30));
});

test('503 and 429 are tried again; what stays unavailable is WB-813', async () => {
  let refusals = 0;
  const recovering = through(paths.ca, (answer, request) =>
    refusals++ < 2 ? (answering(503, 'later')(answer, request) as HttpResponse) : answer,
  );
  await sign(recovering);
  assert.equal(refusals, 3);
  const never = through(paths.ca, answering(429, '{"message":"slow down"}'));
  await assert.rejects(sign(never), refusedAs('WB-813', 20, /after 4 attempts: slow down/));
  assert.equal(never.asked.length, 4);
});

test('a certificate for another key is WB-814', async () => {
  const other = await (await personSigner(stack)).sign(message('other'));
  const chain = [other.legacy.certificate, other.legacy.chain];
  const body = JSON.stringify({
    signedCertificateEmbeddedSct: { chain: { certificates: chain.slice(0, 1) } },
  });
  await assert.rejects(sign(through(paths.ca, answering(200, body))), refusedAs('WB-814', 20, /another key/));
});

test('a timestamp for another request is WB-814', async () => {
  let kept: Uint8Array | undefined;
  const replaying = through(paths.tsa, (answer) => {
    kept ??= answer.body;
    return { ...answer, body: kept };
  });
  const signer = signerOf(
    stack,
    { kind: 'token', token: () => stack.mint({ sub: ada, email: ada }) },
    { transport: replaying },
  );
  await signer.sign(message('first'));
  await assert.rejects(signer.sign(message('second')), refusedAs('WB-814', 20, /one for another/));
});

test('answers that are no answers are WB-814, naming the service', async () => {
  for (const [path, version] of [
    [paths.ca, 1],
    [paths.tsa, 1],
    [paths.log, 1],
    [paths.log2, 2],
  ] as const) {
    for (const body of ['', '<html>', '{}', '{"a":1,"a":2}']) {
      await assert.rejects(sign(through(path, answering(201, body)), version), refusedAs('WB-814', 20));
    }
  }
});

test('an entry about something else is not given out: WB-815 with the exit code of the log check', async () => {
  let other: Uint8Array | undefined;
  const swapping = through(paths.log, (answer) => {
    const mine = answer.body;
    const swapped = other ?? mine;
    other ??= mine;
    return { ...answer, body: swapped };
  });
  await sign(swapping);
  await assert.rejects(sign(swapping), refusedAs('WB-815', 15));
});

test('an entry whose promise was changed is not given out: WB-815', async () => {
  const lying = through(paths.log, (answer) => {
    const json = JSON.parse(utf8Text(answer.body)) as Record<string, { integratedTime: number }>;
    for (const entry of Object.values(json)) entry.integratedTime += 1;
    return { ...answer, body: utf8(JSON.stringify(json)) };
  });
  await assert.rejects(sign(lying), refusedAs('WB-815', 15));
});

test('an entry the log has already, from an attempt whose answer was lost, is taken', async () => {
  let lost = true;
  const losing = through(paths.log, (answer, request) => {
    const wasLost = lost;
    lost = false;
    return wasLost ? (answering(502, 'gone')(answer, request) as HttpResponse) : answer;
  });
  const signed = await sign(losing, 1, statement(toHex(sha256(utf8('lost')))));
  assert.equal(signed.entries.length, 1);
  assert.ok(
    losing.asked.some((path) => path.startsWith(`${paths.log}/`)),
    losing.asked.join(' '),
  );
});

test('a v2 log entry from an attempt whose answer was lost does not stop signing', async () => {
  let lost = true;
  const losing = through(paths.log2, (answer, request) => {
    const wasLost = lost;
    lost = false;
    return wasLost ? (answering(502, 'gone')(answer, request) as HttpResponse) : answer;
  });
  const signed = await sign(losing, 2, statement(toHex(sha256(utf8('lost too')))));
  assert.equal(signed.entries.length, 1);
});

test('an RSA key, whose signatures do not differ, is told why a v2 log refuses: WB-811', async () => {
  const signer = signerOf(stack, { kind: 'key', key: generateKey('rsa') }, { logVersion: 2 });
  await signer.sign(message('once'));
  await assert.rejects(signer.sign(message('once')), refusedAs('WB-811', 30, /does not hand out/));
});

test('a key of a kind logs do not take is refused before anything is asked: WB-818', () => {
  assert.throws(
    () => signerOf(stack, { kind: 'key', key: generateKey('rsa', 2560) }),
    refusedAs('WB-818', 3, /2560 bits/),
  );
});

test('a wait that the service names is kept to: seconds or a date; one beyond the budget ends at once', async () => {
  // The date is made when it is sent: whole seconds, so at least one and a half of them ahead.
  const soon = (): string => new Date(systemClock.now() + 2500).toUTCString();
  for (const wait of ['1', soon, '3600']) {
    let refusedAt = 0;
    const slow = through(paths.ca, (answer, request) => {
      if (refusedAt > 0) return answer;
      refusedAt = systemClock.now();
      const after = typeof wait === 'string' ? wait : wait();
      return answering(429, 'slow down', { 'retry-after': after })(answer, request) as HttpResponse;
    });
    const signed = sign(slow);
    if (wait === '3600') {
      await assert.rejects(signed, refusedAs('WB-813', 20, /after 1 attempts/));
      assert.ok(systemClock.now() - refusedAt < 5000);
    } else {
      await signed;
      assert.ok(systemClock.now() - refusedAt >= 900, `${wait}`);
    }
  }
});

const config = unwrap(parseSigningConfig(stack.published.signingConfig));
const chosen = (change: Partial<SigningConfig>) =>
  servicesFrom({ ...config, ...change }, { now: systemClock.now(), random: systemRandom });

test('services are chosen as the signing config says', () => {
  const services = chosen({});
  assert.equal(services.ca, stack.origins.ca);
  assert.deepEqual(services.logs, [{ url: stack.origins.log, version: 1 }]);
  assert.deepEqual(services.tsas, [`${stack.origins.tsa}/api/v1/timestamp`]);
  assert.throws(() => chosen({ rekorTlogUrls: [] }), refusedAs('WB-819', 3));
  const past = config.caUrls.map((service) => ({ ...service, validFor: { start: 0, end: 1 } }));
  assert.throws(() => chosen({ caUrls: past }), refusedAs('WB-168', 20));
});

test('services that cannot make a verifiable signature are refused: WB-819', async () => {
  const identity = { kind: 'token', token: await stack.mint({ sub: ada, email: ada }) } as const;
  const trustedRoot = (await import('../stack/helper.ts')).trustedRootOf(stack);
  const make = (services: Parameters<typeof createSigner>[0]['services']) => () =>
    createSigner({ ...wire, identity, services, trustedRoot });
  const { ca, log2 } = stack.origins;
  assert.throws(make({ ca, logs: [], tsas: [] }), refusedAs('WB-819', 3));
  assert.throws(make({ logs: [{ url: log2, version: 2 }], tsas: ['x'] }), refusedAs('WB-819', 3));
  assert.throws(make({ ca, logs: [{ url: log2, version: 2 }], tsas: [] }), refusedAs('WB-819', 3, /none/));
});

test('ALL signs into the logs of every operator, once each; EXACT wants as many as it says', async () => {
  const v2 = unwrap(parseSigningConfig(stack.published.signingConfigV2));
  const rekorTlogUrls = [
    ...config.rekorTlogUrls.map((log) => ({ ...log, operator: 'first' })),
    ...v2.rekorTlogUrls.map((log) => ({ ...log, operator: 'second' })),
    ...config.rekorTlogUrls.map((log) => ({ ...log, url: 'http://127.0.0.1:9', operator: 'second' })),
  ];
  for (const rekorTlogConfig of [{ selector: 'ALL' }, { selector: 'EXACT', count: 2 }] as const) {
    const services = chosen({ rekorTlogUrls, rekorTlogConfig });
    const signed = await signerOf(stack, { kind: 'key', key: generateKey('p256') }, { services }).sign(
      message('all'),
    );
    assert.deepEqual(signed.entries.map(({ version }) => version).toSorted(), ['0.0.1', '0.0.2']);
  }
  const three = { selector: 'EXACT', count: 3 } as const;
  assert.throws(() => chosen({ rekorTlogUrls, rekorTlogConfig: three }), refusedAs('WB-168', 20));
});
