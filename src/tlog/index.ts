/**
 * The log engine. `openLog` gives a `Log`; a personality and a checkpoint signer make it a Rekor v1, a Rekor v2
 * or a certificate transparency log.
 */
export { EXTRA_BYTES_MAX } from './batch.ts';
export {
  type CheckpointSigner,
  type CheckpointSignerOptions,
  checkpointSigner,
  type TreeHead,
} from './checkpoint.ts';
export { type FsckInput, type FsckReport, fsck } from './fsck.ts';
export { type Log, openLog } from './log.ts';
export {
  type AppendResult,
  BATCH_ENTRIES_MAX,
  CLOCK_STEP_BACK_MS_MAX,
  type LoggedEntry,
  type LogOptions,
  type LogRecord,
  type Personality,
  POOL_ENTRIES_MAX,
  type Proof,
  plainPersonality,
  type TreeView,
} from './types.ts';
