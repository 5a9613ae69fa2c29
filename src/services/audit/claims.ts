/**
 * The signed bytes the service has seen, and the hashes a log may hold them under. Bytes come from whoever may
 * push an image or log an envelope, so nothing here is believed: a claim only counts where a log holds its hash.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '#base/clock';
import { type AuditConfig, JOINED_HASHES_MAX, READING_WAIT_MS_DEFAULT } from './config.ts';
import type { SignedClaim } from './statements.ts';
import {
  type ClaimBatch,
  type ClaimHash,
  type ClaimStore,
  openClaimStore,
  type StoredClaim,
} from './store.ts';

/** Hashes read from the store in one step. */
const STEP_HASHES = 200;
const FIRST: ClaimHash = { claim: 0, hash: '' };

export class Claims {
  readonly #store: ClaimStore;
  readonly #clock: Clock;
  readonly #readingWaitMs: number;
  readonly #announced = new Set<Promise<void>>();
  #reading: Promise<void> | undefined;
  #waiting: ClaimBatch[] = [];
  #commit: Promise<void> | undefined;

  constructor(config: AuditConfig, clock: Clock) {
    this.#store = openClaimStore(config.dataDir);
    this.#clock = clock;
    this.#readingWaitMs = config.readingWaitMs ?? READING_WAIT_MS_DEFAULT;
  }

  /** Durable when it resolves. What comes in one turn of the event loop shares one commit. */
  record(batch: Partial<ClaimBatch>): Promise<void> {
    this.#waiting.push({ claims: batch.claims ?? [], manifests: batch.manifests ?? [] });
    this.#commit ??= this.#commitWaiting();
    return this.#commit;
  }

  async #commitWaiting(): Promise<void> {
    await nextTurn();
    const batches = this.#waiting;
    this.#waiting = [];
    this.#commit = undefined;
    this.#store.add(
      {
        claims: batches.flatMap((batch) => batch.claims),
        manifests: batches.flatMap((batch) => batch.manifests),
      },
      this.#clock.now(),
    );
  }

  recordClaim(claim: SignedClaim, seenIn: string): Promise<void> {
    return this.record({ claims: [{ claim, seenIn }] });
  }

  /** Whether the attachments of this manifest were recorded. */
  hasManifest(digest: string): boolean {
    return this.#store.hasManifest(digest);
  }

  /** Work that will record something that was acknowledged: a search waits for what was announced before it. */
  announce(work: Promise<void>): void {
    this.#announced.add(work);
    void work.finally(() => this.#announced.delete(work)).catch(() => {});
  }

  /** Reading what an earlier run left unread: a search waits for it a while, then says that it goes on. */
  announceReading(work: Promise<void>): void {
    const reading = work
      .catch(() => {})
      .finally(() => {
        if (this.#reading === reading) this.#reading = undefined;
      });
    this.#reading = reading;
  }

  /** False when attachments pushed earlier are still being read. */
  async settledForSearch(): Promise<boolean> {
    const reading = this.#reading;
    if (reading !== undefined) {
      const stop = new AbortController();
      const { signal } = stop;
      await Promise.race([reading, sleep(this.#readingWaitMs, undefined, { signal }).catch(() => {})]);
      stop.abort();
    }
    await Promise.allSettled(this.#announced);
    return this.#reading === undefined;
  }

  /** When everything announced so far is recorded. */
  async settled(): Promise<void> {
    await this.#reading;
    await Promise.allSettled(this.#announced);
    // Whoever recorded it has been told of a failure.
    await this.#commit?.catch(() => {});
  }

  /** Hashes under which logs may hold claims about a digest, in steps, in the order the claims came. */
  async *hashesAbout(digest: string): AsyncGenerator<readonly string[]> {
    for (let last = FIRST; ; ) {
      const found = this.#store.about(digest, last, STEP_HASHES);
      const end = found.at(-1);
      if (end === undefined) return;
      yield found.map(({ hash }) => hash);
      last = end;
      await nextTurn();
    }
  }

  /**
   * Further digests under which a log may hold something about `digest`: the join for searches that know only
   * digests. The earliest 20,000 hashes.
   */
  async joins(digest: string): Promise<readonly string[]> {
    await this.settledForSearch();
    const hashes: string[] = [];
    for await (const step of this.hashesAbout(digest)) {
      hashes.push(...step);
      if (hashes.length >= JOINED_HASHES_MAX) break;
    }
    return hashes.slice(0, JOINED_HASHES_MAX);
  }

  /** The signed bytes behind an entry, where they were seen and speak about `digest` (any when undefined). */
  behind(hashes: readonly string[], digest: string | undefined): StoredClaim | undefined {
    return this.#store.loggedAs(hashes, digest);
  }

  count(): number {
    return this.#store.count();
  }

  async close(): Promise<void> {
    await this.settled();
    this.#store.close();
  }
}
