/** What the rows LGS-… of the corpus ask beyond the tests of the log engine and of the log's API. */
import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { after, test } from 'node:test';
import { toBase64, utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, publicKeyPem, sha256 } from '#base/crypto';
import { encodeEntryBundle } from '#formats/tiles';
import { createHttpServer, listen } from '#platform/http-server';
import { memoryLogStore } from '#platform/store-memory';
import { createLog, registerLog } from '#services/log';
import { POOL_ENTRIES_MAX } from '#tlog';
import { call, HOSTNAME, quiet, START_MS, startLog, withLog } from '../../services/log-fixture.ts';

const signer = generateKey('p256');

const v2 = (artifact: string): object => ({
  hashedRekordRequestV002: {
    digest: toBase64(sha256(utf8(artifact))),
    signature: {
      content: toBase64(signer.sign(utf8(artifact))),
      verifier: {
        publicKey: { rawBytes: toBase64(signer.publicKey.spki) },
        keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      },
    },
  },
});
const v1 = (artifact: string, more: object = {}): object => ({
  apiVersion: '0.0.1',
  kind: 'hashedrekord',
  spec: {
    data: { hash: { algorithm: 'sha256', value: Buffer.from(sha256(utf8(artifact))).toString('hex') } },
    signature: {
      content: toBase64(signer.sign(utf8(artifact))),
      publicKey: { content: toBase64(utf8(publicKeyPem(signer.publicKey))) },
      ...more,
    },
  },
});
const entriesOf = (url: string, api: 'v1' | 'v2'): string => `${url}/api/${api}/log/entries`;

for (const api of ['v1', 'v2'] as const) {
  test(`LGS-05: the same entry a hundred times at once over API ${api} is one entry, and every answer is about it`, async () => {
    await withLog(api, async ({ url, service }) => {
      // Signed once: an ECDSA signature differs each time.
      const body = JSON.stringify(api === 'v1' ? v1('same') : v2('same'));
      const answers = await Promise.all(Array.from({ length: 100 }, () => call(entriesOf(url, api), body)));
      assert.equal(service.log.tree.size, 1);
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201, 409]));
      assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    });
  });
}

/** Writes bytes as they are; everything that is answered until the connection ends or `idleMs` of silence. */
function raw(url: string, text: string, idleMs = 60_000): Promise<string> {
  const { port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(text, 'latin1'));
    let answer = '';
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on('data', (part) => {
      answer += part.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}
const statuses = (answer: string): string[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status as string);

test('LGS-07: requests in a pipeline are answered each in its turn, and none is read out of the body of another', async () => {
  await withLog('v2', async ({ url, service }) => {
    const get = (path: string, ...lines: string[]): string =>
      [`GET ${path} HTTP/1.1`, 'host: x', ...lines, '', ''].join('\r\n');
    const last = 'connection: close';
    const post = (body: string, ...lines: string[]): string =>
      [
        'POST /api/v2/log/entries HTTP/1.1',
        'host: x',
        'content-type: application/json',
        ...lines,
        '',
        body,
      ].join('\r\n');
    const entry = JSON.stringify(v2('in a pipeline'));
    const good = post(entry, `content-length: ${entry.length}`);
    assert.deepEqual(statuses(await raw(url, get('/healthz') + good + get('/nothing', last))), [
      '200',
      '201',
      '404',
    ]);
    assert.equal(service.log.tree.size, 1);
    const smuggled = post(entry.replace('{', ' {'), `content-length: ${entry.length + 1}`);
    // What stands in a body is a body, also when it looks like a request.
    const inside = post(smuggled, `content-length: ${smuggled.length}`);
    assert.deepEqual(statuses(await raw(url, inside + get('/healthz', last))), ['400', '200']);
    for (const lines of [
      ['content-length: 4', 'transfer-encoding: chunked'],
      ['transfer-encoding: chunked', 'content-length: 4'],
      ['transfer-encoding : chunked'],
      ['transfer-encoding: xchunked'],
      ['content-length: +4'],
      ['content-length: 4, 4'],
    ]) {
      const answer = statuses(await raw(url, post(`0\r\n\r\n${smuggled}`, ...lines)));
      assert.deepEqual(answer, ['400'], `${lines.join(' and ')}: one refusal, then nothing`);
    }
    assert.equal(service.log.tree.size, 1, 'nothing came in that way');
  });
});

test('LGS-07: three hundred idle connections keep nobody waiting', async () => {
  const log = await startLog('v2');
  const { port } = new URL(log.url);
  const idle = await Promise.all(
    Array.from(
      { length: 300 },
      () =>
        new Promise<ReturnType<typeof connect>>((resolve) => {
          const socket = connect(Number(port), '127.0.0.1', () => resolve(socket));
          socket.on('error', () => {});
        }),
    ),
  );
  try {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => call(entriesOf(log.url, 'v2'), v2(`beside ${i}`))),
    );
    assert.ok(answers.every(({ status }) => status === 201));
    assert.equal(log.service.log.tree.size, 50);
  } finally {
    for (const socket of idle) socket.destroy();
    await log.close();
  }
});

