/** What the parts of the engine hand each other. */
import type { Clock } from '#base/clock';
import type { Reason } from '#base/reason';
import type { LogStore } from '#platform/store';
import type { CheckpointSigner } from './checkpoint.ts';
import type { TreeEdge } from './edge.ts';

/** What makes an engine one kind of log: pure functions of an entry's bytes. */
export interface Personality {
  /** The bytes that are hashed as the leaf. */
  leaf(entry: Uint8Array): Uint8Array;
  /** What makes two entries the same, 32 bytes; absent: the leaf hash. The same before and after `placed`. */
  identity?(entry: Uint8Array): Uint8Array;
  /** The entry as it stands at its index, for kinds that say it; the length must not depend on the index. */
  placed?(entry: Uint8Array, index: number): Uint8Array;
  /** Files beside the tiles that a record names, each kept in the store before its entry is. */
  files?(record: LogRecord): readonly NamedFile[];
}

export interface NamedFile {
  /** As `TileStore.writeTile` takes it. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The leaf is the entry itself: both Rekor versions. */
export const plainPersonality: Personality = { leaf: (entry) => entry };

export interface LogRecord {
  readonly entry: Uint8Array;
  /** Kept beside the entry and not covered by the tree: search keys, chains. */
  readonly extra: Uint8Array;
  /** When it was sequenced, in milliseconds. */
  readonly time: number;
}

/** A submitted entry that has no index yet. */
export interface PendingEntry {
  readonly entry: Uint8Array;
  readonly extra: Uint8Array;
  readonly leafHash: Uint8Array;
  readonly identity: Uint8Array;
}

/** The tree at one checkpoint. Values are never changed: a commit makes the next state. */
export interface TreeState {
  readonly size: number;
  readonly root: Uint8Array;
  readonly edge: TreeEdge;
  /** The checkpoint of this size and root as the lock holds it: signed by the log alone. */
  readonly locked: string;
  /** The same as readers see it, with the cosignatures of witnesses. */
  readonly checkpoint: string;
  /** The checkpoint says that nothing follows. */
  readonly isFrozen: boolean;
  /** Time of the newest record in milliseconds; 0 for the empty log. */
  readonly time: number;
  /** Records after the last full tile. */
  readonly tail: readonly LogRecord[];
}

export interface TreeView {
  readonly size: number;
  readonly root: Uint8Array;
  /** The published checkpoint: a signed note. */
  readonly checkpoint: string;
  /** Time of the newest entry in milliseconds. */
  readonly time: number;
  /** The log takes no more entries; its checkpoint says so. */
  readonly isFrozen: boolean;
}

/** What a cosigner is asked: to get signatures of witnesses onto a checkpoint that is in the lock. */
export interface CosignRequest {
  /** The log's own signed note. */
  readonly checkpoint: string;
  readonly size: number;
  /** Consistency hashes from an older size to this one. */
  consistency(from: number): Promise<readonly Uint8Array[]>;
  /** Ends the wait for witnesses. */
  readonly signal: AbortSignal;
}

/**
 * Gets cosignatures. Resolves to the note that may be published: the same text with more signatures. Rejects
 * when what the policy demands was not had; the log then stops without having published.
 */
export type Cosigner = (request: CosignRequest) => Promise<string>;

export interface Proof {
  readonly index: number;
  readonly size: number;
  readonly root: Uint8Array;
  /** Leaf to root. */
  readonly hashes: readonly Uint8Array[];
  /** The signed checkpoint the proof leads to. */
  readonly checkpoint: string;
}

/** An entry that is in the log, with its proof against a published checkpoint. */
export interface LoggedEntry extends LogRecord {
  readonly index: number;
  readonly leafHash: Uint8Array;
  readonly proof: Proof;
}

export interface AppendResult {
  readonly logged: LoggedEntry;
  /** True when the log had this entry before; `logged` is the earlier one. */
  readonly duplicate: boolean;
}

export interface LogOptions {
  readonly store: LogStore;
  readonly signer: CheckpointSigner;
  readonly clock: Clock;
  readonly personality?: Personality;
  /** Create the log when the store is empty; otherwise opening an empty store is WB-411. */
  readonly create?: boolean;
  /**
   * The data came from a backup that its lock contradicts: what is published in it is served as it is, no entry is
   * taken (WB-413), and nothing is signed.
   */
  readonly isClosed?: boolean;
  /** Told once when the log stops. */
  readonly onStop?: (why: Reason) => void;
  /** Asked for every checkpoint between commit and publication. */
  readonly cosign?: Cosigner;
  /** Entries that may wait for a batch; default `POOL_ENTRIES_MAX`. */
  readonly poolEntriesMax?: number;
  /** Entries of one batch; default `BATCH_ENTRIES_MAX`. More is for those who build a log and answer nobody. */
  readonly batchEntriesMax?: number;
}

/** Entries that may wait: some seconds of work, so that a full pool is overload and not a burst. */
export const POOL_ENTRIES_MAX = 4096;
/** Entries of one batch: two tiles' worth share its syncs, and keep its proofs and its staging bounded. */
export const BATCH_ENTRIES_MAX = 512;
/** How far the clock may step back before the log refuses to sequence, in milliseconds. */
export const CLOCK_STEP_BACK_MS_MAX = 2000;
