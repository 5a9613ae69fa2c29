/** A transparency log for signatures: one engine, two personalities. Knows no HTTP. */
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { readUint, toHex } from '#base/bytes';
import { type KeyHolder, type PublicKey, type Signer, sha256 } from '#base/crypto';
import { digestFromBytes, digestOf } from '#base/digest';
import { fail, reasonText } from '#base/reason';
import type { Envelope } from '#formats/dsse';
import { parseRekorV1Body, readKindVersion, setPayload } from '#formats/rekor';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import { openLogStore } from '#platform/store-embedded';
import {
  checkpointSigner,
  type Log,
  type LoggedEntry,
  type LogOptions,
  type LogWriter,
  openLog,
} from '#tlog';
import {
  ATTESTATION_BYTES_MAX,
  ATTESTATION_STORE_BYTES_MAX,
  checkConfig,
  type LogApi,
  type LogConfig,
} from './config.ts';
import type { AcceptedEntry } from './entry.ts';
import { R } from './reasons.ts';
import { SearchIndex } from './search.ts';
import { bodyKeys, bodyKeysV2, encodeExtra, type SearchKey } from './search-keys.ts';
import { openSearchStore } from './store.ts';

const KEYS_PER_TURN = 256;
/** The one kind of leaf a v2 log holds: its body need not be parsed for it. */
const leafOfV2 = { kind: 'hashedrekord', version: '0.0.2' } as const;

/** Opens the log in `dataDir`, finishing what a crash interrupted. Errors: WB-1036 and those of `openLog`. */
export async function createLog(config: LogConfig): Promise<LogService> {
  const inactive: LogService[] = [];
  let firstIndex = 0;
  try {
    for (const shard of config.inactive ?? []) {
      const {
        inactive: _none,
        store: _store,
        dataDir: _dir,
        lockFile: _lock,
        treeId: _id,
        isClosed: _closed,
        ...shared
      } = config;
      const opened = await openShard({ ...shared, ...shard, create: false }, firstIndex, []);
      inactive.push(opened);
      if (!opened.log.tree.isFrozen) {
        const expected = `tree ${opened.treeId} frozen before another log follows it`;
        throw fail(R.config, { expected, actual: 'a log that takes entries' });
      }
      firstIndex += opened.log.tree.size;
    }
    return await openShard(config, firstIndex, inactive);
  } catch (error) {
    for (const shard of inactive) await shard.close();
    throw error;
  }
}

async function openShard(
  config: LogConfig,
  firstIndex: number,
  inactive: readonly LogService[],
): Promise<LogService> {
  checkConfig(config);
  const { api, hostname, key, dataDir } = config;
  const treeId = config.treeId ?? treeIdOf(key.publicKey);
  const origin = api === 'v1' ? `${hostname} - ${treeId}` : hostname;
  const store = config.store ?? openLogStore(dataDir, config.lockFile);
  const options: LogOptions = {
    store,
    signer: checkpointSigner({ origin, keyName: hostname, signer: key }),
    clock: config.clock,
    // In memory there is nothing an earlier start could have signed.
    create: config.create ?? (config.store === undefined && dataDir === undefined),
    isClosed: config.isClosed === true,
    ...(config.cosign === undefined ? {} : { cosign: config.cosign }),
    onStop: (why) => config.log.error({ origin, code: why.code }, reasonText(why)),
  };
  const opening = (config.engine ?? openLog)(options);
  const log = await opening.catch(async (error: unknown) => {
    // What was refused holds no file open.
    if (config.store === undefined) await store.close();
    throw error;
  });
  const searchFile = dataDir === undefined ? undefined : join(dataDir, 'search.db');
  const room = config.attestationStoreBytesMax ?? ATTESTATION_STORE_BYTES_MAX;
  const search = new SearchIndex(
    log,
    openSearchStore(searchFile, room),
    api === 'v2' ? bodyKeysV2 : bodyKeys,
  );
  return new LogService({ treeId, key, log, search, firstIndex, inactive }, config);
}

/** A positive 63-bit number from the key: stable, and different for each key. */
function treeIdOf(key: PublicKey): string {
  const hash = sha256(key.spki);
  return String(BigInt(readUint(hash, 0, 4) % 2 ** 31) * 2n ** 32n + BigInt(readUint(hash, 4, 4)) + 1n);
}

const isWriter = (log: Log): log is LogWriter => 'freeze' in log;

