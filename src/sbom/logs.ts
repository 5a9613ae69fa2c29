/**
 * Write-ahead logs of databases of which only the findings were kept: a log may lie in another layer, so what is in it
 * is known only when the layers lie on each other. The layer of the database is then read a second time.
 */
import { rpm } from './cataloguers/rpm.ts';
import { hasPages, isReadWith, WAL_ENDING } from './cataloguers/wal.ts';
import { eventsOf, type LayerRecord } from './record.ts';
import type { ImageTree } from './tree.ts';
import type { ImageFile } from './types.ts';

export interface Logged {
  readonly database: ImageFile;
  /** What `packLog` made of the log beside it. */
  readonly log: Uint8Array;
}

/** Databases whose logs are not in them yet. */
export function unreadLogs(tree: ImageTree): Logged[] {
  return tree.files.flatMap(({ path, findings }) => {
    const log = path.endsWith(WAL_ENDING) ? findings?.get(rpm.name) : undefined;
    const database = log === undefined ? undefined : tree.file(path.slice(0, -WAL_ENDING.length));
    if (log === undefined || database?.findings === undefined || !hasPages(log)) return [];
    return isReadWith(database, log) ? [] : [{ database, log }];
  });
}

/** The database out of a second reading of its layer, and what to say of it; undefined: it has another name there. */
export function readWithLog(
  { path, layer }: ImageFile,
  { events, kept, problems }: LayerRecord,
): { readonly file: ImageFile; readonly reasons: readonly string[] } | undefined {
  let event = -1;
  let number = 0;
  for (const { kind, name } of eventsOf(events)) {
    if (kind === 'file' && name === path) event = number;
    number++;
  }
  const found = kept.find((one) => one.event === event);
  if (found?.findings === undefined) return undefined;
  const { bytes, findings } = found;
  const reasons = problems.filter((one) => one.event === event).map(({ reason }) => reason);
  return { file: { path, layer, bytes, findings }, reasons };
}
