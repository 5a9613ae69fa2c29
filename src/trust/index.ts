/** Where trusted roots come from: pinned files, ClientTrustConfig, TUF mirrors. */
export { exportTrust, importTrust, readExport, writeExport } from './air-gap.ts';
export {
  chooseTrust,
  defaultCacheDir,
  requireTrustSource,
  stackTrustFiles,
  type TrustOptions,
  trustSource,
} from './choose.ts';
export { authorityEnd, type Expiry, endingSoon } from './expiry.ts';
export {
  clientTrustConfigBytes,
  loadTrust,
  pinRoot,
  readTufRoot,
  rootChecksum,
  SIGNING_CONFIG_TARGET,
  TRUSTED_ROOT_TARGET,
  type Trust,
  type TrustDeps,
  type TrustSource,
} from './load.ts';
export {
  addProfile,
  configDir,
  profileNamed,
  readProfiles,
  removeProfile,
  type TrustProfile,
  type TrustProfiles,
  useProfile,
} from './profiles.ts';
export {
  isSimulated,
  refuseSimulated,
  SIMULATED_ORGANIZATION,
  type SimulatedProvider,
  type Simulation,
  simulationIn,
  simulations,
  stackSimulation,
} from './simulated.ts';
export { mirrorSource } from './sources.ts';
export {
  initTufFolder,
  type MirrorOptions,
  type MirrorResult,
  mirrorRepository,
  newestRoot,
  openRepository,
  type TufFolder,
  type TufFolderOptions,
  type TufMemory,
  type TufRepository,
  type TufRole,
  type TufSource,
  withTufFolder,
} from './tuf.ts';
export { mirrorFolder } from './tuf-cache.ts';
export { requireTufRoot } from './tuf-root-file.ts';
