/**
 * A `LogStore` in an S3-compatible bucket. Keys below the log's prefix:
 *
 *     lock                       the checkpoint lock, moved with If-Match
 *     staging/<to>-<root>        batches not yet in full tiles
 *     tile/…, checkpoint         what readers see: a bucket that is public serves the log as tlog-tiles
 *
 * Names are derived, and one object a name would cost more than the log itself: they live in a SQLite file of the
 * machine, which a new machine makes again from the tiles when it opens the log.
 */
import { concat, readUint, toHex, uintBytes, utf8, utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { openNameIndex } from './name-index.ts';
import { R } from './reasons.ts';
import { sharedReads } from './shared-reads.ts';
import type { Cell, CheckpointLock, LogStore, Staging, TileStore } from './store.ts';
import type { Bucket } from './store-s3-bucket.ts';

export interface S3StoreOptions {
  readonly bucket: Bucket;
  /** File of the name index; absent: in memory, made again at every start. */
  readonly indexFile?: string;
  /** The checkpoint lock, when it lives elsewhere. */
  readonly lock?: CheckpointLock;
}

export function s3LogStore({ bucket, indexFile, lock }: S3StoreOptions): LogStore {
  const { close, ...names } = openNameIndex(indexFile);
  return {
    lock: lock ?? s3Cell(bucket, 'lock'),
    ...s3Staging(bucket),
    ...names,
    ...s3Tiles(bucket),
    // The bucket is its owner's.
    close: async () => close(),
  };
}

/** A text that moves by compare-and-swap on the object's tag. */
export function s3Cell(bucket: Bucket, key: string): Cell {
  const read = async () => {
    const object = await bucket.get(key);
    return object === undefined ? undefined : { text: utf8Text(object.bytes), etag: object.etag };
  };
  return {
    read: async () => (await read())?.text,
    swap: async (previous, next) => {
      if (previous === undefined) return bucket.put(key, utf8(next), { absent: true });
      const stored = await read();
      if (stored?.text !== previous) return false;
      return bucket.put(key, utf8(next), { etag: stored.etag });
    },
  };
}

/** Tiles and the published checkpoint alone, for a log whose rest lives in a database. */
export function s3Tiles(bucket: Bucket): TileStore {
  const checkpoint = s3Cell(bucket, 'checkpoint');
  return {
    writeTile: async (path, bytes) => {
      await bucket.put(path, bytes);
    },
    readTile: sharedReads(async (path) => (await bucket.get(path))?.bytes),
    publish: checkpoint.swap,
    published: checkpoint.read,
  };
}

const STAGING = 'staging/';
const SIZE_DIGITS = 16;
const SIZE_BYTES = 8;
const ROOT_BYTES = 32;

const stagedKey = (to: number, root: Uint8Array): string =>
  `${STAGING}${String(to).padStart(SIZE_DIGITS, '0')}-${toHex(root)}`;

function s3Staging(bucket: Bucket): Staging {
  return {
    stage: async ({ from, fromRoot, to, root, payload }) => {
      await bucket.put(stagedKey(to, root), concat(uintBytes(from, SIZE_BYTES), fromRoot, payload));
    },
    staged: async (to, root) => {
      const key = stagedKey(to, root);
      const bytes = (await bucket.get(key))?.bytes;
      if (bytes === undefined) return undefined;
      const head = SIZE_BYTES + ROOT_BYTES;
      if (bytes.length < head) {
        throw fail(R.objects, { expected: `a staged batch in ${key}`, actual: `${bytes.length} bytes` });
      }
      const fromRoot = bytes.subarray(SIZE_BYTES, head);
      return { from: readUint(bytes, 0, SIZE_BYTES), fromRoot, to, root, payload: bytes.subarray(head) };
    },
    unstage: async (size) => {
      const keys = await bucket.list(STAGING);
      const old = keys.filter(
        (key) => Number(key.slice(STAGING.length, STAGING.length + SIZE_DIGITS)) <= size,
      );
      await Promise.all(old.map((key) => bucket.delete(key)));
    },
  };
}
