/** Registries, layouts, and what is attached to images. */
export * from './platform.ts';
export { R as ociReasons } from './reasons.ts';
export * from './source.ts';
