/** What the audit service is given. The logs arrive as interfaces: this folder knows no other service. */
import type { Clock } from '#base/clock';
import type { TransparencyLogEntry } from '#formats/bundle';

/** One transparency log, as the auditor sees it. */
export interface AuditedLog {
  /** Checkpoint origin: which log this is. */
  readonly origin: string;
  /**
   * Leaf indices of entries whose own body, or the statement that was submitted with it, carries one of these
   * hashes (`sha256:<hex>`). In the order of the log.
   */
  find(digests: readonly string[]): Promise<readonly number[]>;
  /** The entry with an inclusion proof against the newest checkpoint. */
  entry(index: number): Promise<TransparencyLogEntry>;
  /** Entries 0…treeSize−1 are covered by every answer of `find`. */
  coverage(): Promise<{ readonly treeSize: number; readonly checkpoint: string }>;
}

export interface AuditConfig {
  /** Folder of the statement index; `undefined` keeps it in memory. */
  readonly dataDir?: string;
}

export interface AuditDeps {
  readonly logs: readonly AuditedLog[];
  readonly clock: Clock;
}

/** Most entries one answer holds; more are named by `truncated`. */
export const ANSWER_ENTRIES_MAX = 200;
