/**
 * A `LogStore` in PostgreSQL, for a log whose machines come and go. One database holds any number of logs, each
 * under its name. A commit is on disk when a call resolves: the session insists on `synchronous_commit`, and a
 * server that runs without `fsync` is refused.
 *
 * Keep the lock out of restored backups here too: a database that went back in time takes its lock with it. Give
 * such a log its lock elsewhere (`lock`), or start a new log after a restore.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { toHex, utf8, utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { R } from './reasons.ts';
import { sharedReads } from './shared-reads.ts';
import type { Cell, CheckpointLock, LogStore, NameIndex, Staging, TileStore } from './store.ts';

/** Connections of one process: the commit path uses one at a time, readers share the rest. */
const CONNECTIONS_MAX = 8;
const CONNECT_TIMEOUT_MS = 10_000;
/** A statement that takes longer has lost its server: the commit path must not hang. */
const STATEMENT_TIMEOUT_MS = 20_000;

export interface Postgres {
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** How many rows a statement touched. */
  run(text: string, values?: readonly unknown[]): Promise<number>;
  /** A connection of its own that calls back at every notification of the channels, over reconnects. */
  listen(channels: readonly string[], notify: (channel: string) => void): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** Connects and makes the tables. `url` as libpq writes it: `postgres://user@host/db`, `?host=/run/socket`. */
export async function openPostgres(url: string): Promise<Postgres> {
  const { default: pg } = await import('pg');
  const config: PoolConfig = {
    connectionString: url,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS,
    options: '-c synchronous_commit=on -c client_min_messages=warning',
  };
  const pool = new pg.Pool(config);
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {});
  try {
    await requireFsync(pool);
    await makeTables(pool);
  } catch (error) {
    await pool.end();
    throw error;
  }
  return {
    query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
      (await guarded(() => pool.query<Row>(text, [...values]))).rows,
    run: async (text, values = []) => (await guarded(() => pool.query(text, [...values]))).rowCount ?? 0,
    listen: (channels, notify) => listenTo(pool, channels, notify),
    close: () => pool.end(),
  };
}

async function guarded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw databaseError(error);
  }
}

function databaseError(error: unknown): Error {
  const actual = error instanceof Error ? error.message || error.name : String(error);
  return fail(R.database, { expected: 'an answer of PostgreSQL', actual }, error);
}

async function requireFsync(pool: Pool): Promise<void> {
  const { rows } = await guarded(() => pool.query<{ fsync: string }>('SHOW fsync'));
  const fsync = rows[0]?.fsync;
  if (fsync !== 'on')
    throw fail(R.database, { expected: 'a server with fsync on', actual: `fsync ${fsync}` });
}

/** Any number: the key of the advisory lock under which one process at a time makes the tables. */
const TABLES_LOCK = 7_294_001;

const TABLES = `
  CREATE TABLE IF NOT EXISTS waybill_cell (
    log text, name text, value bytea NOT NULL, PRIMARY KEY (log, name));
  CREATE TABLE IF NOT EXISTS waybill_staged (
    log text, to_size bigint, root bytea, from_size bigint NOT NULL, from_root bytea NOT NULL,
    payload bytea NOT NULL, PRIMARY KEY (log, to_size, root));
  CREATE TABLE IF NOT EXISTS waybill_tile (log text, path text, bytes bytea NOT NULL, PRIMARY KEY (log, path));
  CREATE TABLE IF NOT EXISTS waybill_name (log text, name bytea, entry bigint NOT NULL, PRIMARY KEY (log, name));
  CREATE TABLE IF NOT EXISTS waybill_extent (log text PRIMARY KEY, size bigint NOT NULL);
  CREATE TABLE IF NOT EXISTS waybill_queue (
    log text, id text, seq bigserial, entry bytea NOT NULL, extra bytea NOT NULL,
    answer jsonb, answered timestamptz, PRIMARY KEY (log, id));
  CREATE INDEX IF NOT EXISTS waybill_queue_open ON waybill_queue (log, seq) WHERE answer IS NULL;`;

async function makeTables(pool: Pool): Promise<void> {
  const client = await guarded(() => pool.connect());
  try {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [TABLES_LOCK]);
    await client.query(TABLES);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw databaseError(error);
  } finally {
    client.release();
  }
}

