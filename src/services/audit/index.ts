/** The audit service: lineage of a digest through the logs, from evidence that survives the registry. */
import type { AuditConfig, AuditDeps } from './config.ts';
import { AuditIndex } from './search.ts';
import { openClaimStore } from './store.ts';

export type { AuditConfig, AuditDeps, AuditedLog } from './config.ts';
export { registerAudit } from './routes.ts';
export { AuditIndex, type SearchAnswer } from './search.ts';
export { claimOf, fromEnvelope, type SignedClaim } from './statements.ts';

export interface Audit {
  readonly index: AuditIndex;
  close(): Promise<void>;
}

export function createAudit(config: AuditConfig, deps: AuditDeps): Audit {
  const store = openClaimStore(config.dataDir);
  const index = new AuditIndex(store, deps.logs, deps.clock);
  return {
    index,
    close: async () => {
      await index.settled();
      store.close();
    },
  };
}
