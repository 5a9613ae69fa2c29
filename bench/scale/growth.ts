/** What a log costs on disk: entries of a real size, tiles, and the index that knows a repetition. */
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { generateKey } from '#base/crypto';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock } from '#platform/system';
import { type CheckpointSigner, checkpointSigner, type LogWriter, openLog } from '#tlog';
import { offlineStore } from './offline-store.ts';

export interface GrowthRow {
  readonly entries: number;
  readonly part: string;
  readonly bytes: number;
  readonly bytesPerEntry: number;
}

/** Entries that are under way at once. */
const SERVED = 2048;
const OFFLINE = 4096;

export interface GrowthOptions {
  readonly entries: number;
  readonly entryBytes: number;
  /** Build as one who answers nobody meanwhile: larger batches, names in large runs. */
  readonly offline: boolean;
}

/** Bytes on disk below a folder, by what the first part of the name says. */
function measure(folder: string): Map<string, number> {
  const parts = new Map<string, number>();
  const walk = (path: string, part: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const inner = join(path, entry.name);
      if (entry.isDirectory()) walk(inner, part);
      else parts.set(part, (parts.get(part) ?? 0) + statSync(inner).blocks * 512);
    }
  };
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) {
      const part = entry.name.replace(/-(?:wal|shm)$/, '');
      parts.set(part, (parts.get(part) ?? 0) + statSync(path).blocks * 512);
    } else if (entry.name === 'tile') {
      for (const level of readdirSync(path)) walk(join(path, level), `tile/${level}`);
    } else walk(path, entry.name);
  }
  return parts;
}

export async function growth(
  folder: string,
  { entries: count, entryBytes, offline }: GrowthOptions,
): Promise<readonly GrowthRow[]> {
  const signer = checkpointSigner({ origin: 'scale.example', signer: generateKey('ed25519') });
  const rows: GrowthRow[] = [];
  let [done, seconds] = [0, 0];
  for (const mark of [count / 100, count / 10, count].map(Math.round)) {
    const start = performance.now();
    const log = await openGrowing(folder, signer, offline);
    await fill(log, done, mark, { entryBytes, atOnce: offline ? OFFLINE : SERVED });
    // Closed before it is measured: names that wait belong to the cost.
    await log.close();
    seconds += (performance.now() - start) / 1000;
    done = mark;
    const took = `${seconds.toFixed(0)} s, ${Math.round(done / seconds)} a second`;
    console.log(`${done} entries of ${entryBytes} bytes: ${took}`);
    const parts = measure(folder);
    const all = [...parts.values()].reduce((sum, bytes) => sum + bytes, 0);
    for (const [part, bytes] of [...parts, ['all', all] as const]) {
      rows.push({ entries: done, part, bytes, bytesPerEntry: Math.round(bytes / done) });
    }
  }
  return rows;
}

async function openGrowing(folder: string, signer: CheckpointSigner, offline: boolean): Promise<LogWriter> {
  const store = embeddedLogStore({ directory: folder });
  const options = { signer, clock: systemClock, create: true };
  if (!offline) return openLog({ ...options, store });
  return openLog({ ...options, store: offlineStore(store), batchEntriesMax: OFFLINE });
}

/** Appends fresh entries until the log holds `to`. */
async function fill(
  log: LogWriter,
  from: number,
  to: number,
  { entryBytes, atOnce }: { readonly entryBytes: number; readonly atOnce: number },
): Promise<void> {
  for (let done = from; done < to; ) {
    const next = Math.min(atOnce, to - done);
    const bytes = new Uint8Array(randomBytes(next * entryBytes));
    const entries = Array.from({ length: next }, (_, i) =>
      bytes.subarray(i * entryBytes, (i + 1) * entryBytes),
    );
    await Promise.all(entries.map((entry) => log.append(entry)));
    done += next;
  }
}
