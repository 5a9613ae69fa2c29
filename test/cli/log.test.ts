/** `waybill log` and `waybill witness` as people run them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { toBase64, utf8 } from '#base/bytes';
import { generateKey, publicKeyPem, sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { formatVerifierKey, parseVerifierKey } from '#formats/cosignature';
import { httpTransport } from '#platform/http-client';
import { createHttpServer, listen } from '#platform/http-server';
import { systemClock } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createLog, registerLog } from '#services/log';
import { cosignWith, parseWitnessPolicy } from '#tlog';
import { assertRefused, folder, plainEnv, waybill } from './child.ts';

const key = generateKey('ed25519');
const signer = generateKey('p256');
const quiet = createLogger('test', 'silent');
writeFileSync(join(folder, 'log.pub'), publicKeyPem(key.publicKey));
writeFileSync(join(folder, 'log.key'), key.exportPem());
const withKey = ['--public-key', join(folder, 'log.pub')];

async function startLog(dataDir: string, more: object = {}) {
  const config = {
    api: 'v2' as const,
    hostname: 'log.example',
    key,
    dataDir,
    create: true,
    clock: systemClock,
    log: quiet,
  };
  const service = await createLog({ ...config, ...more });
  const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 });
  registerLog(app, service, quiet);
  const url = `${await listen(app, '127.0.0.1', 0)}/api/v2`;
  const close = async (): Promise<void> => {
    await app.close();
    await service.close();
  };
  return { url, close };
}

async function write(url: string, artifact: string): Promise<Response> {
  const content = toBase64(signer.sign(utf8(artifact)));
  const publicKey = { rawBytes: toBase64(signer.publicKey.spki) };
  const signature = { content, verifier: { publicKey, keyDetails: 'PKIX_ECDSA_P256_SHA_256' } };
  const body = JSON.stringify({
    hashedRekordRequestV002: { digest: toBase64(sha256(utf8(artifact))), signature },
  });
  return fetch(`${url}/log/entries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
}

test('fsck proves a log by URL and by folder, names what is wrong, and freeze ends it', async () => {
  const dir = join(folder, 'tree');
  const log = await startLog(dir);
  for (const part of [0, 1]) {
    const sent = Array.from({ length: 150 }, (_, i) => write(log.url, `${part}-${i}`));
    assert.ok((await Promise.all(sent)).every((answer) => answer.status === 201));
  }
  const byUrl = await waybill(['log', 'fsck', log.url, ...withKey]);
  assert.deepEqual([byUrl.code, byUrl.stdout], [0, `${log.url}: 300 entries, all as the checkpoint says\n`]);
  await log.close();
  const sound = await waybill(['log', 'fsck', dir, ...withKey, '--json']);
  assert.equal(sound.code, 0, sound.stderr);
  assert.deepEqual((JSON.parse(sound.stdout) as { size: number }).size, 300);
  const path = join(dir, 'tile/entries/000');
  const bytes = readFileSync(path);
  const changed = Buffer.from(bytes);
  changed[40]! ^= 1;
  writeFileSync(path, changed);
  const rotten = await waybill(['log', 'fsck', dir, ...withKey]);
  assert.equal(rotten.code, 2);
  assert.match(rotten.stdout, /is not what the entries hash to/);
  writeFileSync(path, bytes);
  const frozen = await waybill(['log', 'freeze', dir, '--key', join(folder, 'log.key')]);
  assert.equal(frozen.code, 0, frozen.stderr);
  assert.match(frozen.stdout, /^log\.example\n300\n[^\n]+\nfrozen\n/);
  const again = await startLog(dir);
  const refused = await write(again.url, 'late');
  assert.equal(refused.status, 405);
  assert.match(await refused.text(), /WB-413/);
  assert.match(await (await fetch(`${again.url}/checkpoint`)).text(), /\nfrozen\n/);
  await again.close();
  assert.equal((await waybill(['log', 'fsck', dir, ...withKey])).code, 0);
});

test('a log is frozen by a key that a program holds; one that signs nothing leaves it as it was', async () => {
  const dir = join(folder, 'held');
  const log = await startLog(dir);
  assert.equal((await write(log.url, 'a')).status, 201);
  await log.close();
  const program = join(import.meta.dirname, '../sign/fake-signer.ts');
  const held = (mode: string, ...more: readonly string[]) => {
    const args = [program, join(folder, 'log.key'), mode].flatMap((arg) => ['--signer-arg', arg]);
    return waybill(['log', 'freeze', dir, '--signer', process.execPath, ...args, ...more]);
  };
  for (const wrong of [
    ['--key', join(folder, 'log.key')],
    ['--signer-key', 'tsa=k'],
    ['--signer-key', 'k'],
  ]) {
    assertRefused(await held('good', ...wrong), { exit: 3, code: 'WB-1305' });
  }
  assertRefused(await waybill(['log', 'freeze', dir]), { exit: 3, code: 'WB-1305' });
  assertRefused(await held('good', '--signer-key', 'log=x'), { exit: 20, code: 'WB-823' });
  assertRefused(await held('refuses', '--signer-key', 'log=k'), { exit: 20, code: 'WB-823' });
  const open = await startLog(dir);
  assert.equal((await write(open.url, 'b')).status, 201);
  await open.close();
  const frozen = await held('good', '--signer-key', 'log=k');
  assert.equal(frozen.code, 0, frozen.stderr);
  assert.match(frozen.stdout, /^log\.example\n2\n[^\n]+\nfrozen\n/);
  assert.equal((await waybill(['log', 'fsck', dir, ...withKey])).code, 0);
});

test('fsck of a folder without a log, and with another key, is refused and leaves the folder alone', async () => {
  assertRefused(await waybill(['log', 'fsck', join(folder, 'nothing'), ...withKey]), {
    exit: 3,
    code: 'WB-1305',
  });
  writeFileSync(join(folder, 'other.pub'), publicKeyPem(generateKey('ed25519').publicKey));
  const other = await waybill([
    'log',
    'fsck',
    join(folder, 'tree'),
    '--public-key',
    join(folder, 'other.pub'),
  ]);
  assertRefused(other, { exit: 3, code: 'WB-408' });
});

test('a monitor keeps its place, names watched entries, and exits 2 when the log is another', async () => {
  const dir = join(folder, 'watched');
  const first = await startLog(dir);
  await write(first.url, 'a');
  const kept = ['--state', join(folder, 'state.json'), '--checkpoints', join(folder, 'seen.jsonl')];
  const words = ['--identity', 'nobody@example.com', ...withKey, ...kept];
  assert.equal((await waybill(['log', 'monitor', first.url, ...words])).code, 0);
  await write(first.url, 'b');
  const second = await waybill(['log', 'monitor', first.url, ...words]);
  assert.equal(second.stdout, `${first.url}: 2 entries\n`);
  assert.equal(readFileSync(join(folder, 'seen.jsonl'), 'utf8').trim().split('\n').length, 2);
  await first.close();
  rmSync(dir, { recursive: true });
  const forked = await startLog(dir);
  for (const artifact of ['x', 'y', 'z']) await write(forked.url, artifact);
  const found = await waybill(['log', 'monitor', forked.url, ...words]);
  assert.equal(found.code, 2);
  assert.match(found.stdout, /a fork or rot/);
  await forked.close();
});

test('waybill witness cosigns what a log publishes, and ends at a signal', async () => {
  const logKey = formatVerifierKey('log.example', key.publicKey, 'log');
  const args = ['witness', '--dir', join(folder, 'w'), '--name', 'w.example', '--log', logKey];
  const child = spawn(resolve('bin/waybill'), [...args, '--listen', '127.0.0.1:0', '--json'], {
    env: plainEnv,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const line = await new Promise<string>((done) =>
      createInterface({ input: child.stdout }).once('line', done),
    );
    const { origin, verifierKey } = JSON.parse(line) as { origin: string; verifierKey: string };
    assert.equal(unwrap(parseVerifierKey(verifierKey)).kind, 'witness');
    const policy = unwrap(parseWitnessPolicy(`witness W ${verifierKey} ${origin}\nquorum W\n`));
    const cosign = cosignWith({ policy, transport: httpTransport(), mode: 'closed' });
    const log = await startLog(join(folder, 'cosigned'), { cosign });
    assert.equal((await write(log.url, 'a')).status, 201);
    assert.match(await (await fetch(`${log.url}/checkpoint`)).text(), /— w\.example /);
    await log.close();
  } finally {
    const ended = new Promise((done) => child.once('close', done));
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
  }
});
