/**
 * Answers "which log entries speak about this digest". Every entry comes with its inclusion proof and, where
 * the log holds only a hash, with the signed bytes that hash to it; the answer also says how much of each log
 * it covers, so that "nothing found" has a meaning.
 */
import { toBase64 } from '#base/bytes';
import type { Clock } from '#base/clock';
import { type TransparencyLogEntry, tlogEntryJson } from '#formats/bundle';
import { ANSWER_ENTRIES_MAX, type AuditedLog } from './config.ts';
import { claimOf, fromEnvelope, type SignedClaim } from './statements.ts';
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

  search(digest: string): SearchAnswer {
    const claims = this.#store.about(digest);
    const entries: FoundEntry[] = [];
    let truncated = false;
    for (const log of this.#logs) {
      const seen = new Set<number>();
      const add = (index: number, claim?: StoredClaim): void => {
        if (seen.has(index)) return;
        seen.add(index);
        if (entries.length >= ANSWER_ENTRIES_MAX) {
          truncated = true;
          return;
        }
        const entry = log.entry(index);
        entries.push({ origin: log.origin, index, entry, ...(claim === undefined ? {} : { claim }) });
      };
      // Claims first: an entry that both routes find keeps the bytes that explain it.
      for (const claim of claims) for (const index of log.find(claim.loggedAs)) add(index, claim);
      for (const index of log.find([digest])) add(index);
    }
    const coverage = this.#logs.map((log) => ({ origin: log.origin, ...log.coverage() }));
    return { digest, entries, truncated, coverage };
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

export { fromEnvelope };
