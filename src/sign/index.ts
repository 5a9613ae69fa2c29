/** Signing: keys, the clients of CA, log and timestamp authority, and the pipeline that verifies what it made. */
export { type AuditAnswer, type AuditedEntry, type AuditQuery, askAudit } from './audit-client.ts';
export { type CaClient, caClient } from './ca-client.ts';
export type { SignContent } from './content.ts';
export { type ContentKey, contentKey, type Signable, signableBytes } from './content-key.ts';
export { ephemeralKey, type KeyAlgorithm, type OwnCertificate, type TokenSource } from './credential.ts';
export { ExternalSigner, type ExternalSignerOptions } from './external-signer.ts';
export type { WireDeps } from './http.ts';
export { KEY_LABEL, type KeyPairFiles, makeKeyPair, readPrivateKey, writePrivateKey } from './key-file.ts';
export { type LegacyPieces, rekorBundle } from './legacy.ts';
export { type LogClient, type LogSubmission, logClient, readEntryV1 } from './log-client.ts';
export { createPluginKey, isPluginKey, type PluginDeps, pluginKey } from './plugin-key.ts';
export { type LogService, type SigningServices, servicesFrom } from './services.ts';
export {
  createSigner,
  type Signer,
  type SignerOptions,
  type SignResult,
} from './signer.ts';
export { type StatementSigner, statementSigner } from './statement-signer.ts';
export { type TsaClient, tsaClient } from './tsa-client.ts';
