/** Child processes with bounds, and shutdown on a signal. */
import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: Uint8Array | string;
  readonly timeoutMs?: number;
  /** Bytes kept of each of stdout and stderr; the rest is dropped. Default 8 MiB. */
  readonly maxBytes?: number;
}

export interface RunResult {
  /** Exit code, or -1 when a signal ended it or it could not start. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  /** There is no such command. */
  readonly isMissing?: boolean;
}

/** Runs a command to its end. Never throws for a failing command: the code is data. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const max = options.maxBytes ?? 8 * 1024 * 1024;
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out = collector(max);
    const errors = collector(max);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, options.timeoutMs ?? 600_000);
    child.stdout.on('data', out.add);
    child.stderr.on('data', errors.add);
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      // Also said of a working directory that is not there.
      const isMissing = error.code === 'ENOENT' && options.cwd === undefined;
      resolve({
        code: -1,
        stdout: out.text(),
        stderr: `${errors.text()}${error.message}`,
        timedOut,
        isMissing,
      });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, stdout: out.text(), stderr: errors.text(), timedOut });
    });
  });
}

function collector(max: number): { add: (chunk: Buffer) => void; text: () => string } {
  const chunks: Buffer[] = [];
  let length = 0;
  return {
    add: (chunk) => {
      if (length < max) chunks.push(chunk.subarray(0, max - length));
      length += chunk.length;
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}

/**
 * Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. SIGUSR1 does nothing from then on:
 * without a listener Node opens its debugger on port 9229, to whom everybody on this machine may speak, beside keys.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let seen = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (seen) process.exit(130);
      seen = true;
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    process.on('SIGUSR1', () => undefined);
  });
}

/** Calls `work` at every SIGHUP, which then no longer ends the process. Returns how to stop that. */
export function onHangup(work: () => void): () => void {
  process.on('SIGHUP', work);
  return () => process.off('SIGHUP', work);
}
