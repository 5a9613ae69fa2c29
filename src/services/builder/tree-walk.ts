/**
 * Walks a folder that strangers wrote, through descriptors: every name is opened relative to the open folder
 * above it and never through a link, so nothing that is swapped in between can lead outside.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { fail } from '#base/reason';
import { R } from './reasons.ts';

export interface TreeLimits {
  readonly files: number;
  readonly bytes: number;
  readonly pathBytes: number;
}

export const outputLimits: TreeLimits = { files: 500_000, bytes: 8 * 1024 ** 3, pathBytes: 2048 };

export type TreeItem =
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  /** `descriptor` is open only until the next item is asked for. */
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode: number;
      readonly size: number;
      readonly descriptor: number;
    };

export interface WalkOptions {
  readonly limits: TreeLimits;
  /** Owner every entry must have; a build cannot make files of another user. */
  readonly uid?: number;
}

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const fileFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

const refuse = (path: string, actual: string): Error =>
  fail(R.output, {
    expected: 'regular files, folders and links',
    actual: `${JSON.stringify(path)}: ${actual}`,
  });

/** A folder that is open; its path counts only where there is no /proc. */
interface OpenFolder {
  readonly descriptor: number;
  readonly path: string;
}

const hasDescriptorPaths = process.platform === 'linux';

/**
 * An open folder as a path. On Linux lookup starts at the descriptor, as openat does it. Elsewhere it is the plain
 * path: only the back end that isolates nothing runs there.
 */
const openPath = ({ descriptor, path }: OpenFolder): string =>
  hasDescriptorPaths ? `/proc/self/fd/${descriptor}` : path;

const below = (folder: OpenFolder, name: string): string => `${openPath(folder)}/${name}`;

interface Count {
  files: number;
  bytes: number;
}

/** Entries in byte order of their paths, folders before what is in them. `root` itself is not an entry. */
export function* walkTree(root: string, options: WalkOptions): Generator<TreeItem> {
  let descriptor: number;
  try {
    descriptor = openSync(root, folderFlags);
  } catch (error) {
    throw refuse(root, `not a folder (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
  try {
    yield* walkFolder({ descriptor, path: root }, '', options, { files: 0, bytes: 0 });
  } finally {
    closeSync(descriptor);
  }
}

function* walkFolder(
  folder: OpenFolder,
  prefix: string,
  options: WalkOptions,
  count: Count,
): Generator<TreeItem> {
  const names = readdirSync(openPath(folder), { encoding: 'buffer' }).sort(Buffer.compare);
  for (const raw of names) {
    const name = raw.toString('utf8');
    const path = prefix === '' ? name : `${prefix}/${name}`;
    if (!Buffer.from(name, 'utf8').equals(raw)) throw refuse(path, 'a name that is not UTF-8');
    checkCounts(path, options, count);
    yield* visit(folder, name, path, options, count);
  }
}

function checkCounts(path: string, { limits }: WalkOptions, count: Count): void {
  count.files += 1;
  if (count.files > limits.files) {
    throw fail(R.outputLimit, { expected: `at most ${limits.files} entries`, actual: `more, at ${path}` });
  }
  if (Buffer.byteLength(path) > limits.pathBytes) {
    const actual = `${path.slice(0, 200)}…`;
    throw fail(R.outputLimit, { expected: `paths of at most ${limits.pathBytes} bytes`, actual });
  }
}

function* visit(
  folder: OpenFolder,
  name: string,
  path: string,
  options: WalkOptions,
  count: Count,
): Generator<TreeItem> {
  let descriptor: number;
  try {
    descriptor = openSync(below(folder, name), fileFlags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // O_NOFOLLOW on a link; everything else that cannot be opened (a socket, no permission) is refused.
    if (code === 'ELOOP') return yield linkItem(folder, name, path);
    throw refuse(path, code ?? 'cannot be opened');
  }
  try {
    const stat = fstatSync(descriptor);
    if (options.uid !== undefined && stat.uid !== options.uid) {
      throw refuse(path, `belongs to uid ${stat.uid}, not to the build`);
    }
    if (stat.isDirectory()) {
      yield { kind: 'folder', path, mode: stat.mode & 0o7777 };
      yield* walkFolder({ descriptor, path: below(folder, name) }, path, options, count);
      return;
    }
    if (!stat.isFile()) throw refuse(path, 'a device, pipe or socket');
    count.bytes += stat.size;
    if (count.bytes > options.limits.bytes) {
      throw fail(R.outputLimit, {
        expected: `at most ${options.limits.bytes} bytes`,
        actual: `more, at ${path}`,
      });
    }
    yield { kind: 'file', path, mode: stat.mode & 0o7777, size: stat.size, descriptor };
  } finally {
    closeSync(descriptor);
  }
}

/** A link is data: kept as it is written, never followed. */
function linkItem(folder: OpenFolder, name: string, path: string): TreeItem {
  const raw = readlinkSync(below(folder, name), { encoding: 'buffer' });
  const target = raw.toString('utf8');
  if (!Buffer.from(target, 'utf8').equals(raw)) throw refuse(path, 'a link target that is not UTF-8');
  return { kind: 'link', path, target };
}

/** Whether a relative link at `path` climbs above the root of its tree. */
export function climbsOut(path: string, target: string): boolean {
  if (target.startsWith('/')) return false;
  let depth = path.split('/').length - 1;
  for (const part of target.split('/')) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

const CHUNK_BYTES = 1024 * 1024;

/**
 * The bytes of an open file, exactly `size` of them: a file that grows or shrinks meanwhile is refused. The
 * chunks are one buffer used again; whoever keeps one must copy it.
 */
export function* fileChunks(
  item: Extract<TreeItem, { kind: 'file' }>,
  buffer: Buffer,
): Generator<Uint8Array> {
  let left = item.size;
  while (left > 0) {
    const got = readSync(item.descriptor, buffer, 0, Math.min(left, buffer.length), null);
    if (got === 0) throw refuse(item.path, 'it became shorter while it was read');
    left -= got;
    yield buffer.subarray(0, got);
  }
  if (readSync(item.descriptor, buffer, 0, 1, null) !== 0) {
    throw refuse(item.path, 'it became longer while it was read');
  }
}

export const chunkBuffer = (): Buffer => Buffer.allocUnsafe(CHUNK_BYTES);
