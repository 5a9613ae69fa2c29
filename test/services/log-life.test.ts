/** The log service over restarts, and while its store fails. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, sha256 } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { createHttpServer, listen } from '#platform/http-server';
import { memoryLogStore } from '#platform/store-memory';
import { createLog, type LogConfig, registerLog } from '#services/log';
import { FaultyStore } from '../tlog/fixture.ts';
import { call, HOSTNAME, pemOfKey, quiet, START_MS, startLog } from './log-fixture.ts';

const key = generateKey('p256');
const signatures = new Map<string, string>();

function request(artifact: string) {
  const content = signatures.get(artifact) ?? toBase64(key.sign(utf8(artifact)));
  signatures.set(artifact, content);
  return {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm: 'sha256', value: toHex(sha256(utf8(artifact))) } },
      signature: { content, publicKey: { content: toBase64(utf8(pemOfKey(key))) } },
    },
  };
}

const digestOf = (artifact: string): string => `sha256:${toHex(sha256(utf8(artifact)))}`;

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-log-'));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('entries, promises, search and deduplication survive a restart, and a lost search index too', async () => {
  await withFolder(async (folder) => {
    const first = await startLog('v1', folder);
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) => call(`${first.url}/api/v1/log/entries`, request(`${i}`))),
    );
    assert.ok(answers.every((answer) => answer.status === 201));
    await first.close();
    for (const loseIndex of [false, true]) {
      if (loseIndex) {
        for (const file of readdirSync(folder)) if (file.startsWith('search.db')) rmSync(join(folder, file));
      }
      const log = await startLog('v1', folder);
      log.clock.advance(60_000);
      for (const answer of [answers[0], answers[299]]) {
        const [[id, before]] = Object.entries(answer?.json) as [
          [string, { integratedTime: number; body: string }],
        ];
        const { json } = await call(`${log.url}/api/v1/log/entries/${id}`);
        assert.equal(json[id].body, before.body);
        assert.equal(json[id].integratedTime, before.integratedTime);
        assert.equal(json[id].verification.inclusionProof.treeSize, 300);
      }
      assert.deepEqual(await log.service.find([digestOf('7')]), [
        answers[7]?.json[Object.keys(answers[7].json)[0] as string].logIndex,
      ]);
      assert.equal((await log.service.coverage()).treeSize, 300);
      assert.equal((await call(`${log.url}/api/v1/log/entries`, request('17'))).status, 409);
      await log.close();
    }
  });
});

test('a search index of another log is thrown away', async () => {
  await withFolder(async (folder) => {
    const other = await startLog('v1', join(folder, 'a'));
    await call(`${other.url}/api/v1/log/entries`, request('1'));
    assert.deepEqual(await other.service.find([digestOf('1')]), [0]);
    await other.close();
    for (const file of readdirSync(join(folder, 'a'))) {
      if (!file.startsWith('search.db')) rmSync(join(folder, 'a', file), { recursive: true });
    }
    const log = await startLog('v1', join(folder, 'a'));
    assert.deepEqual(await log.service.find([digestOf('1')]), []);
    await log.close();
  });
});

test('an entry is answered by 503 when it cannot be made durable, and logged when it is sent again', async () => {
  const faulty = new FaultyStore(memoryLogStore(), 0, 'before');
  await withStore(faulty, async (url) => {
    faulty.arm(2);
    const failed = await call(`${url}/api/v1/log/entries`, request('x'));
    assert.deepEqual([faulty.fired, failed.status, failed.json.code], ['stage', 503, 503]);
    assert.match(failed.json.message, /WB-403/);
    assert.equal(failed.headers.get('retry-after'), '1');
    assert.equal((await call(`${url}/healthz`)).status, 200);
    assert.equal((await call(`${url}/api/v1/log/entries`, request('x'))).status, 201);
  });
});

test('a log that cannot tell what was stored stops, says so, and still serves what it published', async () => {
  const faulty = new FaultyStore(memoryLogStore(), 0, 'before');
  await withStore(faulty, async (url) => {
    await call(`${url}/api/v1/log/entries`, request('x'));
    faulty.arm(4);
    const failed = await call(`${url}/api/v1/log/entries`, request('y'));
    assert.deepEqual([faulty.fired, failed.status], ['swap', 503]);
    assert.match(failed.json.message, /WB-404/);
    const later = await call(`${url}/api/v1/log/entries`, request('z'));
    assert.deepEqual([later.status, /WB-405/.test(later.json.message)], [503, true]);
    assert.equal((await call(`${url}/healthz`)).status, 503);
    assert.equal((await call(`${url}/api/v1/log/entries?logIndex=0`)).status, 200);
  });
});

async function withStore(faulty: FaultyStore, body: (url: string) => Promise<void>): Promise<void> {
  const service = await createLog(configOf({ store: faulty.store }));
  const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 });
  registerLog(app, service, quiet);
  try {
    await body(await listen(app, '127.0.0.1', 0));
  } finally {
    await app.close();
    await service.close();
  }
}

function configOf(more: Partial<LogConfig>): LogConfig {
  const clock = new FixedClock(START_MS);
  return { api: 'v1', hostname: HOSTNAME, key, clock, log: quiet, create: true, ...more };
}

test('configurations whose promises nobody could verify are refused', async () => {
  const cases: readonly Partial<LogConfig>[] = [
    { key: generateKey('ed25519') },
    { api: 'v2' },
    { key: generateKey('p384') },
    { hostname: 'https://log.example' },
    { hostname: 'log.example:3000' },
    { hostname: '' },
    { treeId: '0' },
    { treeId: '0x10' },
    { treeId: String(2n ** 63n) },
  ];
  for (const more of cases) {
    await assert.rejects(
      createLog(configOf(more)),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-1036',
      JSON.stringify(more),
    );
  }
  const service = await createLog(configOf({ treeId: String(2n ** 63n - 1n) }));
  assert.equal(service.origin, `${HOSTNAME} - 9223372036854775807`);
  await service.close();
});
