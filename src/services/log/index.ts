/** The transparency log: Rekor v1 and v2 on the wire. */
export type { InactiveShard, LogApi, LogConfig } from './config.ts';
export { createLog, type LogReader, LogService } from './log.ts';
export { registerLog } from './routes.ts';
export {
  bodyKeys,
  indexedKey,
  issuerKey,
  keyHashKey,
  type SearchKey,
  subjectKey,
} from './search-keys.ts';
export { openSearchStore, type SearchStore } from './store.ts';
