/** SLSA provenance: one model for all producers, checks against certificate and expectations, levels, VSA. */
export { builderMatches, builderSans, parseBuilderId } from './builder-identity.ts';
export { checkProvenance } from './check.ts';
export type {
  Expectations,
  ProvenanceFinding,
  ProvenanceFindings,
  ProvenanceSigner,
} from './expectations.ts';
export { type BuilderFacts, builderLevel, grantedLevel, type Level } from './levels.ts';
export { type Producer, type Provenance, type SourceRevision, WAYBILL_BUILD_TYPE } from './model.ts';
export { readProvenance } from './read.ts';
export { slsaErrorNames } from './slsa-error-names.ts';
export { parseSourceUri, refKind, type SourceUri } from './source-uri.ts';
export { GITHUB_ISSUER, type TrustedBuilder, trustedBuilders } from './trusted.ts';
export { checkVsa, type VsaExpectations } from './vsa.ts';
