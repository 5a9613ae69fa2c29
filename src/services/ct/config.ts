/** Settings of a certificate transparency log. */
import type { Der } from '#base/brand';
import type { Clock } from '#base/clock';
import type { KeyHolder, Signer } from '#base/crypto';
import type { LogStore } from '#platform/store';
import type { Logger } from '#platform/telemetry';
import type { Log, LogOptions } from '#tlog';

export interface CtConfig {
  /** Origin of the log's own checkpoints, for example its host name. */
  readonly origin: string;
  /** ECDSA P-256: the only kind clients verify. */
  readonly key: Signer | KeyHolder;
  /** DER certificates chains must lead to; more with `addRoot`. */
  readonly roots: readonly Der[];
  /** Folder of the log; `undefined` keeps everything in memory. */
  readonly dataDir?: string;
  /** File of the checkpoint lock, apart from the folder; without it inside, where copies of the folder take it along. */
  readonly lockFile?: string;
  /** Where the log lives instead of a folder. */
  readonly store?: LogStore;
  /** How the engine is opened; default: as the one writer of its store. A front end gives `openFront`. */
  readonly engine?: (options: LogOptions) => Promise<Log>;
  /** Whether an empty folder becomes a new log: only at the first start with this key. Default false. */
  readonly create?: boolean;
  /** The folder came from a backup that its lock contradicts: nothing is taken (WB-413) and nothing signed. */
  readonly isClosed?: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Entries one get-entries answers with; clients ask again for the rest (RFC 6962 §4.6). */
export const GET_ENTRIES_MAX = 256;
/** A tree head is signed again for an unchanged tree after this many milliseconds. */
export const STH_AGE_MS_MAX = 60_000;
/** Bytes of a submitted chain as JSON. */
export const CHAIN_BYTES_MAX = 512 * 1024;
