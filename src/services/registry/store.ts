/**
 * What the registry keeps: bytes of blobs in a `BlobStore`, shared by all repositories; everything else in tables of
 * one SQLite database, whose writes a `Ledger` puts in order. A blob is visible in a repository only through its link
 * there.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '#base/brand';
import type { Clock } from '#base/clock';
import { digestAlgorithm, digestOf } from '#base/digest';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { artifactTypeOf, type Manifest } from '#formats/oci';
import { makeFoldersSync } from '#platform/files';
import { type Database, openDatabase } from '#platform/sqlite';
import { type Bucket, openBucket, requireConditionalWrites } from '#platform/store-s3-bucket';
import { type BlobStore, type ByteRange, FileBlobs, filesBelow, removeIfOld } from './blobs.ts';
import { BucketBlobs } from './bucket-blobs.ts';
import { type Change, prepareTables } from './changes.ts';
import { type Collected, collect } from './collect.ts';
import type { RegistryConfig } from './config.ts';
import { openJournal } from './journal.ts';
import { cutJournal } from './journal-floor.ts';
import { type Ledger, ownLedger } from './ledger.ts';
import { R } from './reasons.ts';
import { fetchSnapshot, SNAPSHOT_ENTRIES, writeSnapshot } from './snapshots.ts';
import { hasTables, TABLES_FILE } from './tables.ts';

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
  /** Asked at the moment of the write, with what the tag holds then; throws to refuse. */
  readonly check: (held: Digest | undefined) => void;
}

/** Where a store keeps its names and bytes. */
interface Places {
  readonly dataDir: string;
  readonly db: Database;
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
  readonly bucket?: Bucket;
  /** Throws inside a decision unless the bytes of a blob that is to be linked are there. */
  readonly requireContent: (digest: Digest) => void;
}

/** Opens the folder, or the folder and the bucket. Throws WB-214, WB-1101, WB-1104. */
export async function openRegistryStore(
  { dataDir, bucket, create = true }: Pick<RegistryConfig, 'dataDir' | 'bucket' | 'create'>,
  clock: Clock,
  random: Random,
): Promise<RegistryStore> {
  // Before anything is made: a folder that is refused stays as it was found.
  if (bucket === undefined) requireTables(dataDir, create);
  makeFoldersSync(join(dataDir, 'uploads'));
  const places =
    bucket === undefined
      ? ownPlaces(dataDir)
      : await bucketPlaces(dataDir, await openBucket(bucket), clock, random);
  return new RegistryStore(places, clock);
}

function ownPlaces(dataDir: string): Places {
  const db = openDatabase(join(dataDir, TABLES_FILE));
  prepareTables(db);
  const blobs = new FileBlobs(dataDir, db);
  return { dataDir, db, ledger: ownLedger(db), blobs, requireContent: () => {} };
}

/**
 * The tables are made before the first blob: where there are blobs, there were tables. Without `create` there were
 * tables in any case. Throws WB-1104.
 */
function requireTables(dataDir: string, create: boolean): void {
  if (hasTables(dataDir)) return;
  const [file, blobs] = [join(dataDir, TABLES_FILE), join(dataDir, 'blobs')];
  if (!create) {
    throw fail(R.tables, {
      expected: `${file} of the registry that was here`,
      actual: existsSync(dataDir) ? 'no tables' : 'no such folder',
      hint:
        'mount its volume, or bring the folder back from a backup; an empty registry takes its place only with ' +
        '--empty-registry, and every image in it has to be pushed again',
    });
  }
  if (!existsSync(blobs)) return;
  const kept = readdirSync(blobs, { recursive: true, withFileTypes: true }).find((entry) => entry.isFile());
  if (kept === undefined) return;
  const actual = `no tables, and blobs such as ${kept.name.slice(0, 12)} in ${blobs}`;
  throw fail(R.tables, { expected: `${file} of the blobs beside it`, actual });
}

async function bucketPlaces(dataDir: string, bucket: Bucket, clock: Clock, random: Random): Promise<Places> {
  await requireConditionalWrites(bucket);
  // What a machine has of the tables can be made again at any time; durable is what is in the bucket.
  const file = join(dataDir, 'names.sqlite');
  if (!existsSync(file)) await fetchSnapshot(bucket, file);
  const db = openDatabase(file, { mode: 'fast' });
  try {
    prepareTables(db);
    let isCopying = false;
    const onWritten = (position: number): void => {
      if (position % SNAPSHOT_ENTRIES !== 0 || isCopying) return;
      isCopying = true;
      // The next one is made in any case: entries are what counts.
      void writeSnapshot(bucket, db, position, file)
        .then(() => cutJournal(bucket))
        .catch(() => {})
        .finally(() => {
          isCopying = false;
        });
    };
    const ledger = await openJournal({ bucket, db, random, file: `${file}.begin`, onWritten });
    const blobs = new BucketBlobs({ bucket, db, ledger, clock, random });
    return { dataDir, db, ledger, blobs, bucket, requireContent: (digest) => blobs.requireContent(digest) };
  } catch (error) {
    db.close();
    bucket.close();
    throw error;
  }
}

export class RegistryStore {
  readonly #places: Places;
  readonly #db: Database;
  readonly #ledger: Ledger;
  readonly #clock: Clock;

  constructor(places: Places, clock: Clock) {
    this.#places = places;
    this.#db = places.db;
    this.#ledger = places.ledger;
    this.#clock = clock;
  }

  close(): void {
    this.#ledger.close();
    this.#places.blobs.close();
    this.#db.close();
  }

  /** What the machines of a registry share, where there are several. */
  get bucket(): Bucket | undefined {
    return this.#places.bucket;
  }

