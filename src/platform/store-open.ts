/** Opens what a log lives in from its settings: the store, and where it has one the queue and the lease. */
import { fail } from '#base/reason';
import { R } from './reasons.ts';
import type { Cell, EntryQueue, LogStore } from './store.ts';
import { openLogStore } from './store-embedded.ts';
import { openPostgres, postgresCell, postgresLogStore } from './store-postgres.ts';
import { postgresQueue } from './store-postgres-queue.ts';
import { s3Cell, s3LogStore, s3Tiles } from './store-s3.ts';
import { type Bucket, type BucketOptions, openBucket, requireConditionalWrites } from './store-s3-bucket.ts';

export type StoreSettings =
  /** One machine. Without a directory: in memory. */
  | { readonly kind: 'embedded'; readonly directory?: string; readonly lockFile?: string }
  /** Many machines: state, lock and queue in a database, tiles there or in a bucket. */
  | {
      readonly kind: 'postgres';
      readonly url: string;
      readonly log: string;
      readonly tiles?: BucketOptions;
    }
  /** One writer at a time on any machine: everything in a bucket, names in a file that can be made again. */
  | { readonly kind: 's3'; readonly bucket: BucketOptions; readonly indexFile?: string };

export interface OpenedStore {
  readonly store: LogStore;
  /** Elects who sequences. */
  readonly lease?: Cell;
  /** From front ends to the sequencer. */
  readonly queue?: EntryQueue;
  /** Closes what the store was opened over; the store itself is closed by its log. */
  close(): Promise<void>;
}

/**
 * `mustExist`: a database or bucket that holds nothing of the log is refused and stays as it is. Errors: WB-213, WB-214,
 * WB-215 for data of another version, or none.
 */
export async function openStore(settings: StoreSettings, mustExist = false): Promise<OpenedStore> {
  if (settings.kind === 'embedded') {
    return { store: openLogStore(settings.directory, settings.lockFile), close: async () => {} };
  }
  return settings.kind === 's3' ? openS3(settings, mustExist) : openDatabase(settings, mustExist);
}

/** What `embeddedLogStore` keeps in its database, for stores that many machines open. */
const FORMAT = '1';

async function requireFormat(cell: Cell, mustExist: boolean): Promise<void> {
  if (!mustExist && (await cell.swap(undefined, FORMAT))) return;
  const found = await cell.read();
  if (found === FORMAT) return;
  const actual = found === undefined ? 'no log of this name' : `format ${JSON.stringify(found)}`;
  throw fail(R.format, { expected: `data of format ${FORMAT}`, actual });
}

async function openS3(settings: StoreSettings & { kind: 's3' }, mustExist: boolean): Promise<OpenedStore> {
  const bucket = await checkedBucket(settings.bucket);
  await requireFormat(s3Cell(bucket, 'format'), mustExist);
  const { indexFile } = settings;
  const store = s3LogStore({ bucket, ...(indexFile === undefined ? {} : { indexFile }) });
  return { store, lease: s3Cell(bucket, 'lease'), close: async () => bucket.close() };
}

async function openDatabase(
  settings: StoreSettings & { kind: 'postgres' },
  mustExist: boolean,
): Promise<OpenedStore> {
  const { url, log, tiles } = settings;
  const bucket = tiles === undefined ? undefined : await checkedBucket(tiles);
  const db = await openPostgres(url);
  await requireFormat(postgresCell(db, log, 'format'), mustExist).catch(async (error: unknown) => {
    await db.close();
    throw error;
  });
  const queue = await postgresQueue(db, log);
  return {
    store: postgresLogStore(db, { log, ...(bucket === undefined ? {} : { tiles: s3Tiles(bucket) }) }),
    lease: postgresCell(db, log, 'lease'),
    queue,
    close: async () => {
      await queue.close();
      await db.close();
      bucket?.close();
    },
  };
}

async function checkedBucket(options: BucketOptions): Promise<Bucket> {
  const bucket = await openBucket(options);
  await requireConditionalWrites(bucket);
  return bucket;
}
