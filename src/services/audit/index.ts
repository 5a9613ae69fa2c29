/** The audit service: what the logs say about a digest or an identity, from evidence that survives the registry. */
export { Claims } from './claims.ts';
export type { AuditConfig, AuditedLog } from './config.ts';
export * from './page/index.ts';
export { registerAudit } from './routes.ts';
export {
  type AuditDeps,
  AuditIndex,
  type AuditQuery,
  answerJson,
  type MissingLog,
  type SearchAnswer,
} from './search.ts';
export { claimOf, fromEnvelope, isClaimType, type SignedClaim } from './statements.ts';
export type { ClaimBatch, StoredClaim } from './store.ts';
