/** What the audit service is given. The logs arrive as interfaces: this folder knows no other service. */
import type { TransparencyLogEntry } from '#formats/bundle';

/** One transparency log, as the auditor sees it. */
export interface AuditedLog {
  /** Checkpoint origin: which log this is. */
  readonly origin: string;
  /**
   * Leaf indices of entries with any of these keys, in the order of the log: `sha256:<hex>` (also sha384, sha512)
   * of what the entry itself, or the statement that was submitted with it, speaks about; `subject:<identity>` in
   * lower case and `issuer:<url>` of the certificate, whoever issued it.
   */
  find(keys: readonly string[]): Promise<readonly number[]>;
  /** The entry with an inclusion proof against the newest checkpoint. */
  entry(index: number): Promise<TransparencyLogEntry>;
  /** Entries 0…treeSize−1 are covered by every answer of `find`. */
  coverage(): Promise<{ readonly treeSize: number; readonly checkpoint: string }>;
}

export interface AuditConfig {
  /** Folder of the claim store; `undefined` keeps it in memory. */
  readonly dataDir?: string;
  /** How long a search waits for what an earlier run left unread, in milliseconds. Default 10 s. */
  readonly readingWaitMs?: number;
}

/** Most entries one answer holds; `next` leads to more. */
export const ANSWER_ENTRIES_MAX = 200;
/** Signed bytes one answer holds; an answer has at least one entry. */
export const ANSWER_PAYLOAD_BYTES_MAX = 32 * 1024 * 1024;
/** Hashes `joins` gives at most. */
export const JOINED_HASHES_MAX = 20_000;
export const READING_WAIT_MS_DEFAULT = 10_000;
/** Longest identity or issuer in a query, in characters. */
export const NAME_CHARS_MAX = 2048;
