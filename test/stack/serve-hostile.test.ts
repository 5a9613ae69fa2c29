/** Every station against clients that lie, dawdle or climb: nothing is kept of it, nothing leaks, others are served. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { startConstellation } from './serve-fixture.ts';

const times = { headers: 2000, request: 4000, look: 50 };
const world = await startConstellation(() => ({ times, admin: { host: '127.0.0.1', port: 0 } }));
after(() => world.close());

/** Where each takes a body. */
const writes: Readonly<Record<string, string>> = {
  oidc: '/token',
  ct: '/ct/v1/add-pre-chain',
  ca: '/api/v2/signingCert',
  log: '/api/v1/log/entries',
  log2: '/api/v2/log/entries',
  tsa: '/api/v1/timestamp',
  registry: '/v2/a/manifests/latest',
  tuf: '/timestamp.json',
};

/** Writes `parts` until the server closes the connection; what it answered. */
function talk(origin: string, parts: Iterable<string>, gapMs = 5): Promise<string> {
  const { port } = new URL(origin);
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1');
    let answer = '';
    const iterator = parts[Symbol.iterator]();
    const timer = setInterval(() => {
      const { value, done } = iterator.next();
      if (done !== true && socket.writable) socket.write(value, 'latin1');
    }, gapMs);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      resolve(answer);
    });
  });
}

function* forever(first: string, part: string): Generator<string> {
  yield first;
  for (;;) yield part;
}

const post = (path: string, ...lines: string[]): string =>
  `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n${lines.join('')}\r\n`;
const chunk = `1000\r\n${'a'.repeat(4096)}\r\n`;

const attacks: Readonly<Record<string, (path: string) => Iterable<string>>> = {
  'an endless body': (path) => forever(post(path, 'transfer-encoding: chunked\r\n'), chunk.repeat(64)),
  'a slow body': (path) => forever(post(path, 'content-length: 5000\r\n'), '{'),
  'slow headers': (path) => forever(`POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n`, 'a'),
  'two lengths': (path) => [`${post(path, 'content-length: 1\r\n', 'content-length: 2\r\n')}{}`],
  'a length and chunks': (path) => [
    `${post(path, 'content-length: 4\r\n', 'transfer-encoding: chunked\r\n')}0\r\n\r\n`,
  ],
  'an address of 100 kB': (path) => [`GET ${path}?${'a'.repeat(100_000)} HTTP/1.1\r\nhost: x\r\n\r\n`],
};

const climbs = [
  '/../../../../etc/passwd',
  '/%2e%2e/%2e%2e/keys/log.key',
  '/targets/..%2f..%2fkeys%2froot-1.key',
  '/tile/../../keys/log.key',
  '/api/v2/tile/../../../keys/log.key',
  '/issuer/..%2f..%2fkeys%2flog.key',
  '/v2/../keys/manifests/log.key',
  '/v2/a/blobs/sha256:..%2f..%2f..%2fstation.json',
  '/.station.json',
  '/station.json%00.json',
  '//etc/passwd',
];

const sizeOf = async (name: string): Promise<number> => {
  const { adminOrigin } = world.stations.get(name)!;
  const text = await (await fetch(`${adminOrigin}/metrics`)).text();
  return Number(/^waybill_\w+_tree_size (\d+)$/m.exec(text)?.[1]);
};

const attacked = async (name: string, path: string): Promise<readonly (readonly [string, string])[]> => {
  const { origin } = world.stations.get(name)!;
  return Promise.all(
    Object.entries(attacks).map(
      async ([attack, parts]) => [attack, await talk(origin, parts(path))] as const,
    ),
  );
};
/** All at the same time: most of it is waiting. */
const underAttack = new Map(Object.entries(writes).map(([name, path]) => [name, attacked(name, path)]));

for (const name of Object.keys(writes)) {
  test(`${name}: what is sent wrongly is refused or cut off, and the next request is served`, async () => {
    const { origin } = world.stations.get(name)!;
    const answers = (await underAttack.get(name)) ?? [];
    assert.equal(answers.length, Object.keys(attacks).length);
    for (const [attack, answer] of answers) {
      // The route may refuse before it has read: then that is the answer, and the connection ends.
      assert.doesNotMatch(answer, /^HTTP\/1\.1 (?:2|3|5)/, `${attack}: ${answer.slice(0, 200)}`);
      assert.doesNotMatch(answer, /\bat .*\.ts:\d+/, `${attack}: a stack trace`);
    }
    assert.equal((await fetch(`${origin}/readyz`)).status, 200);
  });

  test(`${name}: no path leads out of what it serves`, async () => {
    const { origin } = world.stations.get(name)!;
    for (const climb of climbs) {
      const answer = await talk(origin, [
        `GET ${climb} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`,
      ]);
      assert.match(answer, /^HTTP\/1\.1 40\d /, `${climb}: ${answer.slice(0, 200)}`);
      assert.doesNotMatch(answer, /PRIVATE KEY|root:x:|"keys"/, climb);
      assert.match(answer, /x-content-type-options: nosniff/i, climb);
    }
  });
}

test('nothing of it is in a log, and the stations still sign together', async () => {
  for (const name of ['ct', 'log', 'log2']) assert.equal(await sizeOf(name), 0, name);
  const bytes = new TextEncoder().encode('after all that');
  const signed = await (await world.signer()).sign({ kind: 'message', bytes });
  assert.equal(signed.verdict.outcome, 'accepted');
  assert.equal(await sizeOf('log'), 1);
});
