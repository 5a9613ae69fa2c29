/** The isolated builder: commit → sandbox → image → signed provenance. See README.md. */

export { attachAsReferrer } from './attach.ts';
export type { BuildResult } from './build.ts';
export { type Builder, createBuilder } from './builder.ts';
export type {
  AttachBundle,
  BackendName,
  BuildClaims,
  BuilderConfig,
  BuilderDeps,
  Images,
  StatementSigner,
  TokenSource,
} from './config.ts';
export { registerBuilder } from './routes.ts';
export { type Attack, attacks } from './sandbox.ts';
export type { CapabilityReport, Measurement } from './self-test.ts';
export type { BuildStatus } from './store.ts';
