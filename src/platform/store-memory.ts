/** A `LogStore` in memory: for tests and for a stack that is thrown away. Durable as long as the process. */
import { toHex } from '#base/bytes';
import type { CheckpointLock, LogStore, StagedBatch } from './store.ts';

const batchKey = (to: number, root: Uint8Array): string => `${to}-${toHex(root)}`;

export function memoryCheckpointLock(): CheckpointLock {
  let stored: string | undefined;
  return {
    read: async () => stored,
    swap: async (previous, next) => {
      if (stored !== previous) return false;
      stored = next;
      return true;
    },
  };
}

export function memoryLogStore(lock: CheckpointLock = memoryCheckpointLock()): LogStore {
  const batches = new Map<string, StagedBatch>();
  const tiles = new Map<string, Uint8Array>();
  const names = new Map<string, number>();
  const checkpoint = memoryCheckpointLock();
  let indexedTo = 0;
  return {
    lock,
    stage: async (batch) => void batches.set(batchKey(batch.to, batch.root), structuredClone(batch)),
    staged: async (to, root) => batches.get(batchKey(to, root)),
    unstage: async (size) => {
      for (const [key, batch] of batches) if (batch.to <= size) batches.delete(key);
    },
    writeTile: async (path, bytes) => void tiles.set(path, bytes.slice()),
    readTile: async (path) => tiles.get(path),
    publish: checkpoint.swap,
    published: checkpoint.read,
    indexed: async () => indexedTo,
    index: async (from, rows) => {
      rows.forEach((row, i) => {
        for (const name of row) if (!names.has(toHex(name))) names.set(toHex(name), from + i);
      });
      indexedTo = Math.max(indexedTo, from + rows.length);
    },
    find: async (asked) => asked.map((name) => names.get(toHex(name))),
    close: async () => {},
  };
}