/** How long after a broken connection a listener tries again. */
const LISTEN_AGAIN_MS = 500;

async function listenTo(
  pool: Pool,
  channels: readonly string[],
  notify: (channel: string) => void,
): Promise<() => Promise<void>> {
  let client: PoolClient | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const open = async (): Promise<void> => {
    const mine = await pool.connect();
    if (isClosed) return mine.release(true);
    client = mine;
    mine.on('notification', ({ channel }) => notify(channel));
    mine.on('error', () => {
      if (drop(mine)) again();
    });
    try {
      for (const channel of channels) {
        await mine.query(`LISTEN ${channel}`);
        // What was said while nobody listened is made up for.
        notify(channel);
      }
    } catch (error) {
      drop(mine);
      throw error;
    }
  };
  /** Gives a connection back, once: one that is closed may still report that it broke. */
  const drop = (mine: PoolClient): boolean => {
    if (client !== mine) return false;
    client = undefined;
    mine.release(true);
    return true;
  };
  const again = (): void => {
    if (isClosed) return;
    clearTimeout(timer);
    timer = setTimeout(() => void open().catch(again), LISTEN_AGAIN_MS);
    timer.unref();
  };
  await guarded(open);
  return async () => {
    isClosed = true;
    clearTimeout(timer);
    if (client !== undefined) drop(client);
  };
}

export interface PostgresStoreOptions {
  /** Which log of the database: letters, digits, `-`, `_`, `.`. */
  readonly log: string;
  /** The checkpoint lock, when it lives elsewhere. */
  readonly lock?: CheckpointLock;
  /** Tiles and checkpoint, when they live elsewhere: an object store. */
  readonly tiles?: TileStore;
}

export function postgresLogStore(db: Postgres, options: PostgresStoreOptions): LogStore {
  const log = logName(options.log);
  return {
    lock: options.lock ?? postgresCell(db, log, 'checkpoint'),
    ...stagingPart(db, log),
    ...indexPart(db, log),
    ...(options.tiles ?? tilePart(db, log)),
    // The connections are their owner's: several stores share them.
    close: async () => {},
  };
}

export function logName(name: string): string {
  if (/^[a-zA-Z0-9._-]{1,100}$/.test(name)) return name;
  const expected = 'a log name of 1 to 100 letters, digits, dots, hyphens and underscores';
  throw fail(R.database, { expected, actual: JSON.stringify(name.slice(0, 120)) });
}

/** A text of a log that moves by compare-and-swap: its checkpoint lock, its lease. */
export function postgresCell(db: Postgres, log: string, name: string): Cell {
  const read = 'SELECT value FROM waybill_cell WHERE log = $1 AND name = $2';
  const insert = 'INSERT INTO waybill_cell VALUES ($1, $2, $3) ON CONFLICT DO NOTHING';
  // A rival's update is waited for, and the condition is then judged on what it left.
  const update = 'UPDATE waybill_cell SET value = $3 WHERE log = $1 AND name = $2 AND value = $4';
  return {
    read: async () => {
      const [row] = await db.query<{ value: Uint8Array }>(read, [log, name]);
      return row === undefined ? undefined : utf8Text(row.value);
    },
    swap: async (previous, next) => {
      const values = [log, name, Buffer.from(utf8(next))];
      const changed =
        previous === undefined
          ? await db.run(insert, values)
          : await db.run(update, [...values, Buffer.from(utf8(previous))]);
      return changed === 1;
    },
  };
}

interface StagedRow {
  readonly from_size: string;
  readonly from_root: Uint8Array;
  readonly payload: Uint8Array;
}

