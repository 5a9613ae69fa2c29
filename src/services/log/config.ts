/** Settings of a transparency log. */
import type { Clock } from '#base/clock';
import type { KeyHolder, Signer } from '#base/crypto';
import { fail } from '#base/reason';
import type { Envelope } from '#formats/dsse';
import type { LogStore } from '#platform/store';
import type { Logger } from '#platform/telemetry';
import type { Cosigner, Log, LogOptions } from '#tlog';
import { R } from './reasons.ts';

/** `v1`: Rekor's REST API with promises and search. `v2`: tiles (rekor-tiles), no time, no search. */
export type LogApi = 'v1' | 'v2';

export interface LogConfig {
  readonly api: LogApi;
  /** Host name clients know the log by; part of the checkpoint origin. Without scheme, port and path. */
  readonly hostname: string;
  /** ECDSA P-256 for v1, Ed25519 for v2: the only kinds clients verify there. */
  readonly key: Signer | KeyHolder;
  /** v1: decimal, below 2^63; default: derived from the key. */
  readonly treeId?: string;
  /** Folder of the log; `undefined` keeps everything in memory. */
  readonly dataDir?: string;
  /** File of the checkpoint lock, apart from the folder; without it inside, where copies of the folder take it along. */
  readonly lockFile?: string;
  /** Where the log lives instead of a folder. */
  readonly store?: LogStore;
  /** How the engine is opened; default: as the one writer of its store. A front end gives `openFront`. */
  readonly engine?: (options: LogOptions) => Promise<Log>;
  /** Gets the cosignatures of witnesses onto every checkpoint before it is published. */
  readonly cosign?: Cosigner;
  /** Whether an empty folder becomes a new log: only at the first start with this key. Default false. */
  readonly create?: boolean;
  /** The folder came from a backup that its lock contradicts: nothing is taken (WB-413) and nothing signed. */
  readonly isClosed?: boolean;
  /** v1: frozen logs this one follows, oldest first. They answer reads, and indexes count on from them. */
  readonly inactive?: readonly InactiveShard[];
  /** v1: all statements that are kept, together, in bytes; beyond, entries are logged without. Default 10 GiB. */
  readonly attestationStoreBytesMax?: number;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * Further digests under which this log may hold something about a digest, for v1's search by hash. Known from
   * signed bytes that others keep; every hit is an entry of this log all the same.
   */
  readonly joins?: (digest: string) => Promise<readonly string[]>;
  /**
   * Told of every envelope whose signatures were checked, before it is logged: the log keeps no payload. A
   * failure is written to the log file and does not stop the entry.
   */
  readonly onEnvelope?: (envelope: Envelope) => Promise<void>;
}

/** A frozen log: what it was opened with when it was written. Its key still signs promises of its entries. */
export type InactiveShard = Pick<LogConfig, 'key' | 'treeId' | 'dataDir' | 'lockFile' | 'store' | 'isClosed'>;

/** Entries one `retrieve` names. */
export const RETRIEVE_ENTRIES_MAX = 10;
/** Entries one index search answers with. */
export const SEARCH_ENTRIES_MAX = 10_000;
/** Statements of intoto entries that are kept and given back with them, as Rekor's `max_attestation_size` has it. */
export const ATTESTATION_BYTES_MAX = 100 * 1024;
export const ATTESTATION_STORE_BYTES_MAX = 10 * 1024 ** 3;
/** What a client is told to wait when the pool is full, in seconds. */
export const RETRY_AFTER_S = 1;

const hostForm = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/;

/** Throws WB-1036 for a configuration whose checkpoints or promises clients could not verify. */
export function checkConfig(config: LogConfig): void {
  const { kind } = config.key.publicKey;
  const needed = config.api === 'v1' ? 'p256' : 'ed25519';
  if (kind !== needed) throw fail(R.config, { expected: `a ${needed} key for ${config.api}`, actual: kind });
  if (!hostForm.test(config.hostname)) {
    throw fail(R.config, { expected: 'a host name', actual: JSON.stringify(config.hostname) });
  }
  const { treeId } = config;
  const isTreeId = treeId === undefined || (/^[1-9][0-9]{0,18}$/.test(treeId) && BigInt(treeId) < 2n ** 63n);
  if (config.api === 'v2' && (config.inactive ?? []).length > 0) {
    const actual = 'a v2 log: each has a URL of its own';
    throw fail(R.config, { expected: 'inactive shards behind a v1 log', actual });
  }
  if (!isTreeId) throw fail(R.config, { expected: 'a decimal tree id below 2^63', actual: treeId });
}
