import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { test } from 'node:test';

/** The shell blocks of a page, in order. */
const blocksOf = (page: string): string[] =>
  [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] as string);

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
  // The ports of the page may be somebody else's here.
  const base = 20_000 + (process.pid % 200) * 100;
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
