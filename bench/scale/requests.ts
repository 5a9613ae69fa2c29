/** What a log asks of a store across a network, counted while entries arrive evenly at a rate. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import type { LogStore } from '#platform/store';
import { memoryLogStore } from '#platform/store-memory';
import { systemClock } from '#platform/system';
import { checkpointSigner, openLog } from '#tlog';
import { quantile } from '../lib/report.ts';

export interface RequestRow {
  readonly perSecond: number;
  /** Of those, a second: in the log, and sent away because too many were waiting. */
  readonly answered: number;
  readonly refused: number;
  readonly entriesPerBatch: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** A second. */
  readonly objectWrites: number;
  readonly objectReads: number;
  readonly statements: number;
  /** Millions in 30 days. */
  readonly objectWritesPerMonth: number;
  readonly objectReadsPerMonth: number;
  /** GB in 30 days, tiles and entries. */
  readonly gigabytesPerMonth: number;
}

/** Of an object store and of a database in the same region, milliseconds. */
const OBJECT_MS = 15;
const STATEMENT_MS = 1;
const ENTRY_BYTES = 2000;
const MONTH_SECONDS = 30 * 86_400;

interface Counts {
  writes: number;
  written: number;
  reads: number;
  statements: number;
}

/** As the drivers for PostgreSQL and S3 divide it: batches and tiles are objects, the rest are statements. */
function distant(inner: LogStore, counts: Counts): LogStore {
  const write = async <T>(bytes: number, work: () => Promise<T>): Promise<T> => {
    counts.writes++;
    counts.written += bytes;
    await sleep(OBJECT_MS);
    return work();
  };
  const read = async <T>(work: () => Promise<T>): Promise<T> => {
    counts.reads++;
    await sleep(OBJECT_MS);
    return work();
  };
  const statement = async <T>(work: () => Promise<T>): Promise<T> => {
    counts.statements++;
    await sleep(STATEMENT_MS);
    return work();
  };
  return {
    stage: (batch) => write(0, () => inner.stage(batch)),
    staged: (to, root) => read(() => inner.staged(to, root)),
    unstage: (size) => write(0, () => inner.unstage(size)),
    writeTile: (path, bytes) => write(bytes.length, () => inner.writeTile(path, bytes)),
    readTile: (path) => read(() => inner.readTile(path)),
    publish: (previous, next) => write(0, () => inner.publish(previous, next)),
    published: () => read(() => inner.published()),
    indexed: () => statement(() => inner.indexed()),
    index: (from, names) => statement(() => inner.index(from, names)),
    find: (names) => statement(() => inner.find(names)),
    lock: {
      read: () => statement(() => inner.lock.read()),
      swap: (previous, next) => statement(() => inner.lock.swap(previous, next)),
    },
    close: () => inner.close(),
  };
}

export async function requests(seconds: number): Promise<readonly RequestRow[]> {
  const rows: RequestRow[] = [];
  for (const perSecond of [10, 1000, 10_000]) rows.push(await atRate(perSecond, seconds));
  return rows;
}

async function atRate(perSecond: number, seconds: number): Promise<RequestRow> {
  const counts: Counts = { writes: 0, written: 0, reads: 0, statements: 0 };
  const signer = checkpointSigner({ origin: 'scale.example', signer: generateKey('ed25519') });
  const store = distant(memoryLogStore(), counts);
  const log = await openLog({ store, signer, clock: systemClock, create: true });
  Object.assign(counts, { writes: 0, written: 0, reads: 0, statements: 0 });
  const waits: number[] = [];
  let refused = 0;
  const sizes = new Set<number>();
  const pending: Promise<void>[] = [];
  const start = performance.now();
  const append = async (): Promise<void> => {
    const at = performance.now();
    try {
      const { logged } = await log.append(new Uint8Array(randomBytes(ENTRY_BYTES)));
      waits.push(performance.now() - at);
      sizes.add(logged.proof.size);
    } catch (error) {
      if (!(error instanceof WaybillError) || error.reason.class !== 'unavailable') throw error;
      refused++;
    }
  };
  for (let sent = 0; sent < perSecond * seconds; ) {
    const due = Math.min(perSecond * seconds, ((performance.now() - start) / 1000) * perSecond);
    for (; sent < due; sent++) pending.push(append());
    await sleep(5);
  }
  await Promise.all(pending);
  const took = (performance.now() - start) / 1000;
  await log.close();
  const aSecond = (count: number): number => Number((count / took).toFixed(1));
  const monthly = (count: number): number => Number((((count / took) * MONTH_SECONDS) / 1e6).toFixed(1));
  return {
    perSecond,
    answered: Math.round(waits.length / took),
    refused: Math.round(refused / took),
    entriesPerBatch: Number((waits.length / sizes.size).toFixed(1)),
    p50Ms: Math.round(quantile(waits, 0.5)),
    p99Ms: Math.round(quantile(waits, 0.99)),
    objectWrites: aSecond(counts.writes),
    objectReads: aSecond(counts.reads),
    statements: aSecond(counts.statements),
    objectWritesPerMonth: monthly(counts.writes),
    objectReadsPerMonth: monthly(counts.reads),
    gigabytesPerMonth: Math.round(((waits.length / took) * MONTH_SECONDS * ENTRY_BYTES) / 1e9),
  };
}
