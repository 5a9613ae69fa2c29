/**
 * Answers "which log entries speak about this digest" and "which are by this identity". Every entry comes with
 * its inclusion proof and, where the log holds only a hash, with the signed bytes that hash to it; the answer
 * also says how much of each log it covers, so that "nothing found" has a meaning.
 */
import { toBase64 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { type TransparencyLogEntry, tlogEntryJson } from '#formats/bundle';
import { loggedHashes } from '#formats/rekor';
import type { Claims } from './claims.ts';
import { ANSWER_ENTRIES_MAX, ANSWER_PAYLOAD_BYTES_MAX, type AuditedLog } from './config.ts';
import type { StoredClaim } from './store.ts';

/** What is asked for; at least one of the three, and an entry must meet all that are given. */
export interface AuditQuery {
  /** `sha256:<hex>` */
  readonly digest?: string;
  /** A name in the certificate, whatever its kind, without regard to case. */
  readonly identity?: string;
  /** The OIDC issuer in the certificate. */
  readonly issuer?: string;
}

/** Where an answer ended: continue after this entry of this log. */
export interface Position {
  /** Place of the log in the configuration. */
  readonly log: number;
  readonly index: number;
}

export interface FoundEntry {
  readonly origin: string;
  readonly index: number;
  readonly entry: TransparencyLogEntry;
  /** The signed bytes behind the entry; absent when they were never seen. */
  readonly claim?: StoredClaim;
}

export interface SearchAnswer {
  readonly query: AuditQuery;
  /** In the order of the logs. */
  readonly entries: readonly FoundEntry[];
  /** Present when there is more. */
  readonly next?: Position;
  /** False while attachments pushed before the start are still being read. */
  readonly isSettled: boolean;
  readonly coverage: readonly {
    readonly origin: string;
    readonly treeSize: number;
    readonly checkpoint: string;
  }[];
  /** Logs no answer covers. */
  readonly missing: readonly MissingLog[];
}

/** A log that is lost for good: nothing that it logged can be found here. */
export interface MissingLog {
  readonly url: string;
  readonly logId: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** How many there were, where that is known. */
  readonly entries?: number;
}

export interface AuditDeps {
  readonly claims: Claims;
  readonly logs: readonly AuditedLog[];
  readonly missing?: readonly MissingLog[];
}

export class AuditIndex {
  readonly #claims: Claims;
  readonly #logs: readonly AuditedLog[];

  readonly #missing: readonly MissingLog[];

  constructor({ claims, logs, missing = [] }: AuditDeps) {
    this.#claims = claims;
    this.#logs = logs;
    this.#missing = missing;
  }

  /** One page of the answer, after `after`. */
  async search(query: AuditQuery, after: Position = { log: 0, index: -1 }): Promise<SearchAnswer> {
    const missing = this.#missing;
    const isSettled = await this.#claims.settledForSearch();
    // Coverage first: entries that come in while the search runs may be found, but are not promised.
    const coverage = await Promise.all(
      this.#logs.map(async (log) => ({ origin: log.origin, ...(await log.coverage()) })),
    );
    const entries: FoundEntry[] = [];
    let bytes = 0;
    let end: Position | undefined;
    for (const [place, log] of this.#logs.entries()) {
      if (place < after.log) continue;
      const first = place === after.log ? after.index + 1 : 0;
      for (const index of await this.#indexesOf(log, query)) {
        if (index < first) continue;
        if (end !== undefined && (entries.length >= ANSWER_ENTRIES_MAX || bytes > ANSWER_PAYLOAD_BYTES_MAX)) {
          return { query, entries, next: end, isSettled, coverage, missing };
        }
        const found = await this.#found(log, index, query);
        bytes += found.claim?.payload.length ?? 0;
        entries.push(found);
        end = { log: place, index };
      }
    }
    return { query, entries, isSettled, coverage, missing };
  }

  async #found(log: AuditedLog, index: number, query: AuditQuery): Promise<FoundEntry> {
    const entry = await log.entry(index);
    const hashes = loggedHashes(entry.kind, entry.version, entry.canonicalizedBody);
    const claim = hashes.ok ? this.#claims.behind(hashes.value, query.digest) : undefined;
    return { origin: log.origin, index, entry, ...(claim === undefined ? {} : { claim }) };
  }

  /** Ascending. */
  async #indexesOf(log: AuditedLog, query: AuditQuery): Promise<readonly number[]> {
    const { digest, identity, issuer } = query;
    const sets: ReadonlySet<number>[] = [];
    if (digest !== undefined) sets.push(await this.#about(log, digest));
    if (identity !== undefined) sets.push(new Set(await log.find([`subject:${identity.toLowerCase()}`])));
    if (issuer !== undefined) sets.push(new Set(await log.find([`issuer:${issuer}`])));
    const [first = new Set<number>(), ...others] = sets;
    return [...first].filter((index) => others.every((set) => set.has(index))).sort((a, b) => a - b);
  }

  async #about(log: AuditedLog, digest: string): Promise<Set<number>> {
    const found = new Set(await log.find([digest]));
    for await (const hashes of this.#claims.hashesAbout(digest)) {
      for (const index of await log.find(hashes)) found.add(index);
    }
    return found;
  }
}

const missingJson = ({ url, logId, until, entries }: MissingLog): object => ({
  ...{ url, logId: toBase64(logId), until: rfc3339(until) },
  ...(entries === undefined ? {} : { entries }),
});

export const positionText = ({ log, index }: Position): string => `${log}.${index}`;

/** The answer on the wire: schema `waybill.dev/audit-search/v1`. */
export function answerJson(answer: SearchAnswer): object {
  const { query, entries, next, isSettled, coverage, missing } = answer;
  return {
    schema: 'waybill.dev/audit-search/v1',
    ...query,
    entries: entries.map((found) => ({
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
    truncated: next !== undefined,
    ...(next === undefined ? {} : { next: positionText(next) }),
    settled: isSettled,
    coverage,
    ...(missing.length === 0 ? {} : { missing: missing.map(missingJson) }),
  };
}
