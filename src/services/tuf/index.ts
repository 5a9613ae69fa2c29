export { lifetimesDefault, type TufConfig, type TufLifetimes, type TufSelfCheck } from './config.ts';
export { registerTufFolder } from './folder-routes.ts';
export type { TufTarget } from './metadata.ts';
export { createTuf, type Tuf, type TufStatus } from './repository.ts';
export { registerTuf } from './routes.ts';
