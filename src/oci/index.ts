/** Registries, layouts, and what is attached to images. */
export * from './credentials.ts';
export * from './layout.ts';
export * from './platform.ts';
export { R as ociReasons } from './reasons.ts';
export { fallbackTag } from './referrers.ts';
export * from './registry.ts';
export { Repository } from './repository.ts';
export type { TaggedManifest } from './repository-api.ts';
export * from './source.ts';
export { type RegistryOptions, Wire } from './wire.ts';
