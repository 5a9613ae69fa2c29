/**
 * What a process did to a disk, read from a full trace of strace (`-f -xx -s 4194304`). A call counts from the moment
 * it came back.
 */
import assert from 'node:assert/strict';

export type DiskCall =
  | { readonly call: 'open'; readonly fd: number; readonly path: string; readonly flags: readonly string[] }
  | { readonly call: 'close' | 'sync'; readonly fd: number }
  | {
      readonly call: 'write';
      readonly fd: number;
      readonly bytes: Uint8Array;
      readonly at: number | undefined;
    }
  | { readonly call: 'truncate'; readonly fd: number; readonly size: number }
  | { readonly call: 'rename'; readonly from: string; readonly to: string }
  | { readonly call: 'unlink' | 'mkdir' | 'rmdir'; readonly path: string };

export const TRACED = [
  ...['open', 'creat', 'openat', 'close', 'write', 'pwrite64', 'fsync', 'fdatasync', 'ftruncate'],
  ...['rename', 'renameat', 'renameat2', 'unlink', 'unlinkat', 'mkdir', 'mkdirat', 'rmdir'],
];
/** Calls that would change a disk and that no rule here reads: one of them on a file of the log is a failure. */
export const UNREAD = [
  ...['writev', 'pwritev', 'pwritev2', 'fallocate', 'copy_file_range', 'sendfile', 'link', 'linkat'],
  ...['symlink', 'symlinkat', 'truncate', 'sync_file_range', 'dup', 'dup2', 'dup3', 'fcntl'],
];

/** Calls in the order in which they came back. `unfinished`: began, and nobody knows whether they were done. */
export function readTrace(text: string): { calls: DiskCall[]; unfinished: DiskCall[] } {
  const calls: DiskCall[] = [];
  const begun = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, thread = '', said = ''] = /^(\d+) +(.*)$/s.exec(line) ?? [];
    const start = /^(.*) <unfinished \.\.\.>$/s.exec(said)?.[1];
    if (start !== undefined) {
      begun.set(thread, start);
      continue;
    }
    const rest = /^<\.\.\. \w+ resumed>(.*)$/s.exec(said)?.[1];
    const whole = rest === undefined ? said : (begun.get(thread) ?? '') + rest;
    begun.delete(thread);
    const one = diskCall(whole);
    if (one !== undefined) calls.push(one);
  }
  const unfinished = [...begun.values()].flatMap((start) => {
    const one = diskCall(`${start.replace(/[,)]? *$/, '')}) = 0`);
    return one === undefined ? [] : [one];
  });
  return { calls, unfinished };
}

/** Of a call that came back without an error. */
function diskCall(text: string): DiskCall | undefined {
  const [, name = '', inside = '', result = ''] = /^(\w+)\((.*)\) += (-?\d+)/s.exec(text) ?? [];
  const value = Number(result);
  if (name === '' || value < 0) return undefined;
  const args = inside.split(', ');
  const paths = args.filter((arg) => arg.startsWith('"')).map((arg) => textOf(arg));
  const fd = Number(args[0]);
  switch (name) {
    case 'open':
    case 'creat':
    case 'openat': {
      const flags = args[name === 'openat' ? 2 : 1]?.split('|') ?? [];
      return { call: 'open', fd: value, path: paths[0] as string, flags };
    }
    case 'close':
      return { call: 'close', fd };
    case 'fsync':
    case 'fdatasync':
      return { call: 'sync', fd };
    case 'write':
      return { call: 'write', fd, bytes: bytesOf(args[1] ?? '').subarray(0, value), at: undefined };
    case 'pwrite64':
      return { call: 'write', fd, bytes: bytesOf(args[1] ?? '').subarray(0, value), at: Number(args[3]) };
    case 'ftruncate':
      return { call: 'truncate', fd, size: Number(args[1]) };
    case 'rename':
    case 'renameat':
    case 'renameat2':
      return { call: 'rename', from: paths[0] as string, to: paths[1] as string };
    case 'unlink':
    case 'unlinkat':
      return { call: args.at(-1) === 'AT_REMOVEDIR' ? 'rmdir' : 'unlink', path: paths[0] as string };
    case 'mkdir':
    case 'mkdirat':
      return { call: 'mkdir', path: paths[0] as string };
    case 'rmdir':
      return { call: 'rmdir', path: paths[0] as string };
    default:
      return undefined;
  }
}

/** A string as `-xx` writes it; one that was cut short would be a hole in the image. */
function bytesOf(arg: string): Buffer {
  assert.match(arg, /^"(?:\\x[0-9a-f]{2})*"$/, `not a whole string: ${arg.slice(0, 60)}`);
  return Buffer.from(arg.slice(1, -1).replaceAll('\\x', ''), 'hex');
}

const textOf = (arg: string): string => bytesOf(arg).toString();
