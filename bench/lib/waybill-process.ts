/** `waybill` as a process that stays: started with `--json`, ready with its first line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

export interface Running<T> {
  /** The line it printed when it was ready. */
  readonly said: T;
  /** From its start to that line, milliseconds. */
  readonly readyMs: number;
  readonly child: ChildProcess;
  /** Highest resident memory so far, MiB. */
  peakMiB(): number;
  stop(): Promise<void>;
}

let state: string | undefined;
/** Locks of logs that are measured are not kept in the home of whoever measures. */
function stateDir(): string {
  if (state !== undefined) return state;
  const made = mkdtempSync(join(tmpdir(), 'waybill-bench-state-'));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  state = made;
  return made;
}

export async function startWaybill<T>(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Running<T>> {
  const start = performance.now();
  const child = spawn(resolve('bin/waybill'), [...words, '--json', '--quiet'], {
    env: { ...process.env, WAYBILL_STATE_DIR: stateDir(), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((settle) => child.once('close', () => settle()));
  const line = await new Promise<string>((settle, reject) => {
    createInterface({ input: child.stdout }).once('line', settle);
    child.once('close', (code) => reject(new Error(`waybill ${words.join(' ')} ended with ${code}`)));
  });
  const readyMs = performance.now() - start;
  const status = (): string => readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return {
    said: JSON.parse(line) as T,
    readyMs,
    child,
    peakMiB: () => Number(/VmHWM:\s+(\d+)/.exec(status())?.[1]) / 1024,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
