/**
 * Blobs in a bucket: `blobs/<alg>/<xx>/<hex>/<time>-<random>`, an object for each upload. The journal says which of them
 * is a blob's; bytes that were given up can never be taken for those of a later push, because that has an object of
 * its own.
 */
import { rm } from 'node:fs/promises';
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import type { Clock } from '#base/clock';
import { hasher } from '#base/crypto';
import { digestAlgorithm, digestHex } from '#base/digest';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { Turns } from '#base/turns';
import type { Database } from '#platform/sqlite';
import type { Bucket } from '#platform/store-s3-bucket';
import type { BlobStore, ByteRange, Upload } from './blobs.ts';
import type { Ledger } from './ledger.ts';
import { R } from './reasons.ts';

export interface BucketBlobsOptions {
  readonly bucket: Bucket;
  readonly db: Database;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
}

const PREFIX = 'blobs/';
/** Uploads to the bucket at a time: each holds a part in memory. */
const UPLOADS_MAX = 4;

/** Thrown out of a decision: the bytes have to go up first. */
class NoContent extends Error {}

export class BucketBlobs implements BlobStore {
  readonly #options: BucketBlobsOptions;
  readonly #lanes = Array.from({ length: UPLOADS_MAX }, () => new Turns());
  #uploads = 0;

  constructor(options: BucketBlobsOptions) {
    this.#options = options;
  }

  #lane(): Turns {
    return this.#lanes[this.#uploads++ % UPLOADS_MAX] as Turns;
  }

  #place(digest: Digest): string | undefined {
    const row = this.#options.db.prepare('SELECT place FROM contents WHERE digest = ?').get(digest);
    return row === undefined ? undefined : String(row['place']);
  }

  /** Throws inside a decision unless the bytes of a blob are there. */
  requireContent(digest: Digest): void {
    if (this.#place(digest) === undefined) throw new NoContent(digest);
  }

  /** Bytes that another upload brought are not brought again, unless they are given up before the link is there. */
  async take({ file, digest, size }: Upload, link: (place?: string) => Promise<void>): Promise<void> {
    const { bucket, clock, random } = this.#options;
    const isLinked = await link().then(
      () => true,
      (error: unknown) => {
        if (error instanceof NoContent) return false;
        throw error;
      },
    );
    if (!isLinked) {
      const place = `${folderOf(digest)}/${clock.now().toString(36)}-${toHex(random.bytes(8))}`;
      await this.#lane().run(() => bucket.putFile(place, file, size));
      await link(place);
      // Somebody else's upload of the same bytes was linked first.
      if (this.#place(digest) !== place) await bucket.delete(place);
    }
    await rm(file, { force: true });
  }

  async read(digest: Digest, range: ByteRange): Promise<AsyncIterable<Uint8Array>> {
    const { bucket, ledger } = this.#options;
    const open = async () => {
      const place = this.#place(digest);
      if (place === undefined) throw fail(R.noBlob, { expected: `blob ${digest}`, actual: 'none any more' });
      return bucket.read(place, range.start, range.end);
    };
    // Another machine may have given it up since the names were read here.
    const body = (await open()) ?? (await ledger.fresh().then(open));
    if (body === undefined) throw fail(R.rotten, { expected: digest, actual: 'no object' });
    const isWhole = range.start === 0 && range.end === range.size - 1;
    return isWhole ? untilLast(body, digest) : body;
  }

  async sweep(olderThan: number): Promise<number> {
    const { bucket, db, ledger } = this.#options;
    const gone: string[] = [];
    await ledger.commit(() => {
      gone.length = 0;
      const unlinked = db
        .prepare('SELECT digest, place FROM contents WHERE digest NOT IN (SELECT digest FROM blobs)')
        .all()
        .map((row) => ({ digest: row['digest'] as Digest, place: String(row['place']) }))
        .filter(({ place }) => uploadedAt(place) < olderThan);
      gone.push(...unlinked.map(({ place }) => place));
      return unlinked.map(({ digest }) => ({ kind: 'forget', digest }));
    });
    for (const place of gone) await bucket.delete(place);
    return gone.length + (await this.#removeStrays(olderThan));
  }

  /** What an upload left that ended before its link was written, or a sweep that ended before its last line. */
  async #removeStrays(olderThan: number): Promise<number> {
    const { bucket, db } = this.#options;
    const isUsed = db.prepare('SELECT 1 FROM contents WHERE place = ? LIMIT 1');
    let removed = 0;
    for (const place of await bucket.list(PREFIX)) {
      if (uploadedAt(place) >= olderThan || isUsed.get(place) !== undefined) continue;
      await bucket.delete(place);
      removed++;
    }
    return removed;
  }

  close(): void {
    this.#options.bucket.close();
  }
}

function folderOf(digest: Digest): string {
  const hex = digestHex(digest);
  return `${PREFIX}${digestAlgorithm(digest)}/${hex.slice(0, 2)}/${hex}`;
}

/** Milliseconds since the epoch; Infinity for a key that is none of ours. */
function uploadedAt(place: string): number {
  const [, time] = /\/([0-9a-z]{1,12})-[0-9a-f]{16}$/.exec(place) ?? [];
  return time === undefined ? Number.POSITIVE_INFINITY : Number.parseInt(time, 36);
}

/** Holds the last bytes back until all have the digest: who reads other bytes never sees a whole blob. */
async function* untilLast(body: AsyncIterable<Uint8Array>, digest: Digest): AsyncIterable<Uint8Array> {
  const algorithm = digestAlgorithm(digest);
  const state = hasher(algorithm);
  let held: Uint8Array | undefined;
  for await (const chunk of body) {
    if (held !== undefined) yield held;
    state.update(chunk);
    held = chunk;
  }
  const actual = `${algorithm}:${toHex(state.finish())}`;
  if (actual !== digest) throw fail(R.rotten, { expected: digest, actual });
  if (held !== undefined) yield held;
}
