/**
 * Use case: what do the logs say about this digest, or by this identity? The audit service is only asked; every
 * entry is proven against the trusted root, every signed statement is judged by the one verifier with the entry
 * as its witness, and what cannot be proven is never shown as lineage.
 */
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import type { PublicKey } from '#base/crypto';
import { fail, type Reason, reason, type WaybillError } from '#base/reason';
import { isNonEmpty } from '#base/result';
import type { TransparencyLogEntry } from '#formats/bundle';
import { type AuditAnswer, type AuditedEntry, type AuditQuery, askAudit, type WireDeps } from '#sign';
import { type Accepted, noTrustMaterial, type TrustMaterial, verifyLogHead } from '#verify';
import { coverageText } from './coverage-text.ts';
import {
  isPromised,
  type Joined,
  proveSignature,
  requireJoined,
  requireLogged,
  requireNamed,
  type SignedPart,
  signedPart,
} from './lineage-entry.ts';
import { R } from './reasons.ts';

export type { AuditQuery } from '#sign';
export { R as lineageReasons } from './reasons.ts';

/** One proven step. */
export interface LineageStep {
  readonly origin: string;
  readonly logIndex: number;
  readonly verdict: Accepted;
  /** What it is about: the digests the signed bytes name, else the digest that was signed. */
  readonly digests: readonly Digest[];
  /** Milliseconds. */
  readonly at: number;
  /**
   * Where `at` comes from: the log's promised time; else the certificate's start (Rekor v2 gives no time), so the
   * signature is not older; else, for a key in such a log, the moment of this search, so it is not younger.
   */
  readonly timeFrom: 'log' | 'certificate' | 'search';
  readonly entry: TransparencyLogEntry;
}

export interface Lineage {
  readonly query: AuditQuery;
  /** Oldest first. */
  readonly steps: readonly LineageStep[];
  /** Entries in the log whose signature or signer cannot be proven: kept apart, with the reason. */
  readonly unproven: readonly {
    readonly origin: string;
    readonly logIndex: number;
    readonly reason: Reason;
  }[];
  /** Entries 0…treeSize−1 were searched, as the audit service says; the checkpoint is the log's own, verified. */
  readonly coverage: AuditAnswer['coverage'];
  /** Logs of the trusted root that were not searched. */
  readonly uncovered: readonly string[];
  /** Those of them that are lost for good, as the audit service says: no search finds what they logged. */
  readonly missing: AuditAnswer['missing'];
  /** There is more than is read of one search (10,000 entries). */
  readonly truncated: boolean;
  /** False while the service still reads what was attached before its start. */
  readonly settled: boolean;
}

export interface LineageDeps extends WireDeps {
  /** Base URL of the audit service. */
  readonly auditUrl: string;
  readonly trustedRoot: TrustMaterial;
  /** Bare keys that are believed; signatures by others are kept apart. Default none. */
  readonly keys?: readonly PublicKey[];
}

/** Pages of one search that are read. */
const PAGES_MAX = 50;

/** What the logs say about a digest. Errors: those of `searchLogs`. */
export function lineageOf(digest: Digest, deps: LineageDeps): Promise<Lineage> {
  return searchLogs({ digest }, deps);
}

/**
 * Asks for entries and proves them. Throws WB-906 when the answer does not prove itself, WB-907 when there is no
 * entry, and what asking throws.
 */
export async function searchLogs(query: AuditQuery, deps: LineageDeps): Promise<Lineage> {
  const found = new Findings(query, deps);
  const first = await askAudit(deps.auditUrl, query, deps);
  const { coverage, settled } = first;
  requireHeads(coverage, deps.trustedRoot);
  let page = first;
  for (let pages = 1; ; pages++) {
    found.take(page);
    if (page.next === undefined || pages === PAGES_MAX) break;
    page = await askAudit(deps.auditUrl, query, deps, page.next);
  }
  const uncovered = uncoveredOf(coverage, deps.trustedRoot);
  // What is said of a log that nobody trusts, or that was searched, is of no use.
  const missing = first.missing.filter(({ logId }) => uncovered.some(([id]) => id === toHex(logId)));
  if (found.count === 0) throw nothing(query, { ...first, missing }, uncovered);
  found.steps.sort((a, b) => a.at - b.at || a.logIndex - b.logIndex);
  return {
    query,
    steps: found.steps,
    unproven: found.unproven,
    coverage,
    uncovered: uncovered.map(([, name]) => name),
    missing,
    truncated: page.truncated,
    settled,
  };
}

/** What the pages of one answer come to. */
class Findings {
  readonly steps: LineageStep[] = [];
  readonly unproven: { origin: string; logIndex: number; reason: Reason }[] = [];
  readonly #seen = new Set<string>();
  readonly #query: AuditQuery;
  readonly #deps: LineageDeps;

  constructor(query: AuditQuery, deps: LineageDeps) {
    this.#query = query;
    this.#deps = deps;
  }

  get count(): number {
    return this.#seen.size;
  }

