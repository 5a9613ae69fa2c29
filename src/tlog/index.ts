/**
 * The log engine. `openLog` gives a `Log`; a personality and a checkpoint signer make it a Rekor v1, a Rekor v2
 * or a certificate transparency log.
 */
export { EXTRA_BYTES_MAX } from './batch.ts';
export {
  type CheckpointSigner,
  type CheckpointSignerOptions,
  type CheckpointVerifier,
  checkpointSigner,
  checkpointVerifier,
  FROZEN_LINE,
  type TreeHead,
} from './checkpoint.ts';
export { campaign, type ElectionOptions, type Term } from './cluster/election.ts';
export { FrontLog, type FrontOptions, openFront } from './cluster/front.ts';
export { runSequencer, type SequencerOptions, type TermEvent } from './cluster/sequencer.ts';
export { type FsckInput, type FsckReport, fsck } from './fsck.ts';
export { type LogWriter, openLog } from './log.ts';
export { entryOutside, type OutsideTree } from './outside/entry.ts';
export { IssuedCertificates } from './outside/issued.ts';
export {
  type Look,
  type LookOptions,
  lookAt,
  type MonitorState,
  monitorStateJson,
  readMonitorState,
} from './outside/monitor.ts';
export { type EntryBundles, folderTiles, httpTiles, type TileSource } from './outside/source.ts';
export { dataTiles, isStaticCt, staticCtVerifier } from './outside/static-ct.ts';
export { fsckStored, type StoredOptions } from './outside/stored.ts';
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
  type NamedFile,
  type Personality,
  POOL_ENTRIES_MAX,
  type Proof,
  plainPersonality,
  type TreeView,
} from './types.ts';
export { type CosignOptions, cosignWith } from './witness/client.ts';
export { type PolicyWitness, parseWitnessPolicy, type WitnessPolicy } from './witness/policy.ts';