/** A Buffer is what pg sends as bytea; a plain Uint8Array would go as text. */
export const bytea = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A plain view: what a store gives must not depend on its driver. */
export const plain = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function stagingPart(db: Postgres, log: string): Staging {
  return {
    stage: async (batch) => {
      await db.run(
        `INSERT INTO waybill_staged VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (log, to_size, root) DO UPDATE
           SET from_size = excluded.from_size, from_root = excluded.from_root, payload = excluded.payload`,
        [log, batch.to, bytea(batch.root), batch.from, bytea(batch.fromRoot), bytea(batch.payload)],
      );
    },
    staged: async (to, root) => {
      const [row] = await db.query<StagedRow>(
        'SELECT from_size, from_root, payload FROM waybill_staged WHERE log = $1 AND to_size = $2 AND root = $3',
        [log, to, bytea(root)],
      );
      if (row === undefined) return undefined;
      const [fromRoot, payload] = [plain(row.from_root), plain(row.payload)];
      return { from: Number(row.from_size), fromRoot, to, root, payload };
    },
    unstage: async (size) => {
      await db.run('DELETE FROM waybill_staged WHERE log = $1 AND to_size <= $2', [log, size]);
    },
  };
}

/** Names of one statement. */
const LOOK_UPS_MAX = 1024;
const PUBLISHED = 'published';

function tilePart(db: Postgres, log: string): TileStore {
  const published = postgresCell(db, log, PUBLISHED);
  return {
    writeTile: async (path, bytes) => {
      await db.run(
        `INSERT INTO waybill_tile VALUES ($1, $2, $3)
           ON CONFLICT (log, path) DO UPDATE SET bytes = excluded.bytes`,
        [log, path, bytea(bytes)],
      );
    },
    readTile: sharedReads(async (path) => {
      const select = 'SELECT bytes FROM waybill_tile WHERE log = $1 AND path = $2';
      const [row] = await db.query<{ bytes: Uint8Array }>(select, [log, path]);
      return row === undefined ? undefined : plain(row.bytes);
    }),
    publish: published.swap,
    published: published.read,
  };
}

function indexPart(db: Postgres, log: string): NameIndex {
  const insert = `WITH names AS (
      INSERT INTO waybill_name SELECT $1, n.name, n.entry
        FROM unnest($2::bytea[], $3::bigint[]) WITH ORDINALITY AS n (name, entry, place) ORDER BY n.place
        ON CONFLICT DO NOTHING)
    INSERT INTO waybill_extent VALUES ($1, $4)
      ON CONFLICT (log) DO UPDATE SET size = greatest(waybill_extent.size, excluded.size)`;
  return {
    indexed: async () => {
      const select = 'SELECT size FROM waybill_extent WHERE log = $1';
      return Number((await db.query<{ size: string }>(select, [log]))[0]?.size ?? 0);
    },
    index: async (from, rows) => {
      const names = rows.flatMap((row, i) => row.map((name) => [bytea(name), from + i] as const));
      const columns = [names.map(([name]) => name), names.map(([, entry]) => entry)];
      await db.run(insert, [log, ...columns, from + rows.length]);
    },
    find: sharedLookUps(async (names) => {
      const select = 'SELECT name, entry FROM waybill_name WHERE log = $1 AND name = ANY($2::bytea[])';
      const rows = await db.query<{ name: Uint8Array; entry: string }>(select, [log, names.map(bytea)]);
      return new Map(rows.map(({ name, entry }) => [toHex(name), Number(entry)]));
    }),
  };
}

/** Names asked for while a statement is under way share the next one: as a client, a statement costs more than a row. */
function sharedLookUps(
  ask: (names: readonly Uint8Array[]) => Promise<ReadonlyMap<string, number>>,
): NameIndex['find'] {
  const waiting: { readonly name: Uint8Array; readonly settle: PromiseWithResolvers<number | undefined> }[] =
    [];
  let isAsking = false;
  const work = async (): Promise<void> => {
    isAsking = true;
    // What is asked in the same turn goes together.
    await nextTurn();
    while (waiting.length > 0) {
      const asked = waiting.splice(0, LOOK_UPS_MAX);
      try {
        const found = await ask(asked.map(({ name }) => name));
        for (const { name, settle } of asked) settle.resolve(found.get(toHex(name)));
      } catch (error) {
        for (const { settle } of asked) settle.reject(error);
      }
    }
    isAsking = false;
  };
  return (names) => {
    const settles = names.map((name) => {
      const settle = Promise.withResolvers<number | undefined>();
      waiting.push({ name, settle });
      return settle.promise;
    });
    if (!isAsking) void work();
    return Promise.all(settles);
  };
}
