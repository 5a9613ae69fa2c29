/** Tables of a registry in its bucket, so that a machine that begins does not read every entry ever written. */
import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { utf8, utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import type { Database } from '#platform/sqlite';
import { s3Cell } from '#platform/store-s3';
import type { Bucket } from '#platform/store-s3-bucket';
import { R } from './reasons.ts';

/** Entries between two snapshots. */
export const SNAPSHOT_ENTRIES = 1000;
const FETCHES_MAX = 5;

interface Snapshot {
  readonly position: number;
  /** Bytes. */
  readonly size: number;
}

const snapshotKey = (position: number): string => `snapshots/${position}`;

function parseSnapshot(text: string): Snapshot {
  const json = reader(unwrap(parseJson(utf8(text))), 'snapshot', { as: R.journal });
  return { position: json.integer('position'), size: json.integer('size') };
}

/** The newest one that is whole; undefined before the first. */
export async function newestSnapshot(bucket: Bucket): Promise<Snapshot | undefined> {
  const found = await bucket.get('snapshot');
  return found === undefined ? undefined : parseSnapshot(utf8Text(found.bytes));
}

/** Brings the newest snapshot to `file`; does nothing without one. */
export async function fetchSnapshot(bucket: Bucket, file: string): Promise<void> {
  for (let attempt = 0; attempt < FETCHES_MAX; attempt++) {
    const found = await newestSnapshot(bucket);
    if (found === undefined) return;
    const { position, size } = found;
    const body = await bucket.read(snapshotKey(position), 0, size - 1);
    // Replaced between the two: the newer one is there.
    if (body === undefined) continue;
    const part = `${file}.part`;
    await pipeline(body, createWriteStream(part));
    await rename(part, file);
    return;
  }
  throw fail(R.journal, { expected: 'the snapshot that is named', actual: 'none in the bucket' });
}

/** Writes a snapshot of the tables as they are and makes it the newest, unless another machine's is newer. */
export async function writeSnapshot(
  bucket: Bucket,
  db: Database,
  position: number,
  file: string,
): Promise<void> {
  const copy = `${file}.snapshot`;
  await rm(copy, { force: true });
  db.prepare('VACUUM INTO ?').run(copy);
  try {
    const { size } = await stat(copy);
    await bucket.putFile(snapshotKey(position), copy, size);
    const cell = s3Cell(bucket, 'snapshot');
    const held = await cell.read();
    const before = held === undefined ? undefined : parseSnapshot(held);
    if (before !== undefined && before.position >= position) return;
    const isNewest = await cell.swap(held, JSON.stringify({ position, size }));
    if (isNewest && before !== undefined) await bucket.delete(snapshotKey(before.position));
  } finally {
    await rm(copy, { force: true });
  }
}
