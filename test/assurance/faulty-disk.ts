/** Files below a folder fail as planned: in node:fs itself, since the product opens them by name. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { FaultKind, Faults } from './faulty.ts';
import { spoilt } from './faulty.ts';

/** What can happen to a file: an error of the device, gone, or other bytes than were written. */
export const diskFaultKinds: readonly FaultKind[] = [
  'throw',
  'missing',
  'empty',
  'truncated',
  'flipped',
  'garbage',
];

type Call = (...args: readonly unknown[]) => unknown;

const reads: readonly (readonly [holder: object, name: string])[] = [
  [fs, 'readFileSync'],
  [fs.promises, 'readFile'],
];
const others: readonly (readonly [holder: object, name: string])[] = [
  ...['statSync', 'openSync', 'mkdirSync'].map((name) => [fs, name] as const),
  ...['open', 'lstat', 'mkdir', 'rename', 'writeFile', 'stat'].map((name) => [fs.promises, name] as const),
];

/** Runs `body`; each use of a file below `folder` is a call that may fail. */
export async function withFaultyDisk<T>(folder: string, faults: Faults, body: () => Promise<T>): Promise<T> {
  const restore: (() => void)[] = [];
  const replace = (holder: object, name: string, make: (original: Call) => Call): void => {
    const original = Reflect.get(holder, name) as Call;
    Reflect.set(holder, name, make(original));
    restore.push(() => void Reflect.set(holder, name, original));
  };
  const isOurs = (path: unknown): path is string => typeof path === 'string' && path.startsWith(folder);
  for (const [holder, name] of reads) {
    replace(holder, name, (original) => (...args) => {
      const [path] = args;
      const kind = isOurs(path) ? faults.next() : undefined;
      if (kind === undefined) return original(...args);
      return failedRead(kind, path as string, () => original(...args));
    });
  }
  for (const [holder, name] of others) {
    replace(holder, name, (original) => (...args) => {
      const [path] = args;
      // Only a read can come back with other bytes.
      const mayFail = faults.plan?.kind === 'throw' || faults.plan?.kind === 'missing';
      const kind = mayFail && isOurs(path) ? faults.next() : undefined;
      if (kind === undefined) return isOurs(path) ? unsynced(original(...args)) : original(...args);
      const error = diskError(kind, path as string, name);
      if (name.endsWith('Sync')) throw error;
      return Promise.reject(error);
    });
  }
  syncBuiltinESMExports();
  try {
    return await body();
  } finally {
    for (const undo of restore) undo();
    syncBuiltinESMExports();
  }
}

/** Hundreds of runs would wait for the device; that writes are durable is shown elsewhere. */
function unsynced(opened: unknown): unknown {
  if (!(opened instanceof Promise)) return opened;
  return opened.then((handle: unknown) => {
    if (typeof handle === 'object' && handle !== null && 'sync' in handle) {
      Object.defineProperty(handle, 'sync', { value: async () => {} });
    }
    return handle;
  });
}

function failedRead(kind: FaultKind, path: string, read: () => unknown): unknown {
  const change = (data: unknown): unknown => {
    if (kind === 'throw' || kind === 'missing') throw diskError(kind, path, 'read');
    const bytes = spoilt(kind, typeof data === 'string' ? Buffer.from(data) : (data as Uint8Array));
    return typeof data === 'string' ? Buffer.from(bytes).toString() : Buffer.from(bytes);
  };
  const data = read();
  return data instanceof Promise ? data.then(change) : change(data);
}

/** As node reports it. */
function diskError(kind: FaultKind, path: string, syscall: string): Error {
  const [code, words] = kind === 'missing' ? ['ENOENT', 'no such file or directory'] : ['EIO', 'i/o error'];
  return Object.assign(new Error(`${code}: ${words}, ${syscall} '${path}'`), { code, path, syscall });
}
