/** Copies a folder into our own storage and hashes what was copied: the copy is what is used from then on. */
import { chmodSync, closeSync, lchownSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import { type Hasher, hasher } from '#base/crypto';
import { digest } from '#base/digest';
import { chunkBuffer, fileChunks, type TreeItem, type TreeLimits, walkTree } from './tree-walk.ts';

export interface StagedTree {
  readonly digest: Digest;
  readonly entries: number;
  readonly bytes: number;
}

/** After so many bytes or entries the event loop gets a turn. */
const TURN_BYTES = 16 * 1024 * 1024;
const TURN_ENTRIES = 500;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Pauses now and then while a synchronous walk goes on. */
export class Breather {
  #bytes = 0;
  #entries = 0;

  async after(bytes: number): Promise<void> {
    this.#bytes += bytes;
    this.#entries += 1;
    if (this.#bytes < TURN_BYTES && this.#entries < TURN_ENTRIES) return;
    this.#bytes = 0;
    this.#entries = 0;
    await turn();
  }
}

/**
 * Digest of a tree: SHA-256 over one line for each entry in byte order of the paths,
 * `<d|l|x|f> <sha256 of content or of link target, - for folders> <JSON of the path>\n`.
 * Modes count only as executable or not; times and owners do not.
 */
class TreeDigest {
  readonly #all: Hasher = hasher();

  add(item: TreeItem, content: string): void {
    const isExecutable = item.kind === 'file' && (item.mode & 0o111) !== 0;
    const kind = item.kind === 'folder' ? 'd' : item.kind === 'link' ? 'l' : isExecutable ? 'x' : 'f';
    this.#all.update(Buffer.from(`${kind} ${content} ${JSON.stringify(item.path)}\n`));
  }

  finish(): Digest {
    return digest(`sha256:${toHex(this.#all.finish())}`);
  }
}

export interface StageOptions {
  readonly limits: TreeLimits;
  /** Owner of the copies when the control plane is root. */
  readonly owner?: number;
}

/** Copies `from` to `to` (which must not exist). Links are copied as links, special files are refused. */
export async function stageTree(from: string, to: string, options: StageOptions): Promise<StagedTree> {
  mkdirSync(to, { mode: 0o755 });
  return walkAndHash(from, options, (item, chunks) => writeItem(to, item, chunks));
}

/** The digest of a tree without copying it. */
export const hashTree = (from: string, limits: TreeLimits): Promise<StagedTree> =>
  walkAndHash(from, { limits }, (_item, chunks) => {
    for (const _ of chunks) void _;
  });

async function walkAndHash(
  from: string,
  options: StageOptions,
  use: (item: TreeItem, chunks: Iterable<Uint8Array>) => void,
): Promise<StagedTree> {
  const all = new TreeDigest();
  const buffer = chunkBuffer();
  const breather = new Breather();
  let entries = 0;
  let bytes = 0;
  for (const item of walkTree(from, { limits: options.limits })) {
    const state = hasher();
    if (item.kind === 'link') state.update(Buffer.from(item.target));
    use(item, item.kind === 'file' ? hashed(fileChunks(item, buffer), state) : []);
    all.add(item, item.kind === 'folder' ? '-' : toHex(state.finish()));
    entries += 1;
    bytes += item.kind === 'file' ? item.size : 0;
    await breather.after(item.kind === 'file' ? item.size : 0);
  }
  return { digest: all.finish(), entries, bytes };
}

function* hashed(chunks: Iterable<Uint8Array>, state: Hasher): Generator<Uint8Array> {
  for (const chunk of chunks) {
    state.update(chunk);
    yield chunk;
  }
}

function writeItem(to: string, item: TreeItem, chunks: Iterable<Uint8Array>): void {
  const at = join(to, item.path);
  if (item.kind === 'folder') mkdirSync(at, { mode: 0o755 });
  else if (item.kind === 'link') symlinkSync(item.target, at);
  else writeCopy(at, item, chunks);
}

function writeCopy(
  at: string,
  item: Extract<TreeItem, { kind: 'file' }>,
  chunks: Iterable<Uint8Array>,
): void {
  const mode = (item.mode & 0o111) === 0 ? 0o644 : 0o755;
  const descriptor = openSync(at, 'wx', mode);
  try {
    for (const chunk of chunks) {
      for (let sent = 0; sent < chunk.length; ) sent += writeSync(descriptor, chunk, sent);
    }
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Removes a folder a build wrote into. A build can take away its own right to enter a folder; when we are the
 * same user we give it back first. Every process of the build is dead, so no folder turns into a link; only
 * without isolation one may be left that still writes, so a folder that fills again is emptied again.
 */
export async function removeTree(path: string): Promise<void> {
  if (process.getuid?.() !== 0) await openFolders(path);
  await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

async function openFolders(path: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined)) === undefined) return;
  await chmod(path, 0o700);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await openFolders(join(path, entry.name));
  }
}

/** A folder the build may write to. */
export function writableFolder(path: string, owner: number | undefined): void {
  mkdirSync(path, { mode: 0o700 });
  chmodSync(path, 0o700);
  if (owner !== undefined) lchownSync(path, owner, owner);
}
