export type { CiProvider } from '#formats/ci-template';
export { type Ca, createCa, type Issued } from './ca.ts';
export {
  type CaConfig,
  type IssuerConfig,
  type IssuerTable,
  type IssuerType,
  issuerTable,
  issuerTypes,
  readIssuerTable,
} from './config.ts';
export { type CtSubmitter, httpCtSubmitter } from './ct-client.ts';
export type { KeyProof } from './proof.ts';
export { registerCa } from './routes.ts';
export { type TokenVerifier, tokenVerifier } from './token-verifier.ts';