/** What other stations need of a log: entries with proofs, and search that says what it covers. */
export interface LogReader {
  /** Checkpoint origin: which log this is. */
  readonly origin: string;
  readonly api: LogApi;
  /** As entries carry it, 32 bytes. */
  readonly logId: Uint8Array;
  readonly publicKey: PublicKey;
  /** The entry with a proof against the newest checkpoint. Throws WB-412 outside the log. */
  entry(index: number): Promise<TransparencyLogEntry>;
  /**
   * Entries with any of these keys, oldest first: digests `sha256:<hex>` of artifacts, payloads, envelopes and
   * statement subjects; `subject:<identity>`, `issuer:<url>`, `key:<SHA-256 of the PEM>`.
   */
  find(keys: readonly SearchKey[]): Promise<readonly number[]>;
  /** Every answer of `find` covers entries 0…treeSize−1 of this checkpoint at least. */
  coverage(): Promise<{ readonly treeSize: number; readonly checkpoint: string }>;
}

export class LogService implements LogReader {
  readonly api: LogApi;
  /** v1: decimal. */
  readonly treeId: string;
  /** The engine, for tiles, proofs and the state of the tree. */
  readonly log: Log;
  /** Frozen logs before this one, oldest first. */
  readonly inactive: readonly LogService[];
  /** Entries of the logs before this one: where its own indexes begin. */
  readonly firstIndex: number;
  readonly #key: Signer | KeyHolder;
  readonly #search: SearchIndex;
  readonly #config: Pick<LogConfig, 'joins' | 'onEnvelope' | 'log'>;
  #dropped = 0;

  constructor(
    parts: {
      readonly treeId: string;
      readonly key: Signer | KeyHolder;
      readonly log: Log;
      readonly search: SearchIndex;
      readonly firstIndex: number;
      readonly inactive: readonly LogService[];
    },
    config: Pick<LogConfig, 'api' | 'joins' | 'onEnvelope' | 'log'>,
  ) {
    this.api = config.api;
    this.treeId = parts.treeId;
    this.log = parts.log;
    this.#key = parts.key;
    this.firstIndex = parts.firstIndex;
    this.inactive = parts.inactive;
    this.#search = parts.search;
    this.#config = config;
  }

  get origin(): string {
    return this.log.signer.origin;
  }

  get logId(): Uint8Array {
    return this.log.signer.keyId;
  }

  get publicKey(): PublicKey {
    return this.#key.publicKey;
  }

  /** Logs an accepted entry; `duplicate` when the log had it. Errors: those of `Log.append`. */
  async submit(
    accepted: AcceptedEntry,
  ): Promise<{ readonly entry: TransparencyLogEntry; readonly duplicate: boolean }> {
    // Before the append, a duplicate's too: what is known of a logged entry then survives a crash between the two.
    if (accepted.envelope !== undefined) await this.#tell(accepted.envelope);
    const { logged, duplicate } = await this.log.append(accepted.body, encodeExtra(accepted.payloadKeys));
    this.#search.follow();
    if (accepted.attestation !== undefined) this.#keep(accepted.attestation);
    return { entry: await this.#tlogEntry(logged), duplicate };
  }

  /**
   * Takes no more entries, for ever; what is in it stays readable. Errors: those of `LogWriter.freeze`, and WB-1036
   * in a front end: the process that sequences freezes.
   */
  async freeze(): Promise<void> {
    const { log } = this;
    if (!isWriter(log)) throw fail(R.config, { expected: 'the log that sequences', actual: 'a front end' });
    await log.freeze();
  }

  async #tell(envelope: Envelope): Promise<void> {
    try {
      await this.#config.onEnvelope?.(envelope);
    } catch (error) {
      this.#config.log.error({ origin: this.origin, err: error }, 'payload of an envelope not kept');
    }
  }

