/** The pages about promotion and exceptions are run as they stand, but for the lines that need an image or a server. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { type RunResult, run } from '#platform/process';
import { compiledCode } from '../compiled.ts';
import { putImage, repositoryAt } from '../oci/helpers.ts';
import { startStack } from '../stack/helper.ts';

const stack = await startStack();
const folder = await mkdtemp(join(tmpdir(), 'waybill-gate-docs-'));
after(() => rm(folder, { recursive: true }));

async function linesOf(page: string, left: readonly string[]): Promise<string> {
  const text = await readFile(resolve('docs', page), 'utf8');
  let lines = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, body = '']) => body).join('\n');
  for (const command of left) {
    const whole = new RegExp(`^${command}(?:.*\\\\\\n)*.*\\n`, 'm');
    assert.match(lines, whole);
    lines = lines.replace(whole, '');
  }
  return lines;
}

function runLines(lines: string): Promise<RunResult> {
  const env = {
    PATH: `${resolve('bin')}${delimiter}${process.env['PATH'] ?? ''}`,
    HOME: folder,
    WAYBILL_STACK: stack.dataDir,
    WAYBILL_REGISTRY: stack.registryHost,
    WAYBILL_OIDC_ISSUER: stack.origins.oidc,
    ...compiledCode,
  };
  return run('bash', ['-e', '-u', '-c', lines], { cwd: folder, env });
}

test('docs/promote.md: the image is promoted and its summary verifies', async () => {
  await putImage(repositoryAt(stack.registryHost, 'dev/api'), 'api', { tag: 'v1' });
  const ran = await runLines(await linesOf('promote.md', ['waybill copy docker-archive']));
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(
    ran.stdout,
    /^promoted .*dev\/api:v1\n {2}to {6}.*prod\/api:v1 .*\n {2}pass .*\n {2}level {3}SLSA_BUILD_LEVEL_UNEVALUATED$/m,
  );
  assert.match(ran.stdout, /type {4}https:\/\/slsa\.dev\/verification_summary\/v1/);
});

test('docs/exceptions.md: created, approved, active, revoked, drained', async () => {
  await putImage(repositoryAt(stack.registryHost, 'dev/rogue'), 'rogue', { tag: 'v1' });
  const ran = await runLines(await linesOf('exceptions.md', ['waybill serve admission']));
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /^active {4}checkout-hotfix\.json\n {2}name {4}checkout-hotfix$/m);
  assert.match(ran.stdout, /^revoked checkout-hotfix$/m);
  assert.match(ran.stdout, /^0 pending, 0 logged in all$/m);
});
