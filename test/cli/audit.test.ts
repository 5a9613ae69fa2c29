/** `waybill audit search` against a stack that is killed without warning. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { generateKey, publicKeyPem } from '#base/crypto';
import type { RunResult } from '#platform/process';
import { compiledCode } from '../compiled.ts';
import { freePortBase } from '../free-ports.ts';
import { putImage, repositoryAt } from '../oci/helpers.ts';
import { waybillHere } from './here.ts';

const base = await mkdtemp(join(tmpdir(), 'waybill-test-cli-audit-'));
const dataDir = join(base, 'stack');
const children = new Set<ChildProcess>();
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(base, { recursive: true, force: true });
});

interface Up {
  readonly child: ChildProcess;
  readonly origins: Readonly<Record<string, string>>;
}

async function up(portBase = 0, ...more: readonly string[]): Promise<Up> {
  const child = spawn(
    resolve('bin/waybill'),
    ['stack', 'up', '--data', dataDir, '--port-base', String(portBase), '--json', ...more],
    {
      env: { PATH: process.env['PATH'] ?? '', HOME: base, ...compiledCode },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  children.add(child);
  child.on('exit', () => children.delete(child));
  if (child.stdout === null) assert.fail('no output');
  for await (const line of createInterface({ input: child.stdout })) {
    const { origins } = JSON.parse(line) as Up;
    return { child, origins };
  }
  assert.fail(`it ended with ${child.exitCode}`);
}

const env = { PATH: process.env['PATH'] ?? '', HOME: base, DOCKER_CONFIG: base, WAYBILL_STACK: dataDir };
const waybill = (...args: string[]): Promise<RunResult> => waybillHere(args, { env });

async function passes(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await waybill(...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

test('what was signed before a kill is found after it, by digest and by identity', async () => {
  const first = await up(await freePortBase());
  const host = new URL(first.origins['registry'] ?? '').host;
  const { digest } = await putImage(repositoryAt(host, 'app'), 'app', { tag: 'v1' });
  const token = (await passes('stack', 'token', '--email', 'ada@example.com')).trim();
  await passes('sign', '--yes', '--format', 'both', '--identity-token', token, `${host}/app@${digest}`);
  const killed = once(first.child, 'exit');
  first.child.kill('SIGKILL');
  await killed;
  await rm(join(dataDir, 'registry'), { recursive: true });

  const second = await up(0, '--empty-registry');
  const text = await passes('audit', 'search', digest);
  assert.match(text, /^lineage of sha256:/);
  assert.match(text, / {2}signature\n {4}by {5}ada@example\.com {2}\(http/);
  assert.match(text, / {2}signature \(plain\)\n/);
  assert.match(text, /covered: entries 0…1 of 127\.0\.0\.1 - \d+, root [0-9a-f]{64}\n/);
  const byName = JSON.parse(await passes('audit', 'search', '--identity', 'ADA@example.com', '--json'));
  assert.equal(byName.schema, 'waybill.dev/audit-lineage/v1');
  assert.deepEqual(
    byName.steps.map((step: { digests: string[] }) => step.digests),
    [[digest], [digest]],
  );
  assert.match(byName.coverage[0].rootHash, /^[0-9a-f]{64}$/);
  assert.deepEqual(byName.uncovered, []);
  const issuer = second.origins['oidc'] ?? '';
  assert.match(await passes('audit', 'search', '--issuer', issuer), /about {2}sha256:/);

  const nothing = await waybill('audit', 'search', digest, '--identity', 'eve@example.com');
  assert.equal(nothing.code, 10);
  assert.match(nothing.stderr, /WB-907[\s\S]*none; searched: entries 0…1 of 127\.0\.0\.1 - \d+, root/);
  const unsaid = await waybill('audit', 'search');
  assert.deepEqual([unsaid.code, /WB-1305/.test(unsaid.stderr)], [3, true]);
  const ended = once(second.child, 'exit');
  second.child.kill('SIGTERM');
  await ended;
});

test('a key that is no key is refused before anything is asked', async () => {
  const file = join(base, 'no.pub');
  await writeFile(file, publicKeyPem(generateKey('p256').publicKey).slice(0, 40));
  const root = join(dataDir, 'public', 'trusted_root.json');
  const ran = await waybill(
    ...['audit', 'search', '--identity', 'a', '--audit-url', 'http://127.0.0.1:9', '--key', file],
    ...['--trusted-root', root],
  );
  assert.equal(ran.code, 3, ran.stderr);
});
