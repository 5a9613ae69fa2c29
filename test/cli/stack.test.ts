/** `waybill stack` as people run it: a child process, signals, a second start. Killed: bad-input-stack.test.ts. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import type { RunResult } from '#platform/process';
import { compiledCode } from '../compiled.ts';
import { freePortBase } from '../free-ports.ts';
import { waybillHere } from './here.ts';

const base = await mkdtemp(join(tmpdir(), 'waybill-test-cli-stack-'));
const children = new Set<ChildProcess>();
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(base, { recursive: true, force: true });
});

interface Running {
  readonly child: ChildProcess;
  readonly ready: { readonly origins: Record<string, string>; readonly development: boolean };
}

const command = (args: readonly string[]): ChildProcess => {
  const child = spawn(resolve('bin/waybill'), args, {
    env: { PATH: process.env['PATH'] ?? '', HOME: base, ...compiledCode },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
};

/** Without a base the stack keeps the ports it has. */
async function up(dataDir: string, portBase = 0): Promise<Running> {
  const child = command(['stack', 'up', '--data', dataDir, '--port-base', String(portBase), '--json']);
  if (child.stdout === null) assert.fail('no output');
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, ready: JSON.parse(line) as Running['ready'] };
  }
  assert.fail(`it ended with ${child.exitCode}`);
}

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = command(args);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const ended = once(child, 'exit') as Promise<[number | null]>;
  child.kill(signal);
  return (await ended)[0];
}

test('up, status, token, Ctrl-C, and up again with the same addresses', async () => {
  const dataDir = join(base, 'one');
  const first = await up(dataDir, await freePortBase());
  assert.equal(first.ready.development, true);
  const status = await run('stack', 'status', '--stack', dataDir, '--json');
  assert.equal(status.code, 0, status.stderr);
  const found = JSON.parse(status.stdout) as { ok: boolean; stations: { isUp: boolean }[] };
  assert.equal(found.ok, true);
  assert.ok(found.stations.length >= 8);
  const token = await run('stack', 'token', '--stack', dataDir, '--email', 'ada@example.com');
  assert.match(token.stdout, /^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/);
  assert.equal(await stop(first.child, 'SIGINT'), 0);
  const down = await run('stack', 'status', '--stack', dataDir);
  assert.equal(down.code, 20);
  const second = await up(dataDir);
  assert.deepEqual(second.ready.origins, first.ready.origins);
  assert.equal(await stop(second.child, 'SIGTERM'), 0);
});

/** Words about a running stack, in this process. */
const ask = (...args: string[]): Promise<RunResult> =>
  waybillHere(args, { env: { PATH: process.env['PATH'] ?? '', HOME: base } });

let started: Promise<Running> | undefined;

/** One stack for the tests that only ask it something; it ends with the file. */
async function running(): Promise<{ readonly dataDir: string; readonly ready: Running['ready'] }> {
  const dataDir = join(base, 'asked');
  started ??= up(dataDir);
  return { dataDir, ready: (await started).ready };
}

test('environment lines name every file and address', async () => {
  const { dataDir, ready } = await running();
  const environment = await ask('stack', 'status', '--stack', dataDir, '--env');
  assert.match(environment.stdout, new RegExp(`^export TUF_MIRROR=${ready.origins['tuf']}$`, 'm'));
  assert.match(environment.stdout, new RegExp(`^export WAYBILL_STACK=${dataDir}$`, 'm'));
});

test('a port that is taken, a base that is no port, a folder without a stack', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const address = holder.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const taken = await run('stack', 'up', '--data', join(base, 'taken'), '--port-base', String(port));
  holder.close();
  assert.equal(taken.code, 3);
  assert.match(taken.stderr, /WB-211/);
  const wrong = await ask('stack', 'up', '--data', join(base, 'wrong'), '--port-base', '80');
  assert.match(wrong.stderr, /WB-1205/);
  assert.equal(wrong.code, 3);
  const none = await ask('stack', 'status', '--stack', join(base, 'nothing'));
  assert.match(none.stderr, /WB-1202/);
  assert.equal(none.code, 3);
});

test('trust show and identity speak about the running stack', async () => {
  const { dataDir, ready } = await running();
  const trust = await ask('trust', 'show', '--stack', dataDir, '--json');
  const listed = JSON.parse(trust.stdout) as { tlogs: unknown[]; certificateAuthorities: unknown[] };
  assert.equal(listed.tlogs.length, 2);
  assert.equal(listed.certificateAuthorities.length, 1);
  const [tufRoot, mirror] = [join(dataDir, 'public', 'root.json'), ready.origins['tuf'] ?? ''];
  const pin = await ask('trust', 'pin', '--tuf-mirror', mirror, '--tuf-root', tufRoot);
  assert.equal(pin.code, 0, pin.stderr);
  const pinned = await ask('trust', 'show', '--tuf-mirror', mirror, '--json');
  assert.equal((JSON.parse(pinned.stdout) as { tuf: { rootVersion: number } }).tuf.rootVersion, 1);
  const { stdout: token } = await ask(
    'stack',
    'token',
    '--stack',
    dataDir,
    '--github',
    'o/r@refs/heads/main',
  );
  const identity = await ask('identity', '--identity-token', token.trim(), '--json');
  const preview = JSON.parse(identity.stdout) as { san: string };
  assert.equal(preview.san, 'https://github.com/o/r/.github/workflows/release.yml@refs/heads/main');
  const none = await ask('identity', '--oidc-disable-ambient-providers');
  assert.equal(none.code, 31);
});
