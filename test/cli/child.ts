/** The CLI as people run it: a child process, its words, its exit code. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after } from 'node:test';
import { type RunResult, run } from '#platform/process';
import { compiledCode } from '../compiled.ts';

const launcher = resolve('bin/waybill');

/** A folder of this test file; removed at its end. */
export const folder = await mkdtemp(join(tmpdir(), 'waybill-test-bad-'));
after(() => rm(folder, { recursive: true, force: true }));

/** Nothing of the developer's machine: no stack, no trust, no token, no docker login. */
export const plainEnv = { PATH: process.env['PATH'] ?? '', HOME: folder, ...compiledCode };

export interface Call {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
}

export function waybill(args: readonly string[], call: Call = {}): Promise<RunResult> {
  const { cwd, input, env } = call;
  return run(launcher, args, {
    env: { ...plainEnv, ...env },
    timeoutMs: 300_000,
    ...(input === undefined ? {} : { input }),
    ...(cwd === undefined ? {} : { cwd }),
  });
}

/** Runs words of a shell, where `waybill` is the CLI: for pipes and redirections. */
export function shell(script: string, env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
  const text = `set -o pipefail; waybill() { ${JSON.stringify(launcher)} "$@"; }; ${script}`;
  return run('bash', ['-c', text], { env: { ...plainEnv, ...env }, timeoutMs: 300_000 });
}

export interface Refusal {
  readonly exit: number;
  readonly code: string;
  /** What the message has to say besides. */
  readonly says?: RegExp;
}

/** One message that names check, expected, actual and what to do; no trace, no result. */
export function assertRefused(result: RunResult, expected: Refusal): void {
  const shown = `${result.stdout}\n${result.stderr}`;
  assert.equal(result.code, expected.exit, shown);
  const heads = [...result.stderr.matchAll(/^waybill: [\w.]+ \((WB-\d+)\)$/gm)].map(([, code]) => code);
  assert.deepEqual(heads, [expected.code], shown);
  assert.match(result.stderr, /^ {2}expected: .+\n {2}actual: {3}.+\n {2}do: {7}.+$/m);
  assert.doesNotMatch(shown, /^ +at .*:\d+|internal error/m);
  if (expected.says !== undefined) assert.match(result.stderr, expected.says);
}

/** The same refusal under `--json`: one object on standard output, in every case. */
export function assertJsonRefusal(result: RunResult, { exit, code }: Refusal): void {
  assert.equal(result.code, exit, result.stderr);
  const value = JSON.parse(result.stdout) as { schema: string; ok: boolean; reason: { code: string } };
  assert.deepEqual([value.ok, value.reason.code], [false, code]);
  assert.match(value.schema, /^waybill\.dev\/[\w-]+\/v1$/);
}
