/** What somebody changed in the folder of a log is a finding of `waybill log`, with its file: never advice about keys. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { generateKey, publicKeyPem } from '#base/crypto';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock } from '#platform/system';
import { checkpointSigner, openLog } from '#tlog';
import { waybillHere } from './here.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-log-findings-'));
after(() => rmSync(folder, { recursive: true }));
const key = generateKey('ed25519');
const [sound, pub] = [join(folder, 'sound'), join(folder, 'log.pub')];
writeFileSync(pub, publicKeyPem(key.publicKey));
const log = await openLog({
  store: embeddedLogStore({ directory: sound }),
  signer: checkpointSigner({ origin: 'log.example', signer: key }),
  clock: systemClock,
  create: true,
});
await Promise.all(Array.from({ length: 300 }, (_, i) => log.append(utf8(`entry ${i}`))));
await log.close();

/** Fsck of a copy of the log in which something was changed. */
async function fsck(change: (dir: string) => void, more: readonly string[] = []) {
  const dir = mkdtempSync(join(folder, 'copy-'));
  cpSync(sound, dir, { recursive: true });
  change(dir);
  const env = { HOME: folder };
  return { dir, ...(await waybillHere(['log', 'fsck', dir, '--public-key', pub, ...more], { env })) };
}

const rewrite = (file: string, change: (text: string) => string) => (dir: string) =>
  writeFileSync(join(dir, file), change(readFileSync(join(dir, file), 'utf8')));

test('an altered checkpoint is a finding with its file', async () => {
  assert.equal((await fsck(() => {})).code, 0);
  for (const change of [
    rewrite('checkpoint', (text) => text.replace('\n300\n', '\n299\n')),
    rewrite('checkpoint', (text) => text.replace('log.example', 'log.exampel')),
    rewrite('checkpoint', () => 'garbage'),
  ]) {
    const { code, stdout, stderr, dir } = await fsck(change);
    assert.equal(code, 2, stderr);
    assert.ok(stdout.includes(join(dir, 'checkpoint')), stdout);
  }
});

test('a file of --known that is no checkpoint of the log is a finding with its name, beside what else is found', async () => {
  const file = join(folder, 'known');
  writeFileSync(file, 'garbage');
  const { code, stdout } = await fsck(() => {}, ['--known', file]);
  assert.equal(code, 2);
  assert.ok(stdout.startsWith(`${file}: no checkpoint of log.example`), stdout);
});

/** Bytes a page, from the head of an SQLite file (fileformat2.html §1.3.2). */
function pageSize(path: string): number {
  const size = readFileSync(path).readUInt16BE(16);
  return size === 1 ? 65_536 : size;
}

test('a damaged database is a finding with its path, and what to do', async () => {
  for (const [file, hint] of [
    ['index.db', /nothing is lost/],
    ['staging.db', /backup/],
    ['lock.db', /backup/],
  ] as const) {
    // The head of the database, and that of its second page: what lies free within a page means nothing.
    for (const at of [0, pageSize(join(sound, file))]) {
      const { code, stdout, stderr, dir } = await fsck((copy) => {
        const bytes = readFileSync(join(copy, file));
        bytes.fill(0xff, at, at + 100);
        writeFileSync(join(copy, file), bytes);
      });
      assert.equal(code, 2, `${file} ${stdout} ${stderr}`);
      assert.ok(stdout.includes(join(dir, file)), stdout);
      assert.match(stdout, hint);
    }
  }
});

test('an index that was removed is made again from the log', async () => {
  const dir = mkdtempSync(join(folder, 'copy-'));
  cpSync(sound, dir, { recursive: true });
  rmSync(join(dir, 'index.db'));
  const again = await openLog({
    store: embeddedLogStore({ directory: dir }),
    signer: checkpointSigner({ origin: 'log.example', signer: key }),
    clock: systemClock,
  });
  assert.deepEqual((await again.check()).problems, []);
  await again.close();
});

test('a log that serves an altered checkpoint is a finding by URL too, of fsck and of monitor', async () => {
  const server = createServer((request, response) => {
    const path = join(sound, request.url ?? '');
    const isThere = existsSync(path) && statSync(path).isFile();
    const bytes = isThere ? readFileSync(path) : Buffer.alloc(0);
    const text = bytes.toString().replace('\n300\n', '\n301\n');
    response.writeHead(isThere ? 200 : 404).end(request.url === '/checkpoint' ? text : bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  try {
    for (const verb of ['fsck', 'monitor']) {
      const found = await waybillHere(['log', verb, url, '--public-key', pub], { env: { HOME: folder } });
      assert.equal(found.code, 2, found.stderr);
      assert.ok(found.stdout.startsWith(`${url}/checkpoint is altered`), found.stdout);
    }
  } finally {
    server.close();
  }
});
