/** Starting and ending the processes of a build. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readdirSync, readFileSync } from 'node:fs';
import type { StepResult } from './sandbox.ts';

const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/bin'];

/** Absolute path of a program of the host: never looked up through a PATH somebody else may set. */
export function findProgram(name: string): string | undefined {
  for (const folder of folders) {
    try {
      accessSync(`${folder}/${name}`, constants.X_OK);
      return `${folder}/${name}`;
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined;
}

const O_CLOEXEC = 0o2000000;

/** Descriptors above 2 that a child would inherit: opened before us and left open by whoever started us. */
export function inheritableDescriptors(): number[] {
  let names: string[];
  try {
    names = readdirSync('/proc/self/fd');
  } catch {
    return [];
  }
  return names.map(Number).filter((fd) => {
    if (fd <= 2) return false;
    try {
      const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
      return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
    } catch {
      return false;
    }
  });
}

export interface StartOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** In a process group and session of its own. */
  readonly detached?: boolean;
  readonly onOutput: (chunk: Uint8Array) => void;
}

/** Starts a child that gets standard output and error and no other descriptor of ours. */
export function startChild(options: StartOptions): ChildProcess {
  const nothing = openSync('/dev/null', 'r');
  try {
    const stdio: (number | 'pipe' | 'ignore')[] = [nothing, 'pipe', 'pipe'];
    // A leaked descriptor cannot be closed in the child from here, but it can be covered.
    for (const leaked of inheritableDescriptors()) {
      while (stdio.length < leaked) stdio.push('ignore');
      stdio[leaked] = nothing;
    }
    const child = spawn(options.command, [...options.args], {
      cwd: options.cwd,
      env: { ...options.env },
      stdio,
      detached: options.detached ?? false,
    });
    child.stdout?.on('data', options.onOutput);
    child.stderr?.on('data', options.onOutput);
    return child;
  } finally {
    closeSync(nothing);
  }
}

/**
 * Waits for the child's own end; output is collected until then and at most `DRAIN_MS` longer, because a
 * process that outlived it may hold the pipe. `onTimeout` has to end the child.
 */
export function childEnd(child: ChildProcess, timeoutMs: number, onTimeout: () => void): Promise<StepResult> {
  return new Promise((resolve) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      onTimeout();
    }, timeoutMs);
    let drain: NodeJS.Timeout | undefined;
    const settle = (code: number): void => {
      clearTimeout(timer);
      clearTimeout(drain);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ code: timedOut ? -1 : code, timedOut });
    };
    child.on('error', () => settle(-1));
    child.on('exit', (code) => {
      drain = setTimeout(() => settle(code ?? -1), DRAIN_MS);
    });
    child.on('close', (code) => settle(code ?? -1));
  });
}

const DRAIN_MS = 500;

/** Children of a process, from /proc. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
      .split(' ')
      .filter((word) => word !== '')
      .map(Number);
  } catch {
    return [];
  }
}

/** Pids of living processes whose real uid is `uid`. */
export function processesOf(uid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'latin1');
        return /^Uid:\s+(\d+)/m.exec(status)?.[1] === String(uid) && !/^State:\s+[ZX]/m.test(status);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** SIGKILL; a process that is already gone is fine. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it ended by itself.
  }
}