  /** The entry is logged: what is said beside it may be lost, as a full disk shows, or a full store. */
  #keep(attestation: Uint8Array): void {
    if (attestation.length > ATTESTATION_BYTES_MAX) return;
    const { origin } = this;
    try {
      if (this.#search.keepPayload(digestOf(attestation), attestation)) return;
      // Said once: from then on the metric counts.
      if (this.#dropped === 0)
        this.#config.log.warn({ origin }, 'no room for more attestations: none is kept');
      this.#dropped++;
    } catch (error) {
      this.#config.log.error({ origin, err: error }, 'attestation not kept');
    }
  }

  /** Statements beside the entries: bytes kept, and how many found no room since the start. */
  get attestations(): { readonly bytes: number; readonly dropped: number } {
    return { bytes: this.#search.payloadBytes, dropped: this.#dropped };
  }

  /** The statement of an intoto entry, whose digest is in its body; undefined where it was too large, or is lost. */
  attestation(entry: TransparencyLogEntry): Uint8Array | undefined {
    if (entry.kind !== 'intoto') return undefined;
    const body = parseRekorV1Body(entry.kind, entry.version, entry.canonicalizedBody);
    if (!body.ok || !('payloadHash' in body.value) || body.value.payloadHash === undefined) return undefined;
    const { algorithm, value } = body.value.payloadHash;
    return this.shardOf(entry.logIndex).#search.payload(digestFromBytes(algorithm, value));
  }

  /** The digest and what it is joined with. */
  async joined(digest: string): Promise<readonly string[]> {
    return [digest, ...((await this.#config.joins?.(digest)) ?? [])];
  }

  /** All shards, oldest first; the last one takes entries. */
  get shards(): readonly LogService[] {
    return [...this.inactive, this];
  }

  /** Entries of all shards: indexes are below it. */
  get size(): number {
    return this.firstIndex + this.log.tree.size;
  }

  /** The shard that holds an index. An index beyond all of them is the newest one's to refuse. */
  shardOf(index: number): LogService {
    return this.inactive.find((shard) => index < shard.size) ?? this;
  }

  async entry(index: number): Promise<TransparencyLogEntry> {
    const shard = this.shardOf(index);
    return shard.#tlogEntry(await shard.log.entry(index - shard.firstIndex));
  }

  /** The entry whose leaf hash this is, in any shard. Throws WB-1033. */
  async entryByLeaf(leafHash: Uint8Array): Promise<TransparencyLogEntry> {
    const entry = await this.findLeaf(leafHash);
    if (entry !== undefined) return entry;
    throw fail(R.notFound, { expected: 'an entry of this log', actual: toHex(leafHash) });
  }

  async findLeaf(leafHash: Uint8Array): Promise<TransparencyLogEntry | undefined> {
    for (const shard of this.shards.toReversed()) {
      const index = await shard.log.find(leafHash);
      if (index !== undefined) return shard.#tlogEntry(await shard.log.entry(index));
    }
    return undefined;
  }

  async find(keys: readonly SearchKey[], max = Number.MAX_SAFE_INTEGER): Promise<readonly number[]> {
    const found: number[] = [];
    for (const shard of this.shards) {
      for (const index of await shard.#findOwn(keys, max)) found.push(shard.firstIndex + index);
      if (found.length >= max) break;
    }
    return found.slice(0, max);
  }

  async #findOwn(keys: readonly SearchKey[], max: number): Promise<readonly number[]> {
    const found = new Set<number>();
    for (const [i, key] of keys.entries()) {
      // A join may bring thousands of keys: others get their turn in between.
      if (i % KEYS_PER_TURN === KEYS_PER_TURN - 1) await nextTurn();
      for (const index of await this.#search.find(key, max)) found.add(index);
    }
    return [...found].sort((a, b) => a - b).slice(0, max);
  }

  async coverage(): Promise<{ readonly treeSize: number; readonly checkpoint: string }> {
    const { size, checkpoint } = this.log.tree;
    await this.#search.catchUp();
    return { treeSize: size, checkpoint };
  }

  async #tlogEntry(logged: LoggedEntry): Promise<TransparencyLogEntry> {
    const { proof } = logged;
    const inclusionProof = {
      logIndex: proof.index,
      rootHash: proof.root,
      treeSize: proof.size,
      hashes: proof.hashes,
      checkpoint: proof.checkpoint,
    };
    const common = {
      // Across shards; the proof's index is the one in the tree.
      logIndex: this.firstIndex + logged.index,
      logId: this.logId,
      canonicalizedBody: logged.entry,
      inclusionProof,
      ...(this.api === 'v2' ? leafOfV2 : readKindVersion(logged.entry)),
    };
    // Version 2 gives no time of its own: timestamp authorities do.
    if (this.api === 'v2') return { ...common, integratedTime: 0 };
    const promised = { ...common, integratedTime: Math.floor(logged.time / 1000) };
    return { ...promised, inclusionPromise: await this.#key.sign(setPayload(promised), 'sha256') };
  }

  async close(): Promise<void> {
    for (const shard of this.inactive) await shard.close();
    await this.#search.close();
    await this.log.close();
  }
}
