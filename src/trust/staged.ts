/** A cache that is written only when everything that was read has proven good. */
import type { TufMemory } from './tuf-types.ts';

export interface StagedMemory extends TufMemory {
  /** Writes what was kept, in the order it was. */
  commit(): Promise<void>;
}

export function stagedMemory(below: TufMemory): StagedMemory {
  const staged = new Map<string, Uint8Array>();
  return {
    recall: async (name) => staged.get(name) ?? (await below.recall(name)),
    keep: async (name, bytes) => void staged.set(name, bytes),
    commit: async () => {
      for (const [name, bytes] of staged) await below.keep(name, bytes);
    },
  };
}
