/** A whole look at the store of a log that need not run: nothing is written, and no private key is needed. */
import { equalBytes, toHex } from '#base/bytes';
import { fail, type Reason, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { isDamaged } from '#platform/sqlite';
import type { LogStore } from '#platform/store';
import type { CheckpointVerifier, TreeHead } from '../checkpoint.ts';
import type { FsckReport } from '../fsck.ts';
import { readPublished } from '../open.ts';
import { Log } from '../reader.ts';
import { R } from '../reasons.ts';
import { type AppendResult, type Personality, plainPersonality } from '../types.ts';

export interface StoredOptions {
  readonly store: LogStore;
  readonly verifier: CheckpointVerifier;
  readonly personality?: Personality;
  /** Checkpoints of this log seen elsewhere. */
  readonly known?: readonly string[];
}

class StoredLog extends Log {
  get stopped(): Reason | undefined {
    return undefined;
  }

  append(): Promise<AppendResult> {
    return Promise.reject(
      fail(R.stopped, { expected: 'a log that takes entries', actual: 'opened to read' }),
    );
  }

  close(): Promise<void> {
    return this.store.close();
  }
}

/**
 * Proves the store from its entries: entries, records, tiles, names, the published checkpoint, the one in the lock,
 * and checkpoints seen elsewhere. Throws WB-411 for a store without a log and WB-408 for another key.
 */
export async function fsckStored(options: StoredOptions): Promise<FsckReport> {
  const { store, verifier } = options;
  const personality = options.personality ?? plainPersonality;
  const published = await store.published();
  if (published === undefined)
    throw fail(R.missing, { expected: 'a published log', actual: 'an empty store' });
  const head = unwrap(verifier.open(published));
  const problems: string[] = [];
  let log: Log;
  try {
    log = new StoredLog(
      { store, signer: verifier },
      personality,
      await readPublished(store, head, published, personality),
    );
  } catch (error) {
    return { size: head.size, problems: [findingOf(error)] };
  }
  const locked = await store.lock.read();
  if (locked === undefined) problems.push('the checkpoint lock is empty');
  else await compare(log, head, unwrap(verifier.open(locked)), 'the checkpoint in the lock', problems);
  for (const text of options.known ?? []) {
    await compare(log, head, unwrap(verifier.open(text)), 'a known checkpoint', problems);
  }
  const report = await log.check();
  return { size: report.size, problems: [...problems, ...report.problems] };
}

async function compare(
  log: Log,
  head: TreeHead,
  other: TreeHead,
  whose: string,
  problems: string[],
): Promise<void> {
  if (other.size > head.size) {
    // The lock may be a batch ahead of a log that was stopped; any other checkpoint was public.
    if (whose.includes('lock')) return;
    problems.push(`${whose} has size ${other.size}, the log has ${head.size}`);
    return;
  }
  try {
    const root = await log.rootAt(other.size);
    if (equalBytes(root, other.root)) return;
    problems.push(
      `size ${other.size} is ${toHex(root)}, ${whose} says ${toHex(other.root)}: the log has forked`,
    );
  } catch (error) {
    problems.push(`${whose} cannot be compared: ${findingOf(error)}`);
  }
}

function findingOf(error: unknown): string {
  if (!(error instanceof WaybillError) || error.reason.side === 'defect') throw error;
  const { code, expected, actual, hint } = error.reason;
  return `${code}: expected ${expected}, got ${actual}${isDamaged(error) ? `; ${hint}` : ''}`;
}
