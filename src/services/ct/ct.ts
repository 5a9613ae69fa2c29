/** A certificate transparency log (RFC 6962) over the log engine. Knows no HTTP. */
import { concat, equalBytes, toHex, uintBytes } from '#base/bytes';
import { type KeyHolder, type PublicKey, type Signer, sha256 } from '#base/crypto';
import { fail, reasonText } from '#base/reason';
import { unwrap } from '#base/result';
import { digitallySigned, type Sct } from '#formats/sct';
import { type Certificate, parseCertificate } from '#formats/x509';
import type { LogStore } from '#platform/store';
import { openLogStore } from '#platform/store-embedded';
import { checkpointSigner, type Log, type LogOptions, type LogRecord, type LogWriter, openLog } from '#tlog';
import { ChainChecker } from './chain.ts';
import { type CtConfig, GET_ENTRIES_MAX, STH_AGE_MS_MAX } from './config.ts';
import {
  certificateLeaf,
  ctPersonality,
  extraData,
  leafExtensions,
  leafTimestamp,
  precertLeaf,
} from './leaf.ts';
import { R } from './reasons.ts';
import { StaticView, staticCheckpoint } from './static.ts';

/** Opens the log in `dataDir`, finishing what a crash interrupted. Errors: WB-1024 and those of `openLog`. */
export async function createCt(config: CtConfig): Promise<CtLog> {
  const { origin, key } = config;
  const { kind } = key.publicKey;
  if (kind !== 'p256') throw fail(R.config, { expected: 'an ECDSA P-256 key', actual: kind });
  const store = config.store ?? openLogStore(config.dataDir, config.lockFile);
  const options: LogOptions = {
    store,
    signer: checkpointSigner({ origin, signer: key }),
    clock: config.clock,
    personality: ctPersonality,
    // In memory there is nothing an earlier start could have signed.
    create: config.create ?? (config.store === undefined && config.dataDir === undefined),
    isClosed: config.isClosed === true,
    onStop: (why) => config.log.error({ origin, code: why.code }, reasonText(why)),
  };
  const opening = (config.engine ?? openLog)(options);
  const log = await opening.catch(async (error: unknown) => {
    // What was refused holds no file open.
    if (config.store === undefined) await store.close();
    throw error;
  });
  const ct = new CtLog({ config, log, store });
  for (const root of config.roots) ct.addRoot(root);
  await restoreIssuers(ct, config);
  return ct;
}

async function restoreIssuers(ct: CtLog, { origin, log }: CtConfig): Promise<void> {
  for (const path of await ct.static.restoreIssuers()) {
    log.warn({ origin, path }, 'was missing or altered, and made again: check the log with waybill log fsck');
  }
}

export interface SignedTreeHead {
  readonly treeSize: number;
  /** Milliseconds. */
  readonly timestamp: number;
  readonly root: Uint8Array;
  /** TLS DigitallySigned. */
  readonly signature: Uint8Array;
}

export interface AuditPath {
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
}

const TREE_HASH = 1;

const isWriter = (log: Log): log is LogWriter => 'freeze' in log;

interface CtParts {
  readonly config: CtConfig;
  readonly log: Log;
  readonly store: LogStore;
}

export class CtLog {
  /** The engine, for checks of the whole log. */
  readonly log: Log;
  /** SHA-256 of the key: how SCTs name this log. */
  readonly logId: Uint8Array;
  readonly #config: CtConfig;
  readonly #roots: Certificate[] = [];
  readonly #chains = new ChainChecker();
  readonly #key: Signer | KeyHolder;
  #sth: SignedTreeHead | undefined;
  #signing: Promise<void> | undefined;

  /** The same log as tiles. */
  readonly static: StaticView;

  constructor({ config, log, store }: CtParts) {
    this.#config = config;
    this.log = log;
    this.static = new StaticView(store, log);
    this.#key = config.key;
    this.logId = sha256(config.key.publicKey.spki);
  }

  get publicKey(): PublicKey {
    return this.#config.key.publicKey;
  }

  get roots(): readonly Certificate[] {
    return this.#roots;
  }

