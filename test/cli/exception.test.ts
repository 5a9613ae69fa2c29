/** The verbs of exceptions as people use them: two of them, a webhook in a process of its own, and the log. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { RunResult } from '#platform/process';
import { EXCEPTION_USE_V1, EXCEPTION_V1 } from '#policy';
import { compiledCode } from '../compiled.ts';
import { putImage, repositoryAt } from '../oci/helpers.ts';
import { podReview } from '../services/admission-fixture.ts';
import { startStack } from '../stack/helper.ts';
import { waybillHere } from './here.ts';

const stack = await startStack();
const folder = await mkdtemp(join(tmpdir(), 'waybill-cli-exception-'));
const children: ChildProcess[] = [];
after(async () => {
  for (const child of children) child.kill('SIGTERM');
  await rm(folder, { recursive: true });
});

const env = { PATH: process.env['PATH'], HOME: folder, WAYBILL_STACK: stack.dataDir, ...compiledCode };
const main = ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts'];
const waybill = (...args: string[]): Promise<RunResult> => waybillHere([...args, '--json'], { env });
const as = async (email: string): Promise<string[]> => [
  '--identity-token',
  (await stack.mint({ sub: email, email })).reveal(),
];
const file = (name: string): string => join(folder, name);
const issuer = stack.origins.oidc;

interface Served {
  readonly origin: string;
  readonly ca: string;
}

/** `waybill serve admission` in a process of its own, ready. */
async function serve(...args: string[]): Promise<Served> {
  const words = ['serve', 'admission', '--listen', '127.0.0.1:0', '--log-level', 'silent', ...args, '--json'];
  const child = spawn(process.execPath, [...main, ...words], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const line = await new Promise<string>((settle, reject) => {
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes('\n')) settle(out);
    });
    child.on('exit', (code) => reject(new Error(`the webhook ended with ${code}`)));
  });
  const ready = JSON.parse(line) as { origin: string; caBundle: string };
  return { origin: ready.origin, ca: Buffer.from(ready.caBundle, 'base64').toString() };
}

async function admits(
  { origin, ca }: Served,
  image: string,
): Promise<{ allowed: boolean; warnings?: string[] }> {
  const body = await new Promise<string>((settle, reject) => {
    const headers = { 'content-type': 'application/json' };
    const asked = request(
      `${origin}/validate?timeout=30s`,
      { ca, method: 'POST', headers, agent: false },
      (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
        answer.on('end', () => settle(text));
      },
    );
    asked.on('error', reject);
    asked.end(JSON.stringify(podReview({ image })));
  });
  return (JSON.parse(body) as { response: { allowed: boolean; warnings?: string[] } }).response;
}

