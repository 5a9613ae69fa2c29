/**
 * The outbox: every admission by an exception, on disk before the answer goes out, and kept with its proof after
 * it was logged. One process appends (the webhook), another may drain it to a log at the same time.
 */
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { type JsonObject, parseJson, reader } from '#formats/json';
import { R as Platform } from '#platform/reasons';
import { type Database, openDatabase, transaction } from '#platform/sqlite';
import { R } from './exception-reasons.ts';

/** One use, as it will stand in the log. Times are RFC 3339. */
export interface UseRecord {
  /** Of the AdmissionReview: leads to who asked, in the audit log of the API server. */
  readonly uid: string;
  readonly admittedAt: string;
  /** Name, and SHA-256 (hex) of the signed statement. */
  readonly exception: string;
  readonly exceptionId: string;
  readonly namespace: string;
  /** `Pod/NAME`. */
  readonly object: string;
  readonly image: string;
  readonly digest: string;
  /** `policy/rule` of the checks that did not pass. */
  readonly excused: readonly string[];
}

export interface PendingUse {
  readonly seq: number;
  readonly record: UseRecord;
}

export interface LoggedBatch {
  readonly uses: readonly UseRecord[];
  /** The signed statement with its log entry and inclusion proof. */
  readonly bundle: Uint8Array;
}

export interface Outbox {
  /** On disk when it returns; a use that is there already is left alone. */
  append(uses: readonly UseRecord[]): void;
  pending(max: number): PendingUse[];
  /** Marks uses as logged and keeps what proves it. */
  logged(uses: readonly PendingUse[], bundle: Uint8Array, atMs: number): void;
  batches(): LoggedBatch[];
  counts(): { readonly pending: number; readonly logged: number };
  close(): void;
}

/** Throws WB-965 when the file cannot be opened or is something else. */
export function openOutbox(path: string): Outbox {
  return guarded(path, () => outboxOver(openDatabase(path, { mode: 'durable' }), path));
}

function outboxOver(database: Database, path: string): Outbox {
  database.exec(`
    CREATE TABLE IF NOT EXISTS batches (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, bundle BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS uses (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, record TEXT NOT NULL,
      batch INTEGER REFERENCES batches (id));
    CREATE INDEX IF NOT EXISTS uses_by_batch ON uses (batch, seq)`);
  const insert = database.prepare('INSERT OR IGNORE INTO uses (key, record) VALUES (?, ?)');
  const waiting = database.prepare('SELECT seq, record FROM uses WHERE batch IS NULL ORDER BY seq LIMIT ?');
  const keep = database.prepare('INSERT INTO batches (at, bundle) VALUES (?, ?)');
  const mark = database.prepare('UPDATE uses SET batch = ? WHERE seq = ? AND batch IS NULL');
  const count = database.prepare('SELECT count(*) AS n, count(batch) AS logged FROM uses');
  const kept = database.prepare('SELECT id, bundle FROM batches ORDER BY id');
  const ofBatch = database.prepare('SELECT record FROM uses WHERE batch = ? ORDER BY seq');
  return {
    append: (uses) =>
      guarded(path, () =>
        transaction(database, () => {
          for (const use of uses) {
            insert.run(`${use.uid} ${use.exceptionId} ${use.image}`, JSON.stringify(use));
          }
        }),
      ),
    pending: (max) =>
      guarded(path, () => {
        const rows = waiting.all(max) as unknown as { seq: number; record: string }[];
        return rows.map(({ seq, record }) => ({ seq, record: readRecord(record) }));
      }),
    logged: (uses, bundle, atMs) =>
      guarded(path, () =>
        transaction(database, () => {
          const batch = keep.run(atMs, bundle).lastInsertRowid;
          for (const { seq } of uses) mark.run(batch, seq);
        }),
      ),
    batches: () =>
      guarded(path, () => {
        const rows = kept.all() as unknown as { id: number; bundle: Uint8Array }[];
        return rows.map(({ id, bundle }) => {
          const records = ofBatch.all(id) as unknown as { record: string }[];
          return { bundle, uses: records.map(({ record }) => readRecord(record)) };
        });
      }),
    counts: () =>
      guarded(path, () => {
        const { n, logged } = count.get() as { n: number; logged: number };
        return { pending: n - logged, logged };
      }),
    close: () => database.close(),
  };
}

const outside: ReadonlySet<string> = new Set([Platform.file.code, Platform.damaged.code]);

/** What SQLite says becomes one reason, with the file in it. */
function guarded<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const isDatabase = (error as { code?: unknown }).code === 'ERR_SQLITE_ERROR' || isFileError(error);
    // What the platform says of a file or a database that cannot be used; one of a newer version says so itself.
    const told = error instanceof WaybillError && outside.has(error.reason.code) ? error.reason : undefined;
    if (!isDatabase && told === undefined) throw error;
    const actual = told === undefined ? (error as Error).message : `${told.actual} (${told.code})`;
    throw fail(R.outbox, { expected: `an outbox at ${path}`, actual }, error);
  }
}

const isFileError = (error: unknown): boolean => typeof (error as NodeJS.ErrnoException).syscall === 'string';

function readRecord(text: string): UseRecord {
  const json = reader(unwrap(parseJson(text, { maxBytes: limits.exceptionBytes })), 'use', { as: R.outbox });
  return {
    uid: json.text('uid'),
    admittedAt: json.text('admittedAt'),
    exception: json.text('exception'),
    exceptionId: json.text('exceptionId'),
    namespace: json.text('namespace'),
    object: json.text('object'),
    image: json.text('image'),
    digest: json.text('digest'),
    excused: json.strings('excused'),
  };
}

/** For a predicate. */
export const useJson = (use: UseRecord): JsonObject => ({ ...use, excused: [...use.excused] });
