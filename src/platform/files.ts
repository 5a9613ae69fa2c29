/**
 * Files with a durability promise: a write returns only after the bytes and the name are on disk, and a
 * crash leaves the old file or the new one, never a part.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  promises as files,
  fstatSync,
  fsync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { fail, WaybillError } from '#base/reason';
import { R } from './reasons.ts';

/**
 * Waits on another thread until what was written to an open file or folder is on the disk; only such waiting belongs
 * there. The way there and back takes a place behind the signatures that are checked there, and a turn of the event
 * loop: under load each costs more than a short call.
 */
export const synchronised: (descriptor: number) => Promise<void> = promisify(fsync);

/**
 * Writes a file atomically and durably. `mode` defaults to 0644; keys use 0600. A link stays a link: the file it
 * leads to is written. What is no file (a device, a FIFO) is written into, never replaced.
 */
export async function writeFileDurable(
  path: string,
  data: Uint8Array | string,
  options: { readonly mode?: number } = {},
): Promise<void> {
  try {
    const target = await targetOf(path);
    if (target.kind === 'file') return await replaceFile(target.path, data, options);
    // An output of this process that goes to a file is written where its other words are.
    if (target.kind === 'open') return writeFileSync(target.fd, data);
    const handle = await files.open(path, constants.O_WRONLY);
    try {
      await handle.writeFile(data);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(path, error);
  }
}

type Target =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'open'; readonly fd: number }
  | { readonly kind: 'stream' };

async function targetOf(path: string): Promise<Target> {
  const found = await orMissing(files.lstat(path));
  if (found === undefined || found.isFile() || found.isDirectory()) return { kind: 'file', path };
  if (!found.isSymbolicLink()) return { kind: 'stream' };
  const end = await orMissing(files.stat(path));
  if (end === undefined) {
    // It leads to nothing yet; the next may be a link again.
    return targetOf(resolve(await files.realpath(dirname(path)), await files.readlink(path)));
  }
  if (!end.isFile() && !end.isDirectory()) return { kind: 'stream' };
  const fd = ownOutput(path);
  return fd === undefined ? { kind: 'file', path: await files.realpath(path) } : { kind: 'open', fd };
}

/** Names of open files of this process: replacing what they lead to would cut their writer off. */
function ownOutput(path: string): number | undefined {
  if (path === '/dev/stdout') return 1;
  if (path === '/dev/stderr') return 2;
  const number = /^\/(?:dev|proc\/self)\/fd\/(\d{1,9})$/.exec(path)?.[1];
  return number === undefined ? undefined : Number(number);
}

