/**
 * One certificate log of three processes over a real PostgreSQL and a real object store: under load, while its
 * sequencer is killed, and as the page for operators starts it.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { publicKeyFromPem } from '#base/crypto';
import { unwrap } from '#base/result';
import { run } from '#platform/process';
import { startPostgres } from '../double/postgres.ts';
import { freePortBase } from '../free-ports.ts';
import {
  type Promised,
  precertificate,
  requireLogged,
  rootPem,
  submit,
  submitUntilTaken,
} from '../stack/ct-load.ts';
import { temporaryFolder } from '../stack/serve-fixture.ts';
import { startVersitygw } from './versitygw-server.ts';

const { bucketOptions } = await startVersitygw('tiles');
const postgres = await startPostgres();
const dir = await temporaryFolder();
const children: ChildProcess[] = [];
const endings: Promise<unknown>[] = [];
after(async () => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  await Promise.all(endings);
  await postgres.stop();
  await rm(dir, { recursive: true, force: true });
});

const { endpoint = '' } = bucketOptions('');
const env = {
  ...process.env,
  WAYBILL_STATE_DIR: join(dir, 'state'),
  ...{ AWS_ACCESS_KEY_ID: 'access', AWS_SECRET_ACCESS_KEY: 'secret' },
};
const objects = (prefix: string): string => `s3://tiles/${prefix}?endpoint=${encodeURIComponent(endpoint)}`;
const bin = resolve('bin/waybill');
const name = 'ct.example/2026';
await writeFile(join(dir, 'roots.pem'), rootPem);
const log = [
  ...['--name', name, '--root', join(dir, 'roots.pem')],
  ...['--store', postgres.url, '--objects', objects('ct')],
];

interface Up {
  readonly child: ChildProcess;
  readonly origin: string;
}

/** Starts `serve ct` and resolves with what it prints when it is ready. */
function up(folder: string, role: string): Promise<Up> {
  const args = ['serve', 'ct', '--json', '--data', join(dir, folder), ...log];
  const child = spawn(bin, [...args, '--role', role, '--listen', '127.0.0.1:0'], { env });
  children.push(child);
  let [out, errors] = ['', ''];
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  endings.push(ended);
  return new Promise((done, fail) => {
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes('\n')) done({ child, origin: (JSON.parse(out) as { origin: string }).origin });
    });
    void ended.then((code) => fail(new Error(`ended with ${code}: ${errors}${out}`)));
  });
}

test('two front ends lose and double nothing while the sequencer is killed under load', async (t) => {
  const sequencer = await up('one', 'sequencer');
  for (const folder of ['two', 'three']) {
    await mkdir(join(dir, folder, 'keys'), { recursive: true, mode: 0o700 });
    await copyFile(join(dir, 'one', 'keys', 'log.key'), join(dir, folder, 'keys', 'log.key'));
  }
  const origins = [(await up('two', 'front')).origin, (await up('three', 'all')).origin];
  const pem = await readFile(join(dir, 'one', 'public', 'ctfe.pub'), 'utf8');
  const log = { name, publicKey: unwrap(publicKeyFromPem(pem)) };
  const promised: Promised[] = [];
  let sent = 0;
  let killed = 0;
  const client = async (number: number): Promise<void> => {
    // Every tenth is sent again, by way of the other front end.
    for (let i = 0; i < 40; i++) {
      const precert = precertificate(number * 36 + (i % 36));
      sent++;
      promised.push(await submitUntilTaken(origins, precert, number + i));
      if (promised.length >= 300 && killed === 0) {
        killed = promised.length;
        sequencer.child.kill('SIGKILL');
      }
    }
  };
  await Promise.all(Array.from({ length: 32 }, (_, number) => client(number)));
  assert.ok(killed > 0 && killed < sent, `killed after ${killed} of ${sent}`);
  assert.equal(promised.length, sent);
  await requireLogged(origins, log, promised);
  t.diagnostic(`${sent} requests of 32 clients, ${32 * 36} entries, killed after ${killed}`);
});

test('it is frozen when nobody sequences it, and only then; its front ends go on answering', async () => {
  const freeze = () =>
    run(
      bin,
      [
        ...['log', 'freeze', postgres.url, '--objects', objects('ct')],
        ...['--key', join(dir, 'one', 'keys', 'log.key')],
      ],
      { env, timeoutMs: 60_000 },
    );
  const early = await freeze();
  assert.equal(early.code, 3, early.stderr);
  assert.match(early.stderr, /WB-1224/);
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(endings);
  const frozen = await freeze();
  assert.equal(frozen.code, 0, frozen.stderr);
  const [, size] = /^ct\.example\/2026\n(\d+)\n[^\n]+\nfrozen\n/.exec(frozen.stdout.toString()) ?? [];
  assert.equal(size, `${32 * 36}`);
  const { origin } = await up('two', 'all');
  const head = await (await fetch(`${origin}/ct/v1/get-sth`)).json();
  assert.equal((head as { tree_size: number }).tree_size, 32 * 36);
  const known = await submit(origin, precertificate(0));
  assert.notEqual(
    typeof known,
    'number',
    `a promise that was given is given again, not ${JSON.stringify(known)}`,
  );
  assert.equal(typeof (await submit(origin, precertificate(100_000))), 'number');
});

test('the page for operators starts such a log, and ends it', async () => {
  const page = await readFile('docs/operate.md', 'utf8');
  const [, block] = /^### A log on many machines\n[\s\S]*?^```bash\n([\s\S]*?)^```$/m.exec(page) ?? [];
  assert.ok(block !== undefined);
  const base = await freePortBase();
  const script = block.replace(/\b186(\d\d)\b/g, (_, n) => `${base + (Number(n) % 10)}`);
  const ran = await run('bash', ['-c', `set -euo pipefail\ncd ${JSON.stringify(dir)}\n${script}`], {
    env: {
      ...env,
      PATH: `${resolve('bin')}:${process.env['PATH']}`,
      ...{ DATABASE: postgres.url, OBJECTS: objects('page') },
    },
    timeoutMs: 60_000,
  });
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stdout.toString(), /"tree_size":0,/);
  assert.match(ran.stdout.toString(), /ct\.example\/2026\n0\n[^\n]+\nfrozen\n/);
});
