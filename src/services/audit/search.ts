/**
 * Answers "which log entries speak about this digest". Every entry comes with its inclusion proof and, where
 * the log holds only a hash, with the signed bytes that hash to it; the answer also says how much of each log
 * it covers, so that "nothing found" has a meaning.
 */
import { toBase64 } from '#base/bytes';
import type { Clock } from '#base/clock';
import { type TransparencyLogEntry, tlogEntryJson } from '#formats/bundle';
import { ANSWER_ENTRIES_MAX, type AuditedLog } from './config.ts';
import { claimOf, type SignedClaim } from './statements.ts';
import type { ClaimStore, StoredClaim } from './store.ts';

export interface FoundEntry {
  readonly origin: string;
  readonly index: number;
  readonly entry: TransparencyLogEntry;
  /** The signed bytes that tie the entry to the digest; absent when the entry itself holds the digest. */
  readonly claim?: StoredClaim;
}

export interface SearchAnswer {
  readonly digest: string;
  readonly entries: readonly FoundEntry[];
  readonly truncated: boolean;
  readonly coverage: readonly {
    readonly origin: string;
    readonly treeSize: number;
    readonly checkpoint: string;
  }[];
}

export class AuditIndex {
  readonly #store: ClaimStore;
  readonly #logs: readonly AuditedLog[];
  readonly #clock: Clock;
  readonly #pending = new Set<Promise<void>>();

  constructor(store: ClaimStore, logs: readonly AuditedLog[], clock: Clock) {
    this.#store = store;
    this.#logs = logs;
    this.#clock = clock;
  }

  /** Takes in a blob that was attached to an image. Blobs of other kinds are ignored. */
  recordBlob(mediaType: string, blob: Uint8Array, seenIn: string): void {
    const claim = claimOf(mediaType, blob);
    if (claim !== undefined) this.record(claim, seenIn);
  }

  record(claim: SignedClaim, seenIn: string): void {
    this.#store.add(claim, seenIn, this.#clock.now());
  }

  /** Work that will record something: a search waits for what was announced before it. */
  announce(work: Promise<void>): void {
    this.#pending.add(work);
    void work.finally(() => this.#pending.delete(work)).catch(() => {});
  }

  async search(digest: string): Promise<SearchAnswer> {
    await Promise.allSettled(this.#pending);
    // Coverage first: entries that come in while the search runs may be found, but are not promised.
    const coverage = await Promise.all(
      this.#logs.map(async (log) => ({ origin: log.origin, ...(await log.coverage()) })),
    );
    const claims = this.#store.about(digest);
    const wanted: { readonly log: AuditedLog; readonly index: number; readonly claim?: StoredClaim }[] = [];
    for (const log of this.#logs) {
      const found = new Map<number, StoredClaim | undefined>();
      // An entry that both routes find keeps the bytes that explain it.
      for (const index of await log.find([digest])) found.set(index, undefined);
      for (const claim of claims) for (const index of await log.find(claim.loggedAs)) found.set(index, claim);
      for (const [index, claim] of found)
        wanted.push({ log, index, ...(claim === undefined ? {} : { claim }) });
    }
    const entries = await Promise.all(
      wanted.slice(0, ANSWER_ENTRIES_MAX).map(async ({ log, index, claim }) => ({
        origin: log.origin,
        index,
        entry: await log.entry(index),
        ...(claim === undefined ? {} : { claim }),
      })),
    );
    return { digest, entries, truncated: wanted.length > ANSWER_ENTRIES_MAX, coverage };
  }

  /** When everything announced so far is recorded. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#pending);
  }
}

/** The answer on the wire: schema `waybill.dev/audit-search/v1`. */
export function answerJson(answer: SearchAnswer): object {
  return {
    schema: 'waybill.dev/audit-search/v1',
    digest: answer.digest,
    entries: answer.entries.map((found) => ({
      origin: found.origin,
      tlogEntry: tlogEntryJson(found.entry),
      ...(found.claim === undefined
        ? {}
        : {
            statement: {
              payloadType: found.claim.payloadType,
              payload: toBase64(found.claim.payload),
              seenIn: found.claim.seenIn,
            },
          }),
    })),
    truncated: answer.truncated,
    coverage: answer.coverage,
  };
}
