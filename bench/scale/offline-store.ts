/**
 * A store for building a log offline: names go to the index hundreds of thousands at a time, so that a page of it is
 * written once for all names that fall on it. The index is derived: who stops a build half-way gets the rest of it
 * from the tiles when the log is opened.
 */
import { latin1 } from '#base/bytes';
import type { LogStore } from '#platform/store';

/** Entries whose names wait in memory: some hundred bytes each. */
const WAITING_MAX = 500_000;

export function offlineStore(inner: LogStore): LogStore {
  let from: number | undefined;
  let waiting: (readonly Uint8Array[])[] = [];
  let known = new Map<string, number>();
  const flush = async (): Promise<void> => {
    if (from !== undefined) await inner.index(from, waiting);
    [from, waiting, known] = [undefined, [], new Map()];
  };
  return {
    ...inner,
    index: async (first, rows) => {
      from ??= first;
      for (const [i, row] of rows.entries()) {
        for (const name of row) if (!known.has(latin1(name))) known.set(latin1(name), first + i);
        waiting.push(row);
      }
      if (waiting.length >= WAITING_MAX) await flush();
    },
    find: async (names) => {
      const found = await inner.find(names);
      return names.map((name, i) => known.get(latin1(name)) ?? found[i]);
    },
    close: async () => {
      await flush();
      await inner.close();
    },
  };
}
