/**
 * A child process that is spoken to in lines: one life of it, from its start to its end.
 *
 * Contract: `onLine` gets whole lines in order; `onEnd` is called once, and nothing after it. No shell is involved. It
 * runs in a process group of its own: a signal from a terminal does not reach it before its input is closed, and an
 * end takes along what it has started. When this process dies, its input ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';

export interface LineProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Bytes of a line without its end; a longer one ends the process. */
  readonly lineBytesMax: number;
  onLine(line: string): void;
  /** What it says on standard error, cut into pieces of at most 500 characters. */
  onMessage(text: string): void;
  onEnd(why: string): void;
}

export interface LineProcess {
  /** Writes `line` and a line feed. */
  send(line: string): void;
  /** Ends it at once. */
  kill(why: string): void;
  /** Closes its input and waits for its end; after `graceMs` it is killed. */
  close(graceMs: number): Promise<void>;
}

/** How long output is still read after the exit, where something else keeps the pipe open. */
const DRAIN_MS = 200;
const MESSAGE_CHARS_MAX = 500;
const LINE_FEED = 10;

export function startLineProcess(options: LineProcessOptions): LineProcess {
  const isGroup = process.platform !== 'win32';
  const child = spawn(options.command, [...options.args], {
    env: { ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: isGroup,
  });
  const gone = Promise.withResolvers<void>();
  let isOver = false;
  const end = (why: string): void => {
    if (isOver) return;
    isOver = true;
    options.onEnd(why);
  };
  const kill = (why: string): void => {
    end(why);
    killAll(child, isGroup);
  };
  const lines = lineSplitter(options.lineBytesMax, (line) => {
    if (!isOver) options.onLine(line);
  });
  child.stdout.on('data', (chunk: Buffer) => {
    if (!isOver && !lines(chunk)) kill(`a line of more than ${options.lineBytesMax} bytes`);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    const text = chunk.toString('utf8').trim().slice(0, MESSAGE_CHARS_MAX);
    if (text !== '') options.onMessage(text);
  });
  // A pipe that breaks shows as the end of the process.
  child.stdin.on('error', () => {});
  child.on('error', (error) => {
    end(error.message);
    gone.resolve();
  });
  child.on('exit', (code, signal) => {
    const why = code === null ? `ended by ${signal}` : `ended with code ${code}`;
    killAll(child, isGroup);
    const drained = setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    }, DRAIN_MS);
    child.on('close', () => {
      clearTimeout(drained);
      end(why);
      gone.resolve();
    });
  });
  return {
    send: (line) => {
      if (!isOver) child.stdin.write(`${line}\n`);
    },
    kill,
    close: async (graceMs) => {
      child.stdin.end();
      const late = setTimeout(() => kill('asked to end'), graceMs);
      await gone.promise;
      clearTimeout(late);
    },
  };
}

function killAll(child: ChildProcess, isGroup: boolean): void {
  if (child.pid === undefined) return;
  try {
    if (isGroup) process.kill(-child.pid, 'SIGKILL');
    else child.kill('SIGKILL');
  } catch {
    // Nobody of it is left.
  }
}

/** Cuts chunks into lines; false for a line that is too long. */
function lineSplitter(lineBytesMax: number, onLine: (line: string) => void): (chunk: Buffer) => boolean {
  let parts: Buffer[] = [];
  let length = 0;
  return (chunk) => {
    let from = 0;
    for (;;) {
      const at = chunk.indexOf(LINE_FEED, from);
      const part = chunk.subarray(from, at === -1 ? chunk.length : at);
      length += part.length;
      if (length > lineBytesMax) return false;
      parts.push(part);
      if (at === -1) return true;
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      length = 0;
      from = at + 1;
      onLine(line);
    }
  };
}
