/** Rows of a SQLite database out of an image: it is data, nothing that it wrote runs. */
import { DatabaseSync } from 'node:sqlite';

export interface SqliteTable {
  readonly table: string;
  /** The statement that made it, with single quotes only and without a space at its ends. */
  readonly plain: RegExp;
  readonly columns: string;
  readonly orderBy?: string;
}

/** Throws with the reason for a damaged database, and for one in which the name is no plain table. */
export function* sqliteRows(bytes: Uint8Array, of: SqliteTable): Generator<Record<string, unknown>> {
  // A database left in WAL mode cannot be opened from memory; what is in its log is `withLog`'s to put into it.
  const isLogged = bytes[18] === 2 && bytes[19] === 2;
  const database = new DatabaseSync(':memory:');
  try {
    if (isLogged) bytes.fill(1, 18, 20);
    database.deserialize(bytes);
    if (isLogged) bytes.fill(2, 18, 20);
    requirePlain(database, of);
    const order = of.orderBy === undefined ? '' : ` ORDER BY ${of.orderBy}`;
    yield* database.prepare(`SELECT ${of.columns} FROM ${of.table}${order}`).iterate();
  } finally {
    database.close();
  }
}

/** A view, a virtual table or a computed column would run what the image wrote. */
function requirePlain(database: DatabaseSync, { table, plain }: SqliteTable): void {
  const asked = database.prepare('SELECT type, sql FROM sqlite_schema WHERE lower(name) = ?');
  const [only, ...others] = asked.iterate(table.toLowerCase()).take(2).toArray();
  const sql = typeof only?.['sql'] === 'string' ? only['sql'] : '';
  const isPlain =
    only?.['type'] === 'table' && others.length === 0 && plain.test(sql.replace(/"/g, "'").trim());
  if (!isPlain) throw new Error(`a SQLite database without the plain table ${table}`);
}