  take(page: AuditAnswer): void {
    requireSameQuestion(page, this.#query);
    const covered = new Set(page.coverage.map(({ origin }) => origin));
    for (const found of page.entries) {
      if (!covered.has(found.origin)) {
        const expected = 'entries of the logs the answer covers';
        throw fail(R.auditAnswer, { expected, actual: `one of ${found.origin}` });
      }
      this.#takeEntry(found);
    }
  }

  #takeEntry(found: AuditedEntry): void {
    const { origin, entry } = found;
    const { logIndex } = entry;
    requireLogged(found, this.#deps.trustedRoot);
    const at = `${origin} #${logIndex}`;
    if (this.#seen.has(at))
      throw fail(R.auditAnswer, { expected: 'every entry once', actual: `${at} twice` });
    this.#seen.add(at);
    const joined = requireJoined(found, this.#query.digest);
    const signed = signedPart(entry);
    requireNamed(found, signed, this.#query);
    const judged = this.#judge(found, joined, signed);
    if ('reason' in judged) this.unproven.push({ origin, logIndex, reason: judged.reason });
    else this.steps.push(judged.step);
  }

  #judge(
    found: AuditedEntry,
    joined: Joined,
    signed: SignedPart | undefined,
  ): { readonly step: LineageStep } | { readonly reason: Reason } {
    const artifact = this.#query.digest ?? joined.digests[0];
    if (signed === undefined || artifact === undefined || !joined.isTied) {
      const expected = joined.isTied
        ? 'a signature over something known'
        : 'signed bytes that name the digest';
      return { reason: reason(R.auditUntied, { expected, actual: `${found.entry.kind} without them` }) };
    }
    const { trustedRoot, keys = [], clock } = this.#deps;
    const judged = proveSignature(artifact, found, signed, { trustedRoot, keys, now: clock.now() });
    if ('reason' in judged) return judged;
    const { origin, entry } = found;
    const { digests } = joined;
    const { verdict } = judged;
    return {
      step: {
        origin,
        logIndex: entry.logIndex,
        verdict,
        digests,
        ...timeOf(entry, signed, clock.now()),
        entry,
      },
    };
  }
}

function timeOf(
  entry: TransparencyLogEntry,
  { certificate }: SignedPart,
  now: number,
): Pick<LineageStep, 'at' | 'timeFrom'> {
  if (isPromised(entry)) return { at: entry.integratedTime * 1000, timeFrom: 'log' };
  if (certificate !== undefined) return { at: certificate.notBefore, timeFrom: 'certificate' };
  return { at: now, timeFrom: 'search' };
}

function requireSameQuestion(page: AuditAnswer, query: AuditQuery): void {
  for (const field of ['digest', 'identity', 'issuer'] as const) {
    if (page.query[field] === query[field]) continue;
    const expected = `an answer about ${field} ${query[field] ?? '(not asked)'}`;
    throw fail(R.auditAnswer, { expected, actual: page.query[field] ?? 'one without it' });
  }
}

/** What was searched is said by the audit service; that such a tree exists is said by the log. */
function requireHeads(coverage: AuditAnswer['coverage'], trust: TrustMaterial): void {
  for (const { origin, treeSize, checkpoint } of coverage) {
    const head = verifyLogHead(checkpoint, trust);
    const expected = `a checkpoint of ${origin} over ${treeSize} entries, signed by a trusted log`;
    if (head === undefined) throw fail(R.auditAnswer, { expected, actual: 'none that verifies' });
    if (head.origin === origin && head.size === treeSize) continue;
    throw fail(R.auditAnswer, { expected, actual: `${head.size} entries of ${head.origin}` });
  }
}

/** Id (hex) and name. Trusted logs are told apart by their key: several may share a host name. */
function uncoveredOf(
  coverage: AuditAnswer['coverage'],
  trust: TrustMaterial,
): readonly (readonly [id: string, name: string])[] {
  return [...trust.tlogs].flatMap(([id, logs]) => {
    const only: TrustMaterial = { ...noTrustMaterial, tlogs: new Map([[id, logs]]) };
    const isCovered = coverage.some(({ checkpoint }) => verifyLogHead(checkpoint, only) !== undefined);
    if (isCovered || !isNonEmpty(logs)) return [];
    return [[id, `${logs[0].host} (${id.slice(0, 16)}…)`] as const];
  });
}

function nothing(
  query: AuditQuery,
  { coverage, settled, missing }: AuditAnswer,
  uncovered: ReturnType<typeof uncoveredOf>,
): WaybillError {
  const asked = Object.entries(query).map(([field, value]) => `${field} ${value}`);
  const searched = coverage.map(coverageText).join('; ');
  const names = uncovered.map(([, name]) => name).join(', ');
  const lost = missing.map(({ url }) => `; lost for good: ${url}`).join('');
  const reading = settled ? '' : '; attachments pushed before the start are still being read';
  return fail(R.auditNothing, {
    expected: `an entry with ${asked.join(' and ')}`,
    actual: `none; searched: ${searched || 'no log'}${names === '' ? '' : `; not searched: ${names}`}${lost}${reading}`,
  });
}
