/**
 * The verifier: a signed entity, trust, requirements and a time go in, a verdict comes out. Pure and synchronous:
 * no input or output, no clock, no randomness, no state.
 */
export { type Reason, type ReasonClass, reasonClasses } from '#base/reason';
export { signEd25519phDigest } from './ed25519ph.ts';
export { entityOf, type SignedEntity } from './entity.ts';
export {
  DSSE_MEDIA_TYPE,
  type LegacyLayer,
  legacyAnnotations,
  parseLegacyLayer,
  SIMPLE_SIGNING_MEDIA_TYPE,
} from './legacy.ts';
export { noTrustMaterial, type TrustMaterial, trustMaterial } from './material.ts';
export { type Matcher, matcher, type Pattern } from './pattern.ts';
export { R as verifyReasons } from './reasons.ts';
export {
  type ClaimName,
  type Identity,
  type IdentityInput,
  identity,
  type KeylessOptions,
  type KeyOptions,
  type Requirements,
  requireKey,
  requireKeyless,
  type TimeRequirement,
  withoutIdentityUnsafe,
} from './requirements.ts';
export { verifyHashSignature } from './signature.ts';
export { parseSimpleSigning, SIMPLE_SIGNING_TYPE, type SimpleSigning } from './simple-signing.ts';
export { type LoggedEntry, verifyLogEntry, verifyLogHead } from './tlog.ts';
export type { Accepted, Evidence, ObservedTime, Verdict, VerifiedSigner } from './verdict.ts';
export { type VerifyInput, verifyBundle, verifyEntity } from './verifier.ts';
