/**
 * Which of several processes sequences. A lease moves by compare-and-swap in a cell; machines need not agree on
 * the time: a rival takes the lease when its text has not changed for the whole lease by the rival's own clock.
 *
 * The lease is for liveness alone. What keeps a log from forking is the checkpoint lock: a holder that was paused
 * and wakes up beside its successor cannot move it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '#base/clock';
import { isJsonObject, parseJson } from '#formats/json';
import type { Cell } from '#platform/store';

export interface ElectionOptions {
  readonly cell: Cell;
  /** Names this process, unlike any other. */
  readonly holder: string;
  /** How long a silent holder keeps the lease, in milliseconds. */
  readonly leaseMs: number;
  readonly clock: Clock;
}

export interface Term {
  /** Counts the holders of the lease. */
  readonly number: number;
  /** Aborted when the lease was lost or could not be renewed in time. */
  readonly lost: AbortSignal;
  /** Gives the lease back, so that a successor need not wait for it to run out. */
  resign(): Promise<void>;
}

interface Lease {
  /** Empty: given back. */
  readonly holder: string;
  readonly term: number;
  readonly beat: number;
}

/** Looks and renewals in the time of one lease. */
const BEATS = 4;

/** Resolves once this process holds the lease; to undefined when `signal` ends the wait. */
export async function campaign(options: ElectionOptions, signal: AbortSignal): Promise<Term | undefined> {
  const { cell, holder, leaseMs, clock } = options;
  let seen: string | undefined;
  let since = clock.now();
  while (!signal.aborted) {
    const text = await cell.read().catch(() => seen);
    if (text !== seen) {
      seen = text;
      since = clock.now();
    }
    const before = text === undefined ? undefined : readLease(text);
    const isFree = before === undefined || before.holder === '' || clock.now() - since >= leaseMs;
    if (isFree) {
      const mine = { holder, term: (before?.term ?? 0) + 1, beat: 0 };
      if (await cell.swap(text, JSON.stringify(mine)).catch(() => false)) return startTerm(options, mine);
    }
    await sleep(leaseMs / BEATS, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/** A text that is no lease, of an older version for example, is taken over once it stops changing. */
function readLease(text: string): Lease {
  const parsed = parseJson(text);
  const value = parsed.ok && isJsonObject(parsed.value) ? parsed.value : {};
  const number = (name: string): number => (typeof value[name] === 'number' ? value[name] : 0);
  const { holder } = value;
  return { holder: typeof holder === 'string' ? holder : '?', term: number('term'), beat: number('beat') };
}

function startTerm({ cell, leaseMs, clock }: ElectionOptions, first: Lease): Term {
  const lost = new AbortController();
  let lease = first;
  let renewed = clock.now();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const beat = async (): Promise<void> => {
    const next = { ...lease, beat: lease.beat + 1 };
    const moved = await cell.swap(JSON.stringify(lease), JSON.stringify(next)).catch(() => undefined);
    if (moved === true) {
      lease = next;
      renewed = clock.now();
    } else if (moved === undefined) {
      // Unknown: the text there says whether it moved after all.
      const text = await cell.read().catch(() => undefined);
      if (text === JSON.stringify(next)) lease = next;
    }
    if (moved === false || clock.now() - renewed >= leaseMs) lost.abort();
    else schedule();
  };
  const schedule = (): void => {
    if (lost.signal.aborted) return;
    timer = setTimeout(() => {
      running = beat();
    }, leaseMs / BEATS);
  };
  schedule();
  return {
    number: first.term,
    lost: lost.signal,
    resign: async () => {
      lost.abort();
      clearTimeout(timer);
      await running;
      const free = JSON.stringify({ ...lease, holder: '' });
      await cell.swap(JSON.stringify(lease), free).catch(() => {});
    },
  };
}
