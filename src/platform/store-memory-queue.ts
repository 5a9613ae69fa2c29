/** The entry queue in memory: front ends and sequencer in one process. */
import type { EntryQueue, QueueAnswer, QueuedEntry } from './store.ts';
import { makeWake } from './wake.ts';

export function memoryQueue(): EntryQueue {
  const wakes = { entries: makeWake(), answers: makeWake() };
  const open = new Map<string, QueuedEntry>();
  const answered = new Map<string, QueueAnswer>();
  return {
    put: async (entries) => {
      for (const entry of entries) if (!answered.has(entry.id)) open.set(entry.id, entry);
      wakes.entries.knock();
    },
    take: async (max, except) => {
      const free = [...open.values()].filter((entry) => !except.has(entry.id));
      return free.slice(0, max);
    },
    waiting: async () => new Set(open.keys()),
    answer: async (answers) => {
      for (const answer of answers) if (open.delete(answer.id)) answered.set(answer.id, answer);
      wakes.answers.knock();
    },
    answers: async (ids) => {
      const found = ids.flatMap((id) => answered.get(id) ?? []);
      for (const { id } of found) answered.delete(id);
      return found;
    },
    changed: (what, waitMs) => wakes[what].wait(waitMs),
    close: async () => {},
  };
}
