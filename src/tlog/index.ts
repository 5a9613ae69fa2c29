/**
 * The log engine. `openLog` gives a `Log`; a personality and a checkpoint signer make it a Rekor v1, a Rekor v2
 * or a certificate transparency log.
 */
export { EXTRA_BYTES_MAX } from './batch.ts';
export {
  type CheckpointSigner,
  type CheckpointSignerOptions,
  checkpointSigner,
  FROZEN_LINE,
  type TreeHead,
} from './checkpoint.ts';
export { campaign, type ElectionOptions, type Term } from './cluster/election.ts';
export { FrontLog, type FrontOptions, openFront } from './cluster/front.ts';
export { runSequencer, type SequencerOptions, type TermEvent } from './cluster/sequencer.ts';
export { type FsckInput, type FsckReport, fsck } from './fsck.ts';
export { type LogWriter, openLog } from './log.ts';
export type { Log } from './reader.ts';
export {
  type AppendResult,
  BATCH_ENTRIES_MAX,
  CLOCK_STEP_BACK_MS_MAX,
  type Cosigner,
  type CosignRequest,
  type LoggedEntry,
  type LogOptions,
  type LogRecord,
  type Personality,
  POOL_ENTRIES_MAX,
  type Proof,
  plainPersonality,
  type TreeView,
} from './types.ts';
