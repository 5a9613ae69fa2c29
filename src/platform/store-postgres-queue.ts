/** The entry queue of a log in PostgreSQL: rows for what must not be lost, notifications for haste. */
import type { EntryQueue, QueueAnswer, QueuedEntry, QueueSide } from './store.ts';
import { bytea, logName, type Postgres, plain } from './store-postgres.ts';
import { makeWake } from './wake.ts';

/** Answers nobody came for, because their front end ended, are forgotten after this long. */
const ANSWER_KEPT = '10 minutes';

/**
 * The queue waits for no disk: nothing in it is promised to anybody. What a crash of the database takes with it is an
 * entry whose submitter hears that the outcome is unknown, or an answer that the next term finds in the log.
 */
const UNSYNCED = "set_config('synchronous_commit', 'off', true)";

const channelOf: Readonly<Record<QueueSide, string>> = {
  entries: 'waybill_entries',
  answers: 'waybill_answers',
};

interface Row {
  readonly id: string;
  readonly entry: Uint8Array;
  readonly extra: Uint8Array;
}

export async function postgresQueue(db: Postgres, name: string): Promise<EntryQueue> {
  const log = logName(name);
  const wakes = { entries: makeWake(), answers: makeWake() };
  const channels = Object.values(channelOf);
  // All logs of a database share the channels: a knock for another log costs one look.
  const unlisten = await db.listen(channels, (channel) => {
    wakes[channel === channelOf.entries ? 'entries' : 'answers'].knock();
  });
  return {
    put: async (entries) => {
      const insert = `WITH put AS (
          INSERT INTO waybill_queue (log, id, entry, extra)
            SELECT $1, q.id, q.entry, q.extra
              FROM unnest($2::text[], $3::bytea[], $4::bytea[]) WITH ORDINALITY AS q (id, entry, extra, place)
              ORDER BY q.place
            ON CONFLICT DO NOTHING)
        SELECT pg_notify('${channelOf.entries}', ''), ${UNSYNCED}`;
      const ids = entries.map((one) => one.id);
      await db.run(insert, [
        log,
        ids,
        entries.map((one) => bytea(one.entry)),
        entries.map((one) => bytea(one.extra)),
      ]);
    },
    take: (max, except) => take(db, log, max, except),
    waiting: async () => {
      await db.run(
        `DELETE FROM waybill_queue WHERE log = $1 AND answered < now() - interval '${ANSWER_KEPT}'`,
        [log],
      );
      const select = 'SELECT id FROM waybill_queue WHERE log = $1 AND answer IS NULL';
      return new Set((await db.query<{ id: string }>(select, [log])).map((row) => row.id));
    },
    answer: async (answers) => {
      const update = `WITH told AS (
          UPDATE waybill_queue AS q SET answer = a.answer, answered = now()
            FROM unnest($2::text[], $3::jsonb[]) AS a (id, answer)
            WHERE q.log = $1 AND q.id = a.id AND q.answer IS NULL)
        SELECT pg_notify('${channelOf.answers}', ''), ${UNSYNCED}`;
      const texts = answers.map((answer) => JSON.stringify(answer));
      await db.run(update, [log, answers.map((answer) => answer.id), texts]);
    },
    answers: async (ids) => {
      const remove = `WITH taken AS (
          DELETE FROM waybill_queue WHERE log = $1 AND id = ANY($2::text[]) AND answer IS NOT NULL
            RETURNING answer)
        SELECT answer, ${UNSYNCED} FROM taken`;
      return (await db.query<{ answer: QueueAnswer }>(remove, [log, ids])).map((row) => row.answer);
    },
    changed: (what, waitMs) => wakes[what].wait(waitMs),
    close: unlisten,
  };
}

async function take(
  db: Postgres,
  log: string,
  max: number,
  except: ReadonlySet<string>,
): Promise<QueuedEntry[]> {
  const select = `SELECT id, entry, extra FROM waybill_queue
    WHERE log = $1 AND answer IS NULL AND id <> ALL($2::text[]) ORDER BY seq LIMIT $3`;
  const rows = await db.query<Row>(select, [log, [...except], max]);
  return rows.map(({ id, entry, extra }) => ({ id, entry: plain(entry), extra: plain(extra) }));
}
