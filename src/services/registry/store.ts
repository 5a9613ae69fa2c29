/**
 * What the registry keeps: blobs as files named by their digest, shared by all repositories; everything else
 * in one SQLite database. A blob is visible in a repository only through its link there.
 *
 * Order, so that a crash leaves no name without its bytes: file synced → renamed → folder synced → link
 * committed. Renaming, linking and removing are one synchronous step each, so the sweep never sees half.
 */
import {
  closeSync,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import type { Clock } from '#base/clock';
import { hasher } from '#base/crypto';
import { digestAlgorithm, digestHex, digestOf, parseDigest } from '#base/digest';
import { fail } from '#base/reason';
import { artifactTypeOf, type Manifest } from '#formats/oci';
import { type Database, openDatabase, transaction } from '#platform/sqlite';
import { type Collected, collect, removeManifest } from './collect.ts';
import { R } from './reasons.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS blobs (
    repo TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
    linked_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (repo, digest)) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS blobs_by_digest ON blobs (digest);
  CREATE TABLE IF NOT EXISTS manifests (
    repo TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL, bytes BLOB NOT NULL,
    subject TEXT, artifact_type TEXT,
    pushed_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (repo, digest)) STRICT;
  CREATE INDEX IF NOT EXISTS manifests_by_subject ON manifests (repo, subject, digest)
    WHERE subject IS NOT NULL;
  CREATE TABLE IF NOT EXISTS parts (
    repo TEXT NOT NULL, manifest TEXT NOT NULL, part TEXT NOT NULL,
    PRIMARY KEY (repo, part, manifest)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tags (
    repo TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (repo, tag)) STRICT, WITHOUT ROWID;
`;

/** Columns that registries of an earlier version have not; what is in those counts as pushed long ago. */
const ADDED = [
  ['blobs', 'linked_at'],
  ['manifests', 'pushed_at'],
] as const;

export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

interface ManifestRow {
  digest: Digest;
  media_type: string;
  bytes: Uint8Array;
}

export interface PutManifestOptions {
  readonly tag?: string;
  /** Asked inside the transaction with what the tag holds now; throws to refuse. */
  readonly mayMove?: (held: Digest | undefined) => void;
}

export class RegistryStore {
  readonly #db: Database;
  readonly #dataDir: string;
  /** Digest → modification time of the file when its content was last seen to match. */
  readonly #intact = new Map<Digest, number>();

  readonly #clock: Clock;

  constructor(dataDir: string, clock: Clock) {
    this.#dataDir = dataDir;
    this.#clock = clock;
    mkdirSync(join(dataDir, 'uploads'), { recursive: true });
    mkdirSync(join(dataDir, 'blobs'), { recursive: true });
    this.#db = openDatabase(join(dataDir, 'registry.sqlite'));
    this.#db.exec(SCHEMA);
    for (const [table, column] of ADDED) {
      const columns = this.#db.prepare(`PRAGMA table_info(${table})`).all();
      if (columns.some((one) => one['name'] === column)) continue;
      this.#db.exec(`ALTER TABLE ${table} ADD COLUMN ${column} INTEGER NOT NULL DEFAULT 0`);
    }
  }

  close(): void {
    this.#db.close();
  }

  get uploadsDir(): string {
    return join(this.#dataDir, 'uploads');
  }

  #blobPath(digest: Digest): string {
    const hex = digestHex(digest);
    return join(this.#dataDir, 'blobs', digestAlgorithm(digest), hex.slice(0, 2), hex);
  }

  // Blobs

  blobSize(repo: string, digest: Digest): number | undefined {
    const row = this.#db.prepare('SELECT size FROM blobs WHERE repo = ? AND digest = ?').get(repo, digest);
    return row === undefined ? undefined : Number(row['size']);
  }

  /** Makes a blob of another repository visible here; false when it is not there. */
  mountBlob(from: string, repo: string, digest: Digest): boolean {
    const copied = this.#db
      .prepare(
        'INSERT OR REPLACE INTO blobs SELECT ?, digest, size, ? FROM blobs WHERE repo = ? AND digest = ?',
      )
      .run(repo, this.#clock.now(), from, digest);
    return copied.changes > 0 || this.blobSize(repo, digest) !== undefined;
  }

  /** Takes a finished, synced upload file over. The digest was computed over exactly these bytes. */
  commitBlob(file: string, repo: string, digest: Digest, size: number): void {
    const path = this.#blobPath(digest);
    const folder = dirname(path);
    const isNew = mkdirSync(folder, { recursive: true }) !== undefined;
    transaction(this.#db, () => {
      renameSync(file, path);
      syncFolders(isNew ? [folder, dirname(folder), dirname(dirname(folder))] : [folder]);
      this.#db
        .prepare('INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?)')
        .run(repo, digest, size, this.#clock.now());
    });
    this.#intact.set(digest, statSync(path).mtimeMs);
  }

  /** The blob's bytes from `start` to `end` inclusive. What rotted is refused before a byte leaves. */
  async readBlob(digest: Digest, start: number, end: number): Promise<AsyncIterable<Uint8Array>> {
    const path = this.#blobPath(digest);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: -1 }));
    if (this.#intact.get(digest) !== mtimeMs || mtimeMs < 0) {
      const actual = mtimeMs < 0 ? 'no file' : await fileDigest(path, digest);
      if (actual !== digest) throw fail(R.rotten, { expected: digest, actual });
      this.#intact.set(digest, mtimeMs);
    }
    return createReadStream(path, { start, end: Math.max(end, start) });
  }

  /** Removes the link; the file goes with the next sweep. Refuses while a manifest names it (WB-1096). */
  deleteBlob(repo: string, digest: Digest): boolean {
    const user = this.#db.prepare('SELECT manifest FROM parts WHERE repo = ? AND part = ?').get(repo, digest);
    if (user !== undefined) {
      throw fail(R.inUse, { expected: `${digest} to be unused`, actual: `named by ${user['manifest']}` });
    }
    return this.#db.prepare('DELETE FROM blobs WHERE repo = ? AND digest = ?').run(repo, digest).changes > 0;
  }

  // Manifests and tags

  hasManifest(repo: string, digest: Digest): boolean {
    return (
      this.#db.prepare('SELECT 1 FROM manifests WHERE repo = ? AND digest = ?').get(repo, digest) !==
      undefined
    );
  }

  manifest(repo: string, digest: Digest): StoredManifest | undefined {
    const row = this.#db
      .prepare('SELECT digest, media_type, bytes FROM manifests WHERE repo = ? AND digest = ?')
      .get(repo, digest) as ManifestRow | undefined;
    return row === undefined ? undefined : intactManifest(row);
  }

  /** Names of all manifests after `last`, in the order of repository and digest. */
  manifestNames(
    last: { readonly repo: string; readonly digest: string },
    count: number,
  ): readonly { readonly repo: string; readonly digest: Digest }[] {
    return this.#db
      .prepare(
        'SELECT repo, digest FROM manifests WHERE (repo, digest) > (?, ?) ORDER BY repo, digest LIMIT ?',
      )
      .all(last.repo, last.digest, count)
      .map((row) => ({ repo: String(row['repo']), digest: row['digest'] as Digest }));
  }

  tagged(repo: string, tag: string): Digest | undefined {
    const row = this.#db.prepare('SELECT digest FROM tags WHERE repo = ? AND tag = ?').get(repo, tag);
    return row?.['digest'] as Digest | undefined;
  }

  /** Stores a checked manifest, its parts and its tag in one transaction; durable when it returns. */
  putManifest(
    repo: string,
    manifest: Manifest,
    parts: readonly Digest[],
    options: PutManifestOptions = {},
  ): void {
    transaction(this.#db, () => {
      if (options.tag !== undefined) options.mayMove?.(this.tagged(repo, options.tag));
      this.#db
        .prepare('INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?)')
        .run(
          repo,
          manifest.digest,
          manifest.mediaType,
          manifest.bytes,
          manifest.subject?.digest ?? null,
          artifactTypeOf(manifest) ?? null,
          this.#clock.now(),
        );
      const link = this.#db.prepare('INSERT OR IGNORE INTO parts VALUES (?, ?, ?)');
      for (const part of parts) link.run(repo, manifest.digest, part);
      if (options.tag === undefined) return;
      this.#db
        .prepare('INSERT OR REPLACE INTO tags VALUES (?, ?, ?)')
        .run(repo, options.tag, manifest.digest);
    });
  }

  deleteTag(repo: string, tag: string): boolean {
    return this.#db.prepare('DELETE FROM tags WHERE repo = ? AND tag = ?').run(repo, tag).changes > 0;
  }

  /** Removes a manifest and every tag that names it. */
  deleteManifest(repo: string, digest: Digest): boolean {
    return transaction(this.#db, () => removeManifest(this.#db, repo, digest));
  }

  // Lists, each sorted and after `last`

  hasRepository(repo: string): boolean {
    const row = this.#db.prepare('SELECT 1 FROM manifests WHERE repo = ? LIMIT 1').get(repo);
    return (
      row !== undefined ||
      this.#db.prepare('SELECT 1 FROM blobs WHERE repo = ? LIMIT 1').get(repo) !== undefined
    );
  }

  tags(repo: string, last: string, count: number): readonly string[] {
    return this.#db
      .prepare('SELECT tag FROM tags WHERE repo = ? AND tag > ? ORDER BY tag LIMIT ?')
      .all(repo, last, count)
      .map((row) => String(row['tag']));
  }

  repositories(last: string, count: number): readonly string[] {
    return this.#db
      .prepare('SELECT DISTINCT repo FROM manifests WHERE repo > ? ORDER BY repo LIMIT ?')
      .all(last, count)
      .map((row) => String(row['repo']));
  }

  referrers(
    repo: string,
    subject: Digest,
    page: { readonly last: string; readonly count: number; readonly artifactType?: string },
  ): readonly StoredManifest[] {
    const rows = this.#db
      .prepare(
        `SELECT digest, media_type, bytes FROM manifests
         WHERE repo = ? AND subject = ? AND digest > ? AND (? IS NULL OR artifact_type = ?)
         ORDER BY digest LIMIT ?`,
      )
      .all(repo, subject, page.last, page.artifactType ?? null, page.artifactType ?? null, page.count);
    return (rows as unknown as ManifestRow[]).map(intactManifest);
  }

  // Housekeeping

  /** Removes manifests nothing leads to, and links of blobs without a manifest, pushed before `olderThan`. */
  collect(olderThan: number, isTrial = false): Collected {
    return collect(this.#db, olderThan, isTrial);
  }

  /**
   * Removes blob files no repository links, and upload files, last changed before `olderThan` (milliseconds
   * since the epoch). A push that runs meanwhile is safe: its file is younger, or linked in the same step.
   */
  async sweep(olderThan: number): Promise<{ readonly removed: number }> {
    let removed = 0;
    for (const path of [
      ...(await filesBelow(join(this.#dataDir, 'blobs'))),
      ...(await filesBelow(this.uploadsDir)),
    ]) {
      if (this.#removeIfUnused(path, olderThan)) removed++;
    }
    return { removed };
  }

  #removeIfUnused(path: string, olderThan: number): boolean {
    return transaction(this.#db, () => {
      const info = statSync(path, { throwIfNoEntry: false });
      if (info === undefined || info.mtimeMs >= olderThan) return false;
      const digest = parseDigest(path.split('/').slice(-3).toSpliced(1, 1).join(':'));
      const isLinked =
        digest.ok && this.#db.prepare('SELECT 1 FROM blobs WHERE digest = ? LIMIT 1').get(digest.value);
      if (isLinked) return false;
      rmSync(path);
      if (digest.ok) this.#intact.delete(digest.value);
      return true;
    });
  }
}

function intactManifest(row: ManifestRow): StoredManifest {
  const actual = digestOf(row.bytes, digestAlgorithm(row.digest));
  if (actual !== row.digest) throw fail(R.rotten, { expected: row.digest, actual });
  return { digest: row.digest, mediaType: row.media_type, bytes: row.bytes };
}

/** The digest of a file with the algorithm of `like`. */
export async function fileDigest(path: string, like: Digest): Promise<string> {
  const algorithm = digestAlgorithm(like);
  const state = hasher(algorithm);
  for await (const chunk of createReadStream(path)) state.update(chunk as Uint8Array);
  return `${algorithm}:${toHex(state.finish())}`;
}

function syncFolders(folders: readonly string[]): void {
  for (const folder of folders) {
    const handle = openSync(folder, 'r');
    fsyncSync(handle);
    closeSync(handle);
  }
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
