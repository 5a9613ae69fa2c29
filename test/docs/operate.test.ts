import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import * as doctor from '../../src/cli/commands/doctor.ts';
import * as serve from '../../src/cli/commands/serve.ts';
import * as stack from '../../src/cli/commands/stack.ts';
import type { CliContext } from '../../src/cli/context.ts';

/** The shell blocks of a page, in order. */
const blocksOf = (page: string): string[] =>
  [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] as string);

test('docs/operate.md speaks of every verb of stack and doctor, and of every station', async () => {
  const page = await readFile('docs/operate.md', 'utf8');
  const program = new Command();
  for (const { register } of [stack, doctor, serve]) register(program, {} as CliContext);
  const missing = program.commands.flatMap((noun) =>
    noun.commands.map((verb) => verb.name()).filter((verb) => !isSaid(page, noun.name(), verb)),
  );
  assert.deepEqual(missing, []);
});

/** `stack up`; stations are listed in one line. Workflows and the webhook have pages of their own. */
function isSaid(page: string, noun: string, verb: string): boolean {
  if (verb === 'workflow' && noun === 'doctor') return true;
  if (verb === 'admission') return true;
  return noun === 'serve'
    ? new RegExp(`waybill serve (?:[a-z|]*\\|)?${verb}\\b`).test(page)
    : page.includes(`${noun} ${verb}`);
}

// Some forty commands, each a process of its own.
test('every block of docs/operate.md runs, one after the other, in an empty folder', {
  timeout: 400_000,
}, async (t) => {
  const blocks = blocksOf(await readFile('docs/operate.md', 'utf8'));
  assert.ok(blocks.length >= 14, `${blocks.length} blocks`);
  const folder = await mkdtemp(join(tmpdir(), 'waybill-operate-'));
  const env = { ...process.env, PATH: `${resolve('bin')}${delimiter}${process.env['PATH']}`, HOME: folder };
  for (const name of ['WAYBILL_STACK', 'TUF_MIRROR', 'TUF_ROOT_JSON', 'GITHUB_ACTIONS', 'CI']) {
    delete (env as Record<string, string | undefined>)[name];
  }
  // The ports of the page may be somebody else's here; those above 32,767 are given to anybody at any time.
  const base = 10_000 + (process.pid % 80) * 100;
  const movable = blocks.map((block) => block.replaceAll(/\b186(\d\d)\b/g, (_, n) => `${base + Number(n)}`));
  // What a block started ends with the page, also when a block fails.
  const script = ['set -euo pipefail', "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT", ...movable].join(
    '\n',
  );
  try {
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
      cwd: folder,
      env,
      encoding: 'utf8',
      timeout: 380_000,
    });
    assert.equal(status, 0, `${stdout.slice(-2000)}\n${stderr.slice(-3000)}`);
    t.diagnostic(`${blocks.length} blocks`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