test('create, approve, list, use, drain, revoke', async () => {
  const repository = repositoryAt(stack.registryHost, 'shop/app');
  const { digest } = await putImage(repository, 'app', { tag: 'v1' });
  const tagged = `${stack.registryHost}/shop/app:v1`;
  const exceptions = file('exceptions');
  await mkdir(exceptions);
  await writeFile(
    file('approvers.yaml'),
    `apiVersion: waybill.dev/v1\nkind: ExceptionApprovers\napprovers:\n` +
      `  - {identity: ada@example.com, issuer: "${issuer}"}\n  - {identity: bob@example.com, issuer: "${issuer}"}\n`,
  );
  await writeFile(
    file('policy.yaml'),
    `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: nobody}
spec: {images: [{glob: "${stack.registryHost}/**"}], authorities: [{name: none, static: {action: fail}}]}
`,
  );
  const where = join(exceptions, 'hotfix.json');
  const scope = ['--image', tagged, '--namespace', 'shop', '--reason', 'payments down', '--ticket', 'INC-7'];
  const create = ['exception', 'create', '--name', 'hotfix', ...scope, '--out', where];
  const ada = await as('ada@example.com');
  const created = await waybill(...create, '--for', '2h', ...ada);
  assert.equal(created.code, 0, created.stderr);
  const made = JSON.parse(created.stdout);
  assert.deepEqual(
    [made.schema, made.exception.digest, made.exception.scope, made.signers],
    ['waybill.dev/exception-create/v1', digest, { namespace: 'shop' }, [`ada@example.com (${issuer})`]],
  );
  assert.equal((await waybill(...create, '--for', '2h', ...ada)).code, 3, 'a file that is there is kept');

  const list = async (): Promise<{ state: string; file: string; reason?: { code: string } }[]> => {
    const listed = await waybill(
      'exception',
      'list',
      '--exceptions',
      exceptions,
      '--approvers',
      file('approvers.yaml'),
    );
    assert.equal(listed.code, 0, listed.stderr);
    return JSON.parse(listed.stdout).exceptions;
  };
  assert.deepEqual(
    (await list()).map(({ state, reason }) => [state, reason?.code]),
    [['refused', 'WB-753']],
  );

  const approvers = ['--approvers', file('approvers.yaml')];
  const before = await readFile(where, 'utf8');
  const twice = await waybill('exception', 'approve', where, ...approvers, ...(await as('ada@example.com')));
  assert.deepEqual([twice.code, JSON.parse(twice.stdout).reason.code], [2, 'WB-967']);
  const stranger = await waybill(
    'exception',
    'approve',
    where,
    ...approvers,
    ...(await as('eve@example.com')),
  );
  assert.deepEqual([stranger.code, JSON.parse(stranger.stdout).reason.code], [14, 'WB-351']);
  assert.equal(await readFile(where, 'utf8'), before, 'what was refused was not written');
  const approved = await waybill(
    'exception',
    'approve',
    where,
    ...approvers,
    ...(await as('bob@example.com')),
  );
  assert.equal(approved.code, 0, approved.stderr);
  assert.equal(JSON.parse(approved.stdout).signers.length, 2);
  assert.deepEqual(
    (await list()).map(({ state }) => state),
    ['active'],
  );

  const outbox = ['--outbox', file('outbox.db')];
  const webhook = await serve(
    '--policy',
    file('policy.yaml'),
    '--exceptions',
    exceptions,
    ...approvers,
    ...outbox,
  );
  const answer = await admits(webhook, `${tagged}@${digest}`);
  assert.equal(answer.allowed, true);
  assert.match(answer.warnings?.[0] ?? '', /^admitted by exception hotfix until .*Z, reason payments down/);

  const drain = async (): Promise<{ logged: number; pending: number; entries: { treeSize: number }[] }> => {
    const drained = await waybill('exception', 'drain', ...outbox, ...(await as('robot@example.com')));
    assert.equal(drained.code, 0, drained.stderr);
    return JSON.parse(drained.stdout);
  };
  const { logged, pending, entries } = await drain();
  assert.deepEqual([logged, pending, (entries[0]?.treeSize ?? 0) > 0], [1, 0, true]);
  // Who asks the log about the image later finds that it came in by an exception.
  const found = await waybill('audit', 'search', digest);
  assert.equal(found.code, 0, found.stderr);
  const { steps } = JSON.parse(found.stdout) as { steps: { what: string; predicate: { uses?: object[] } }[] };
  assert.deepEqual(
    steps.map(({ what }) => what).sort(),
    [EXCEPTION_USE_V1, ...Array.from({ length: 4 }, () => EXCEPTION_V1)].sort(),
    'used; created, approved, and the two signatures that did not count',
  );
  assert.equal(steps.find(({ what }) => what === EXCEPTION_USE_V1)?.predicate.uses?.length, 1);
  assert.equal((await waybill('exception', 'drain', ...outbox)).code, 0, 'nothing to log needs no identity');

  const revoked = await waybill(
    'exception',
    'revoke',
    where,
    '--reason',
    'fixed',
    ...(await as('bob@example.com')),
  );
  assert.equal(revoked.code, 0, revoked.stderr);
  assert.equal(JSON.parse(revoked.stdout).file, join(exceptions, 'hotfix.revocation.json'));
  assert.deepEqual(
    (await list()).map(({ reason }) => reason?.code),
    ['WB-757'],
  );
});

test('wrong words: no end, two ends, a past end, half of the webhook options', async () => {
  const scope = ['--image', `sha256:${'a'.repeat(64)}`, '--namespace', 'n', '--reason', 'r', '--ticket', 't'];
  const create = ['exception', 'create', '--name', 'x', ...scope, '--out', file('x.json')];
  const later = '2099-01-01T00:00:00Z';
  for (const [words, code] of [
    [[], 'WB-1301'],
    [['--for', '1h', '--until', later], 'WB-1301'],
    [['--for', '1w'], 'WB-1305'],
    [['--until', '2020-01-01T00:00:00Z'], 'WB-1305'],
    [['--until', 'tomorrow'], 'WB-1305'],
  ] as const) {
    const refused = await waybill(...create, ...words);
    assert.deepEqual([refused.code, JSON.parse(refused.stdout).reason.code], [3, code], words.join(' '));
  }
  const half = await waybill('serve', 'admission', '--policy', 'x', '--exceptions', folder);
  assert.deepEqual([half.code, JSON.parse(half.stdout).reason.code], [3, 'WB-1305']);
});
