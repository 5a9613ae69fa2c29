/** Runs files with node:test and closes with `N passed, N failed`, which whoever started it reads. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * Sources stripped of their types and compiled, kept for the next process that reads them: most of what a short
 * test file, or a command a test starts, would spend.
 */
process.env['NODE_COMPILE_CACHE'] ??= resolve('node_modules/.cache/waybill-tests');

/** Sets the exit code: 1 when a test failed, or when none ran. */
export function runNodeTests(files: readonly string[], options: readonly string[]): void {
  // What commands keep of this machine, such as locks of logs, is not kept for tests.
  const state = mkdtempSync(join(tmpdir(), 'waybill-test-state-'));
  process.env['WAYBILL_STATE_DIR'] = state;
  const common = ['--test', '--disable-warning=ExperimentalWarning', '--test-reporter=spec'];
  const child = spawn(process.execPath, [...common, ...options, ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Ctrl-C reaches the tests as well; this process ends after them, when it has said how many failed.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const counts = { pass: 0, fail: 0, cancelled: 0 };
  createInterface({ input: child.stdout }).on('line', (line) => {
    const match = /^ℹ (pass|fail|cancelled) (\d+)$/.exec(line);
    if (match) counts[match[1] as keyof typeof counts] = Number(match[2]);
    console.log(line);
  });
  child.on('close', (code) => {
    rmSync(state, { recursive: true, force: true });
    const failed = counts.fail + counts.cancelled;
    console.log(`${counts.pass} passed, ${failed} failed`);
    process.exitCode = failed > 0 || counts.pass === 0 ? 1 : (code ?? 1);
  });
}
