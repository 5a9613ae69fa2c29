/** One station per process. */
export { type AuditSettings, auditParts } from './audit.ts';
export { type CaSettings, caParts, type TsaSettings, tsaParts } from './authorities.ts';
export { type BuilderSettings, builderParts } from './builder.ts';
export { oidcParts, type RegistrySettings, registryParts, type TufSettings, tufParts } from './content.ts';
export {
  type Address,
  initStation,
  openStation,
  type RunningStation,
  type StationDeps,
  type StationParts,
  type StationSettings,
} from './frame.ts';
export { type FreezeSettings, freezeStored, personalityOf } from './freeze.ts';
export type { SignerSettings } from './held-keys.ts';
export { type CtSettings, ctParts, type LogSettings, logParts } from './logs.ts';
export type { LogRole } from './placed-log.ts';
export type { PublicFile } from './public-file.ts';
export { type CollectSettings, collectRegistry } from './registry-collect.ts';
export type { ReadingSettings } from './registry-reading.ts';
export type { PlaceSettings } from './store-url.ts';
export { networkOf, readTenants } from './tenants.ts';