  /** Resolves when reads show at least everything acknowledged anywhere before the call. */
  fresh(): Promise<void> {
    return this.#ledger.fresh();
  }

  get uploadsDir(): string {
    return join(this.#places.dataDir, 'uploads');
  }

  // Blobs

  blobSize(repo: string, digest: Digest): number | undefined {
    const row = this.#db.prepare('SELECT size FROM blobs WHERE repo = ? AND digest = ?').get(repo, digest);
    return row === undefined ? undefined : Number(row['size']);
  }

  /** Makes a blob of another repository visible here; false when it is not there. */
  async mountBlob(from: string, repo: string, digest: Digest): Promise<boolean> {
    let isThere = false;
    await this.#ledger.commit(() => {
      const size = this.blobSize(from, digest);
      isThere = size !== undefined || this.blobSize(repo, digest) !== undefined;
      return size === undefined ? [] : [{ kind: 'link', repo, digest, size, at: this.#clock.now() }];
    });
    return isThere;
  }

  /** Takes a finished, synced upload file over. The digest was computed over exactly these bytes. */
  async commitBlob(file: string, repo: string, digest: Digest, size: number): Promise<void> {
    await this.#places.blobs.take({ file, digest, size }, (place) =>
      this.#ledger.commit(() => {
        if (place === undefined) this.#places.requireContent(digest);
        const at = this.#clock.now();
        return [{ kind: 'link', repo, digest, size, at, ...(place === undefined ? {} : { place }) }];
      }),
    );
  }

  /** The blob's bytes; what rotted never arrives whole. */
  readBlob(digest: Digest, range: ByteRange): Promise<AsyncIterable<Uint8Array>> {
    return this.#places.blobs.read(digest, range);
  }

  /** Removes the link; the bytes go with a later sweep. Refuses while a manifest names it (WB-1096). */
  deleteBlob(repo: string, digest: Digest): Promise<boolean> {
    return this.#removed(() => {
      const user = this.#db
        .prepare('SELECT manifest FROM parts WHERE repo = ? AND part = ?')
        .get(repo, digest);
      if (user !== undefined) {
        throw fail(R.inUse, { expected: `${digest} to be unused`, actual: `named by ${user['manifest']}` });
      }
      return this.blobSize(repo, digest) === undefined ? [] : [{ kind: 'unlink', repo, digest }];
    });
  }

  /** Commits, and says whether anything changed. */
  async #removed(decide: () => readonly Change[]): Promise<boolean> {
    let isChanged = false;
    await this.#ledger.commit(() => {
      const changes = decide();
      isChanged = changes.length > 0;
      return changes;
    });
    return isChanged;
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

  /** Stores a checked manifest, its parts and its tag in one step; durable when it resolves. */
  async putManifest(
    repo: string,
    manifest: Manifest,
    parts: readonly Digest[],
    options: PutManifestOptions,
  ): Promise<void> {
    const { digest, mediaType, bytes, subject } = manifest;
    const artifactType = artifactTypeOf(manifest);
    const { tag } = options;
    await this.#ledger.commit(() => {
      options.check(tag === undefined ? undefined : this.tagged(repo, tag));
      const own: Change = {
        ...{ kind: 'manifest', repo, digest, mediaType, bytes, at: this.#clock.now(), parts },
        ...(subject === undefined ? {} : { subject: subject.digest }),
        ...(artifactType === undefined ? {} : { artifactType }),
      };
      return tag === undefined ? [own] : [own, { kind: 'tag', repo, tag, digest }];
    });
  }

  deleteTag(repo: string, tag: string): Promise<boolean> {
    return this.#removed(() => (this.tagged(repo, tag) === undefined ? [] : [{ kind: 'untag', repo, tag }]));
  }

  /** Removes a manifest and every tag that names it. */
  deleteManifest(repo: string, digest: Digest): Promise<boolean> {
    return this.#removed(() =>
      this.hasManifest(repo, digest) ? [{ kind: 'unmanifest', repo, digest }] : [],
    );
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

  /** Digests of what is attached to a subject. */
  referrers(
    repo: string,
    subject: Digest,
    page: { readonly last: string; readonly count: number; readonly artifactType?: string },
  ): readonly Digest[] {
    const type = page.artifactType ?? null;
    return this.#db
      .prepare(
        `SELECT digest FROM manifests
         WHERE repo = ? AND subject = ? AND digest > ? AND (? IS NULL OR artifact_type = ?)
         ORDER BY digest LIMIT ?`,
      )
      .all(repo, subject, page.last, type, type, page.count)
      .map((row) => row['digest'] as Digest);
  }

  // Housekeeping

  /** Removes manifests nothing leads to, and links of blobs without a manifest, pushed before `olderThan`. */
  async collect(olderThan: number, isTrial = false): Promise<Collected> {
    await this.fresh();
    let { found } = collect(this.#db, olderThan);
    if (isTrial) return found;
    await this.#ledger.commit(() => {
      const now = collect(this.#db, olderThan);
      found = now.found;
      return now.changes;
    });
    return found;
  }

  /**
   * Removes bytes no repository links, and upload files, last changed before `olderThan` (milliseconds since the
   * epoch). A push that runs meanwhile is safe.
   */
  async sweep(olderThan: number): Promise<{ readonly removed: number }> {
    await this.fresh();
    let removed = await this.#places.blobs.sweep(olderThan);
    for (const path of await filesBelow(this.uploadsDir)) if (removeIfOld(path, olderThan)) removed++;
    return { removed };
  }
}

function intactManifest(row: ManifestRow): StoredManifest {
  const actual = digestOf(row.bytes, digestAlgorithm(row.digest));
  if (actual !== row.digest) throw fail(R.rotten, { expected: row.digest, actual });
  return { digest: row.digest, mediaType: row.media_type, bytes: row.bytes };
}
