/** Registries, layouts, and what is attached to images. */
export * from './credentials.ts';
export * from './platform.ts';
export { R as ociReasons } from './reasons.ts';
export { fallbackTag } from './referrers.ts';
export * from './registry.ts';
export { Repository, type TaggedManifest } from './repository.ts';
export * from './source.ts';
export { type RegistryOptions, Wire } from './wire.ts';