  /** Takes chains to this root from now on. */
  addRoot(der: Uint8Array): void {
    const root = unwrap(parseCertificate(der));
    if (!this.#roots.some((known) => equalBytes(known.der, root.der))) this.#roots.push(root);
  }

  /**
   * Takes no more entries, for ever; what is in it stays readable. Errors: those of `LogWriter.freeze`, and WB-1024
   * in a front end: the process that sequences freezes.
   */
  async freeze(): Promise<void> {
    const { log } = this;
    if (!isWriter(log)) throw fail(R.config, { expected: 'the log that sequences', actual: 'a front end' });
    await log.freeze();
  }

  /** A poisoned precertificate and its issuers → SCT, once the entry is durable and published. */
  addPreChain(chain: readonly Uint8Array[]): Promise<Sct> {
    return this.#add(chain, true);
  }

  /** A final certificate and its issuers → SCT. */
  addChain(chain: readonly Uint8Array[]): Promise<Sct> {
    return this.#add(chain, false);
  }

  async #add(chain: readonly Uint8Array[], isPrecert: boolean): Promise<Sct> {
    const { certificate, issuers } = await this.#chains.check(chain, this.#roots, isPrecert);
    const now = this.#config.clock.now();
    const leaf = isPrecert ? precertLeaf(certificate, issuers[0], now) : certificateLeaf(certificate, now);
    await this.static.keepIssuers(issuers);
    const { logged } = await this.log.append(leaf, extraData(certificate, issuers, isPrecert));
    // A certificate the log had keeps the timestamp it was logged with.
    return {
      logId: this.logId,
      timestamp: leafTimestamp(logged.entry),
      extensions: leafExtensions(logged.entry),
      algorithm: 'ecdsa',
      signature: await this.#key.sign(logged.entry, 'sha256'),
    };
  }

  /** The head of the published tree, or of a later one. Its time never goes back and is never before that of an entry. */
  async signedTreeHead(): Promise<SignedTreeHead> {
    const { size } = this.log.tree;
    for (;;) {
      const known = this.#sth;
      const isNew = known !== undefined && this.#config.clock.now() - known.timestamp < STH_AGE_MS_MAX;
      if (isNew && known.treeSize >= size) return known;
      // Those who ask at the same time share a signature.
      this.#signing ??= this.#signHead().finally(() => {
        this.#signing = undefined;
      });
      await this.#signing;
    }
  }

  async #signHead(): Promise<void> {
    const { size, root, time } = this.log.tree;
    const before = this.#sth;
    const entries = await this.#newestTime(before?.treeSize ?? 0, size);
    const now = Math.max(this.#config.clock.now(), time, before?.timestamp ?? 0, entries);
    const signed = concat(Uint8Array.of(0, TREE_HASH), uintBytes(now, 8), uintBytes(size, 8), root);
    const signature = digitallySigned('ecdsa', await this.#key.sign(signed, 'sha256'));
    this.#sth = { treeSize: size, timestamp: now, root, signature };
  }

  /** The clock of another front end may be ahead of this one's. Of many entries the last ones say it. */
  async #newestTime(from: number, to: number): Promise<number> {
    let newest = 0;
    for (let index = Math.max(from, to - GET_ENTRIES_MAX); index < to; index++) {
      newest = Math.max(newest, leafTimestamp((await this.log.record(index)).entry));
    }
    return newest;
  }

  /** The head as a checkpoint of the static API: the same signature, in a note of its own kind. */
  async checkpoint(): Promise<string> {
    return staticCheckpoint(this.#config.origin, this.logId, await this.signedTreeHead());
  }

  consistency(first: number, second: number): Promise<readonly Uint8Array[]> {
    return this.log.consistency(first, second);
  }

  /** Throws WB-1023 for a leaf hash the tree of this size does not hold. */
  async proofByHash(leafHash: Uint8Array, size: number): Promise<AuditPath> {
    const index = await this.log.find(leafHash);
    if (index === undefined || index >= size) {
      throw fail(R.notFound, { expected: `an entry of the tree of size ${size}`, actual: toHex(leafHash) });
    }
    return { index, hashes: await this.log.inclusionAt(index, size) };
  }

  /** Entries from `start` to `end` inclusive; at most `GET_ENTRIES_MAX` and not beyond the tree. */
  async entries(start: number, end: number): Promise<readonly LogRecord[]> {
    const { size } = this.log.tree;
    if (start > end || start >= size) {
      const actual = `${start} to ${end}`;
      throw fail(R.query, { expected: `start ≤ end, start below ${size}`, actual });
    }
    const to = Math.min(end + 1, size, start + GET_ENTRIES_MAX);
    const records: LogRecord[] = [];
    for (let index = start; index < to; index++) records.push(await this.log.record(index));
    return records;
  }

  async close(): Promise<void> {
    await this.log.close();
  }
}
