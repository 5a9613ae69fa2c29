/** Where the bytes of blobs lie. */
import { createReadStream, renameSync, rmSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import { hasher } from '#base/crypto';
import { digestAlgorithm, digestHex, parseDigest } from '#base/digest';
import { fail } from '#base/reason';
import { makeFoldersSync, syncFolder } from '#platform/files';
import { type Database, transaction } from '#platform/sqlite';
import { R } from './reasons.ts';

/** A finished, synced upload; the digest was computed over exactly these bytes. */
export interface Upload {
  readonly file: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/**
 * Contract: when `take` resolves, the bytes are durable and `link` was committed; the file is gone. `read` never ends
 * normally with other bytes than those of the digest. `sweep` removes bytes no repository links and uploads given up,
 * older than a time in milliseconds since the epoch, and never what a push that runs meanwhile needs.
 */
export interface BlobStore {
  /** `link` commits what makes the blob visible; `place` says where its bytes lie, when that is not clear by its digest. */
  take(upload: Upload, link: (place?: string) => Promise<void>): Promise<void>;
  /** Bytes `start` to `end` inclusive of a blob of `size` bytes. */
  read(digest: Digest, range: ByteRange): Promise<AsyncIterable<Uint8Array>>;
  sweep(olderThan: number): Promise<number>;
  close(): void;
}

export interface ByteRange {
  readonly start: number;
  readonly end: number;
  readonly size: number;
}

/**
 * Files named by their digest. Order, so that a crash leaves no name without its bytes: file synced → renamed → folder
 * synced → link committed. The sweep leaves alone what is on this way, and looks and removes in one synchronous step.
 */
export class FileBlobs implements BlobStore {
  readonly #dataDir: string;
  readonly #db: Database;
  /** Digest → modification time of the file when its content was last seen to match. */
  readonly #intact = new Map<Digest, number>();
  /** Renamed, and not linked yet; how often. */
  readonly #taking = new Map<Digest, number>();
  /** Folders whose own names are synced. */
  readonly #durable = new Set<string>();

  constructor(dataDir: string, db: Database) {
    this.#dataDir = dataDir;
    this.#db = db;
    makeFoldersSync(join(dataDir, 'blobs'));
  }

  #path(digest: Digest): string {
    const hex = digestHex(digest);
    return join(this.#dataDir, 'blobs', digestAlgorithm(digest), hex.slice(0, 2), hex);
  }

  async take({ file, digest }: Upload, link: () => Promise<void>): Promise<void> {
    const path = this.#path(digest);
    const folder = dirname(path);
    makeFoldersSync(folder);
    this.#taking.set(digest, (this.#taking.get(digest) ?? 0) + 1);
    try {
      renameSync(file, path);
      await syncFolder(folder);
      await this.#keepFolder(folder);
      await link();
      this.#intact.set(digest, statSync(path).mtimeMs);
    } finally {
      const others = (this.#taking.get(digest) ?? 1) - 1;
      if (others > 0) this.#taking.set(digest, others);
      else this.#taking.delete(digest);
    }
  }

  /** A folder somebody made may not be durable yet: everybody sees to it, once. */
  async #keepFolder(folder: string): Promise<void> {
    if (this.#durable.has(folder)) return;
    for (const parent of [dirname(folder), dirname(dirname(folder))]) await syncFolder(parent);
    this.#durable.add(folder);
  }

  /** What rotted is refused before a byte leaves. */
  async read(digest: Digest, { start, end }: ByteRange): Promise<AsyncIterable<Uint8Array>> {
    const path = this.#path(digest);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: -1 }));
    if (this.#intact.get(digest) !== mtimeMs || mtimeMs < 0) {
      const actual = mtimeMs < 0 ? 'no file' : await fileDigest(path, digest);
      if (actual !== digest) throw fail(R.rotten, { expected: digest, actual });
      this.#intact.set(digest, mtimeMs);
    }
    return createReadStream(path, { start, end: Math.max(end, start) });
  }

  async sweep(olderThan: number): Promise<number> {
    let removed = 0;
    for (const path of await filesBelow(join(this.#dataDir, 'blobs'))) {
      if (this.#removeIfUnused(path, olderThan)) removed++;
    }
    return removed;
  }

  #removeIfUnused(path: string, olderThan: number): boolean {
    return transaction(this.#db, () => {
      const digest = parseDigest(path.split('/').slice(-3).toSpliced(1, 1).join(':'));
      if (digest.ok && this.#taking.has(digest.value)) return false;
      const isLinked =
        digest.ok && this.#db.prepare('SELECT 1 FROM blobs WHERE digest = ? LIMIT 1').get(digest.value);
      if (isLinked || !removeIfOld(path, olderThan)) return false;
      if (digest.ok) this.#intact.delete(digest.value);
      return true;
    });
  }

  close(): void {}
}

export function removeIfOld(path: string, olderThan: number): boolean {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined || info.mtimeMs >= olderThan) return false;
  rmSync(path);
  return true;
}

/** The digest of a file with the algorithm of `like`. */
export async function fileDigest(path: string, like: Digest): Promise<string> {
  const algorithm = digestAlgorithm(like);
  const state = hasher(algorithm);
  for await (const chunk of createReadStream(path)) state.update(chunk as Uint8Array);
  return `${algorithm}:${toHex(state.finish())}`;
}

export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