test('LGS-08: an address in a request is refused, and nobody dials it', async () => {
  let dialled = 0;
  const trap = createServer((socket) => {
    dialled++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  after(() => trap.close());
  const url = `http://127.0.0.1:${(trap.address() as { port: number }).port}/x`;
  await withLog('v1', async (log) => {
    const plain = v1('x') as { spec: { data: object; signature: object } };
    const bodies: Readonly<Record<string, object>> = {
      'an artifact': { ...plain, spec: { ...plain.spec, data: { url, ...plain.spec.data } } },
      'an artifact without its hash': { ...plain, spec: { ...plain.spec, data: { url } } },
      'a key': v1('x', { publicKey: { url } }),
      'a key beside its content': v1('x', {
        publicKey: { url, content: toBase64(utf8(publicKeyPem(signer.publicKey))) },
      }),
      'a signature': v1('x', { url }),
      'a rekord': {
        ...{ apiVersion: '0.0.1', kind: 'rekord' },
        spec: { data: { url }, signature: { format: 'x509', url, publicKey: { url } } },
      },
    };
    for (const [what, body] of Object.entries(bodies)) {
      const answer = await call(entriesOf(log.url, 'v1'), body);
      assert.equal(answer.status, 400, `${what}: ${answer.text}`);
    }
    assert.equal(log.service.log.tree.size, 0);
  });
  assert.equal(dialled, 0);
});

test('LGS-10: beyond what may wait a request is 503 with Retry-After; what waited is logged, and the log goes on', async () => {
  const store = memoryLogStore();
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  let isHeld = true;
  const held = {
    ...store,
    stage: async (...args: Parameters<typeof store.stage>) => {
      if (isHeld) await gate;
      return store.stage(...args);
    },
  };
  const service = await createLog({
    ...{ api: 'v2', hostname: HOSTNAME, key: generateKey('ed25519'), clock: new FixedClock(START_MS) },
    ...{ log: quiet, store: held, create: true },
  });
  const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 });
  registerLog(app, service, quiet);
  const url = await listen(app, '127.0.0.1', 0);
  try {
    const results: Promise<unknown>[] = [];
    for (let i = 0; service.log.waiting < POOL_ENTRIES_MAX && i < 2 * POOL_ENTRIES_MAX + 600; i++) {
      results.push(service.log.append(utf8(`waiting ${i}`)).catch(() => 'refused'));
      if (i % 512 === 511) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(service.log.waiting, POOL_ENTRIES_MAX);
    const refused = await Promise.all(
      Array.from({ length: 20 }, (_, i) => call(entriesOf(url, 'v2'), v2(`too many ${i}`))),
    );
    for (const { status, headers, json } of refused) {
      assert.deepEqual([status, headers.get('retry-after')], [503, '1']);
      assert.match(json.message, /WB-402/);
    }
    assert.equal(service.log.waiting, POOL_ENTRIES_MAX, 'a refusal takes no room');
    isHeld = false;
    open();
    assert.equal((await Promise.all(results)).filter((one) => one === 'refused').length, 0);
    assert.equal(service.log.tree.size, results.length);
    assert.equal((await call(entriesOf(url, 'v2'), v2('afterwards'))).status, 201);
  } finally {
    isHeld = false;
    open();
    await app.close();
    await service.close();
  }
});

test('LGS-12: a partial tile stays what it was while the tree grows past it, and a range gives no other bytes', async () => {
  await withLog('v2', async ({ url, service }) => {
    const at = (path: string, headers: Record<string, string> = {}) =>
      fetch(`${url}/api/v2/${path}`, { headers });
    const bytes = async (path: string): Promise<Buffer> => Buffer.from(await (await at(path)).arrayBuffer());
    const append = (from: number, count: number) =>
      Promise.all(Array.from({ length: count }, (_, i) => service.log.append(utf8(`entry ${from + i}`))));
    await append(0, 200);
    const [tile, entries] = [await bytes('tile/0/000.p/200'), await bytes('tile/entries/000.p/200')];
    let isReading = true;
    const reading = (async () => {
      const seen = new Set<string>();
      while (isReading) {
        const answer = await at('tile/0/000.p/200');
        seen.add(answer.status === 200 ? Buffer.from(await answer.arrayBuffer()).toString('hex') : 'gone');
      }
      return seen;
    })();
    await append(200, 100);
    isReading = false;
    for (const one of await reading) assert.ok(one === tile.toString('hex') || one === 'gone');
    const full = await bytes('tile/0/000');
    assert.equal(full.length, 256 * 32);
    assert.ok(full.subarray(0, tile.length).equals(tile), 'the full tile begins with the partial one');
    assert.ok((await bytes('tile/entries/000')).subarray(0, entries.length).equals(entries));
    assert.deepEqual(
      entries,
      Buffer.from(encodeEntryBundle(Array.from({ length: 200 }, (_, i) => utf8(`entry ${i}`)))),
    );
    for (const range of ['bytes=0-31', 'bytes=9000-', 'bytes=-32', 'bytes=0-1,4-5', 'bytes=x']) {
      const answer = await at('tile/0/000', { range });
      const body = Buffer.from(await answer.arrayBuffer());
      if (answer.status === 200) assert.ok(body.equals(full), range);
      else assert.equal(answer.status, 416, range);
    }
  });
});