async function orMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function replaceFile(
  path: string,
  data: Uint8Array | string,
  options: { readonly mode?: number },
): Promise<void> {
  const folder = dirname(path);
  const made = await makeMissing(folder, 0o777);
  const temporary = join(folder, `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const handle = await files.open(temporary, 'wx', options.mode ?? 0o644);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await files.rename(temporary, path);
  } catch (error) {
    await files.rm(temporary, { force: true });
    throw fileError(path, error);
  }
  await syncFolder(folder);
  if (made !== undefined) for (const parent of parentsOf(folder, made)) await syncFolder(parent);
}

/**
 * Makes a folder and what is missing above it; gives the outermost that was made. One step at a time: where a parent
 * exists and takes no folder (below /proc), the system answers as if the parent were missing, and Node's recursive
 * mkdir then asks for ever.
 */
async function makeMissing(folder: string, mode: number): Promise<string | undefined> {
  const missing: string[] = [];
  for (let at = resolve(folder); !(await isThere(at)); at = dirname(at)) missing.unshift(at);
  for (const path of missing) {
    await files.mkdir(path, { mode }).catch((error: NodeJS.ErrnoException) => {
      // Another process made it meanwhile.
      if (error.code !== 'EEXIST') throw error;
    });
  }
  return missing[0];
}

/** The root of the file system has nothing above it to make it in. */
async function isThere(path: string): Promise<boolean> {
  if (dirname(path) !== path) return (await orMissing(files.stat(path))) !== undefined;
  await files.stat(path);
  return true;
}

/** Makes a folder and what is missing above it. Throws WB-209. */
export async function makeFolders(folder: string, mode = 0o777): Promise<void> {
  try {
    await makeMissing(folder, mode);
  } catch (error) {
    throw asFileError(error) ?? error;
  }
}

/** As `makeFolders`, for what must not wait. Throws WB-209. */
export function makeFoldersSync(folder: string, mode = 0o777): void {
  try {
    const missing: string[] = [];
    for (let at = resolve(folder); !existsSync(at); at = dirname(at)) {
      // The root of the file system has nothing above it to make it in.
      if (dirname(at) === at) break;
      missing.unshift(at);
    }
    for (const path of missing) {
      try {
        mkdirSync(path, { mode });
      } catch (error) {
        // Another process made it meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !existsSync(path)) throw error;
      }
    }
  } catch (error) {
    throw asFileError(error) ?? error;
  }
}

/** The folders that hold the new folders on the way to `folder`, of which `made` is the outermost. */
function parentsOf(folder: string, made: string): string[] {
  const outermost = dirname(resolve(made));
  const parents: string[] = [];
  for (let at = dirname(resolve(folder)); at.length >= outermost.length; at = dirname(at)) {
    parents.push(at);
    if (at === outermost) break;
  }
  return parents;
}

/**
 * Makes a folder and its parents; a crash after the return leaves them there. Also a folder that is there may have
 * been made by a process that ended before it was synchronised: the way to it is synchronised, as far as it is in
 * this file system and this user may read it. Throws WB-209.
 */
export function makeFolderDurable(folder: string): void {
  try {
    makeFoldersSync(folder);
    const { dev } = statSync(folder);
    let at = resolve(folder);
    do at = dirname(at);
    while (statSync(at).dev === dev && syncIfReadable(at) && dirname(at) !== at);
  } catch (error) {
    throw fileError(folder, error);
  }
}

function syncIfReadable(folder: string): boolean {
  let handle: number;
  try {
    handle = openSync(folder, 'r');
  } catch (error) {
    if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
  try {
    fsyncSync(handle);
    return true;
  } finally {
    closeSync(handle);
  }
}

/** Makes a rename or a new name in `folder` durable. Throws WB-209. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = openSync(folder, 'r');
    try {
      await synchronised(handle);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    throw fileError(folder, error);
  }
}

/** Reads a file of at most `maxBytes`; throws WB-209 naming the path. */
export async function readFileLimited(path: string, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (actual: string): Error =>
    fail(R.file, { expected: `${path} of at most ${maxBytes} bytes`, actual, class: 'limit' });
  try {
    const small = readSmall(path);
    if (small !== undefined && small.length > maxBytes) throw tooLarge(`${small.length} bytes`);
    if (small !== undefined) return small;
    const handle = await files.open(path, 'r');
    try {
      const stat = await handle.stat();
      if (stat.size > maxBytes) throw tooLarge(`${stat.size} bytes`);
      if (stat.isFile() || stat.isDirectory()) return new Uint8Array(await handle.readFile());
      // A pipe or a device has no size: what comes is counted.
      const chunks: Uint8Array[] = [];
      let length = 0;
      const stream = handle.createReadStream({ autoClose: false, end: maxBytes });
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        length += chunk.length;
        if (length > maxBytes) throw tooLarge('more');
        chunks.push(chunk);
      }
      return new Uint8Array(Buffer.concat(chunks));
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(path, error);
  }
}

const SMALL_BYTES = 1024 * 1024;

/**
 * The bytes of a small regular file; undefined for anything else. Handing such a read to another thread costs more
 * than the read, and every command starts with a few of them.
 */
function readSmall(path: string): Uint8Array | undefined {
  const stat = statSync(path);
  return stat.isFile() && stat.size <= SMALL_BYTES ? new Uint8Array(readFileSync(path)) : undefined;
}

/** The bytes of a file of any size, piece by piece; throws WB-209 naming the path. */
export async function* fileChunks(path: string): AsyncIterable<Uint8Array> {
  try {
    const small = readSmall(path);
    if (small !== undefined) return yield small;
    const handle = await files.open(path, 'r');
    try {
      yield* handle.createReadStream({ autoClose: false }) as AsyncIterable<Uint8Array>;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(path, error);
  }
}

/**
 * The bytes of standard input, or of another open file; throws WB-209. Node takes a folder there, and a disk, for
 * an input without bytes, and no bytes are something that somebody may have signed.
 */
export async function* inputChunks(fd = 0): AsyncIterable<Uint8Array> {
  try {
    const stat = fstatSync(fd);
    const isKnown = stat.isFile() || stat.isFIFO() || stat.isSocket() || stat.isCharacterDevice();
    const own = fd === 0 && isKnown;
    yield* own ? process.stdin : createReadStream('', { fd, autoClose: false });
  } catch (error) {
    throw fileError('standard input', error);
  }
}

/** All of standard input; undefined where it is longer than `maxBytes`. */
export async function readInputLimited(maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of inputChunks()) {
    length += chunk.length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** Like `readFileLimited`, but a missing file is undefined. */
export async function readFileIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await files.readFile(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError(path, error);
  }
}

/** As `readFileLimited`; undefined where there is no such file. A device without end is not read to its end. */
export async function readFileLimitedIfThere(
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  try {
    return await readFileLimited(path, maxBytes);
  } catch (error) {
    const cause = error instanceof WaybillError ? error.cause : undefined;
    if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return undefined;
    throw error;
  }
}

const words: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBADF: 'not open for that',
  EEXIST: 'a file is in the way',
  EISDIR: 'a folder',
  ELOOP: 'a link that leads to itself',
  ENOENT: 'no such file or folder',
  ENOSPC: 'no space left',
  ENOTDIR: 'a file is in the way',
  ENXIO: 'nobody reads from it',
  EPERM: 'not permitted',
  EROFS: 'a read-only file system',
};

/** WB-209 for an error of the system met at `path`; every other error as it is. */
export function fileError(path: string, error: unknown): Error {
  const code = (error as NodeJS.ErrnoException).code;
  return code === undefined ? (error as Error) : accessError(path, code, error);
}

function accessError(path: string, code: string, error: unknown): WaybillError {
  const word = words[code];
  const actual = word === undefined ? code : `${word} (${code})`;
  return fail(R.file, { expected: `access to ${path === '' ? 'a file' : path}`, actual }, error);
}

/** WB-209 for an error of the file system that names its path; undefined for every other error. */
export function asFileError(error: unknown): WaybillError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || path === undefined || syscall === undefined || syscall === 'connect')
    return undefined;
  return accessError(path, code, error);
}
