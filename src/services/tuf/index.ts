export { describeRoot, draftRoot, type RootDescription, type RootDraftChange, signRoot } from './ceremony.ts';
export {
  lifetimesDefault,
  type TufConfig,
  type TufLifetimes,
  type TufRoleName,
  type TufSelfCheck,
  tufRoleNames,
} from './config.ts';
export { registerTufFolder } from './folder-routes.ts';
export type { TufTarget } from './metadata.ts';
export { createTuf, type Tuf, type TufStatus } from './repository.ts';
export { registerTuf } from './routes.ts';
