/** What a log costs on disk: entries of a real size, tiles, and the index that knows a repetition. */
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { generateKey } from '#base/crypto';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock } from '#platform/system';
import { checkpointSigner, openLog } from '#tlog';

export interface GrowthRow {
  readonly entries: number;
  readonly part: string;
  readonly bytes: number;
  readonly bytesPerEntry: number;
}

/** A hashedrekord entry with a certificate is about this long. */
const ENTRY_BYTES = 2000;
const BATCH = 2048;

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

export async function growth(folder: string, count: number): Promise<readonly GrowthRow[]> {
  const signer = checkpointSigner({ origin: 'scale.example', signer: generateKey('ed25519') });
  const store = embeddedLogStore({ directory: folder });
  const log = await openLog({ store, signer, clock: systemClock, create: true });
  const rows: GrowthRow[] = [];
  const start = performance.now();
  const marks = new Set([count / 100, count / 10, count].map(Math.round));
  for (let done = 0; done < count; ) {
    const next = Math.min(
      BATCH,
      count - done,
      ...[...marks].filter((mark) => mark > done).map((mark) => mark - done),
    );
    await Promise.all(
      Array.from({ length: next }, () => log.append(new Uint8Array(randomBytes(ENTRY_BYTES)))),
    );
    done += next;
    if (!marks.has(done)) continue;
    const perSecond = Math.round(done / ((performance.now() - start) / 1000));
    console.log(`${done} entries of ${ENTRY_BYTES} bytes, ${perSecond} a second`);
    const parts = measure(folder);
    const all = [...parts.values()].reduce((sum, bytes) => sum + bytes, 0);
    for (const [part, bytes] of [...parts, ['all', all] as const]) {
      rows.push({ entries: done, part, bytes, bytesPerEntry: Math.round(bytes / done) });
    }
  }
  await log.close();
  return rows;
}
