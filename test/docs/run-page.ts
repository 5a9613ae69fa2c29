/** Runs the shell blocks of a page, one after the other, in one shell and an empty folder. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { freePorts } from '../free-ports.ts';

/** The shell blocks of a page, in order. */
const blocksOf = (page: string): string[] =>
  [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] as string);

const NOT_INHERITED = [
  'WAYBILL_STACK',
  'TUF_MIRROR',
  'TUF_ROOT_JSON',
  'GITHUB_ACTIONS',
  'CI',
  'WAYBILL_STATE_DIR',
  'XDG_STATE_HOME',
];

export interface PageOptions {
  /** First two digits of the ports it names, such as 186 of 18601. */
  readonly ports: string;
  readonly timeoutMs: number;
  /** Puts into the folder what the page says is there. */
  readonly prepare?: (folder: string) => Promise<void>;
}

/** How many blocks there were; fails with what the shell said. */
export async function runPage(path: string, { ports, timeoutMs, prepare }: PageOptions): Promise<number> {
  const blocks = blocksOf(await readFile(path, 'utf8'));
  const folder = await mkdtemp(join(tmpdir(), 'waybill-page-'));
  const env: Record<string, string | undefined> = {
    ...process.env,
    PATH: `${resolve('bin')}${delimiter}${process.env['PATH']}`,
    HOME: folder,
  };
  for (const name of [...NOT_INHERITED, 'DOCKER_CONFIG', 'REGISTRY_AUTH_FILE']) delete env[name];
  // The ports of the page may be somebody else's here.
  const pattern = new RegExp(`\\b${ports}\\d\\d\\b`, 'g');
  const named = [...new Set(blocks.flatMap((block) => block.match(pattern) ?? []))];
  const free = await freePorts(named.length);
  const movable = blocks.map((block) => block.replaceAll(pattern, (one) => `${free[named.indexOf(one)]}`));
  // What a block started ends with the page, also when a block fails.
  const script = ['set -euo pipefail', "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT", ...movable].join(
    '\n',
  );
  try {
    await prepare?.(folder);
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
      cwd: folder,
      env,
      encoding: 'utf8',
      timeout: timeoutMs,
    });
    assert.equal(status, 0, `${stdout.slice(-2000)}\n${stderr.slice(-3000)}`);
    return blocks.length;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
