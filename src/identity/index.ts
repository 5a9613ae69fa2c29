/** Identity tokens: where they come from, what they say. */
export {
  challengeOf,
  type IdentityClaims,
  type IdentityPreview,
  previewOf,
  readClaims,
  requireUsable,
} from './claims.ts';
export {
  type DetectOptions,
  detectToken,
  type FoundToken,
  findToken,
  providerNames,
  requireToken,
} from './detect.ts';
export { requirePerson, type SignInOptions, signIn } from './sign-in.ts';
