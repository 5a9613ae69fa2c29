/**
 * Where a journal begins. Entries that a snapshot holds are cut, all but the newest; before one goes, the floor in the
 * bucket says so, and it only rises. A machine that slept through it finds free names where entries were. So nobody
 * believes what stands, or does not stand, at a position before having asked for the floor afterwards: below it nothing
 * counts, and the machine begins again from the snapshot. At or above it no name was ever given twice.
 */
import { utf8, utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { type Database, transaction } from '#platform/sqlite';
import { s3Cell } from '#platform/store-s3';
import type { Bucket } from '#platform/store-s3-bucket';
import { R } from './reasons.ts';
import { fetchSnapshot, newestSnapshot } from './snapshots.ts';

const FLOOR = 'journal-floor';
const ENTRIES = 'journal/';
/** Entries that stay behind a snapshot: a machine that was away for less goes on from its own tables. */
export const KEPT_ENTRIES = 1000;
const DIGITS = 16;

export const journalKey = (position: number): string => `${ENTRIES}${String(position).padStart(DIGITS, '0')}`;

const positionOf = (text: string): number =>
  reader(unwrap(parseJson(utf8(text))), FLOOR, { as: R.journal }).integer('position');

/** The first position that counts; 1 where nothing was cut. */
export async function readFloor(bucket: Bucket): Promise<number> {
  const found = await bucket.get(FLOOR);
  return found === undefined ? 1 : positionOf(utf8Text(found.bytes));
}

/**
 * Cuts what the newest snapshot makes superfluous; how many entries. A crash at any point leaves entries below the
 * floor, which count for nobody and go with the next cut.
 */
export async function cutJournal(bucket: Bucket, kept: number = KEPT_ENTRIES): Promise<number> {
  const snapshot = await newestSnapshot(bucket);
  if (snapshot === undefined) return 0;
  const cell = s3Cell(bucket, FLOOR);
  const held = await cell.read();
  const before = held === undefined ? 1 : positionOf(held);
  const floor = Math.max(before, snapshot.position - kept + 1);
  // Another machine raises it at this moment, and cuts as well.
  if (floor > before && !(await cell.swap(held, JSON.stringify({ position: floor })))) return 0;
  const names = (await bucket.list(ENTRIES)).filter((name) => Number(name.slice(ENTRIES.length)) < floor);
  for (const name of names) await bucket.delete(name);
  return names.length;
}

const TABLES = ['blobs', 'manifests', 'parts', 'tags', 'contents'] as const;

/** Puts the tables of the newest snapshot in the place of those in `db`. `file` is free to be used meanwhile. */
export async function beginAgain(bucket: Bucket, db: Database, file: string): Promise<void> {
  await fetchSnapshot(bucket, file);
  db.prepare('ATTACH DATABASE ? AS snapshot').run(file);
  try {
    transaction(db, () => {
      const id = db.prepare('SELECT id FROM main.journal').get()?.['id'];
      const there = db.prepare('SELECT id, position FROM snapshot.journal').get();
      if (there === undefined || there['id'] !== id) {
        throw fail(R.journal, { expected: `a snapshot of registry ${String(id)}`, actual: 'another' });
      }
      for (const table of TABLES) {
        // One of an earlier version may lack a column, which then has its default.
        const columns = db.prepare(`PRAGMA snapshot.table_info(${table})`).all();
        const list = columns.map((column) => String(column['name'])).join(', ');
        db.exec(`DELETE FROM main.${table};
          INSERT INTO main.${table} (${list}) SELECT ${list} FROM snapshot.${table}`);
      }
      db.prepare('UPDATE main.journal SET position = ?').run(Number(there['position']));
    });
  } finally {
    db.exec('DETACH DATABASE snapshot');
  }
}
