import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createHttpServer } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';
import { registerTufFolder } from '#services/tuf';

const HASH = 'ab'.repeat(32);

test('a folder is served below targets/ and at its top, and nothing beside it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-tuf-folder-'));
  const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 1024 });
  try {
    await mkdir(join(folder, 'copy/targets/host.example'), { recursive: true });
    await writeFile(join(folder, 'secret.json'), 'secret');
    await writeFile(join(folder, 'copy/timestamp.json'), '{}');
    await writeFile(join(folder, 'copy/.hidden.json'), '{}');
    await writeFile(join(folder, 'copy/targets/host.example', `${HASH}.keys.json`), '{"k":1}');
    registerTufFolder(app, join(folder, 'copy'));
    const get = (url: string) => app.inject({ method: 'GET', url });
    const timestamp = await get('/timestamp.json');
    assert.equal(timestamp.statusCode, 200);
    assert.equal(timestamp.headers['cache-control'], 'no-cache');
    assert.equal((await get(`/targets/host.example/${HASH}.keys.json`)).body, '{"k":1}');
    const hostile = [
      '/../secret.json',
      '/targets/../../secret.json',
      '/targets/%2e%2e/%2e%2e/secret.json',
      '/targets/..%2f..%2fsecret.json',
      '/.hidden.json',
      '/copy/timestamp.json',
      '/targets',
      '/targets/host.example',
    ];
    for (const url of hostile) assert.equal((await get(url)).statusCode, 404, url);
  } finally {
    await app.close();
    await rm(folder, { recursive: true, force: true });
  }
});
