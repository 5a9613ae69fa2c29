/** Registries, layouts, and what is attached to images. */
export {
  type Attachment as WrittenAttachment,
  attachBundle,
  attachLegacyAttestation,
  attachLegacySbom,
  attachLegacySignature,
  type BundleOptions,
  bundleManifest,
  type LegacyOptions,
} from './attach.ts';
export { type LegacySuffix, legacyTag } from './attachment-tags.ts';
export * from './attachments.ts';
export { type Cleaned, type CleanKind, cleanAttachments } from './clean.ts';
export { mapLimited } from './concurrent.ts';
export { type CopyOptions, type CopyResult, copyImage } from './copy.ts';
export * from './credentials.ts';
export {
  type EnginePlaces,
  enginePlaces,
  openEngineImage,
} from './engine.ts';
export { endpointHost, isLoopback } from './hosts.ts';
export { createLayout, Layout, LayoutSource, openLayout } from './layout.ts';
export type { FilePlace } from './layout-files.ts';
export { checkLogin, forgetLogin, type Kept, keepLogin, type Login } from './login.ts';
export * from './open.ts';
export { type PlaceRule, placementOf } from './places.ts';
export * from './platform.ts';
export { R as ociReasons } from './reasons.ts';
export { fallbackTag } from './referrers.ts';
export { readRegistriesConf } from './registries-conf.ts';
export * from './registry.ts';
export { Repository } from './repository.ts';
export type { TaggedManifest } from './repository-api.ts';
export * from './source.ts';
export { imageTree, type TreeKind, type TreeNode } from './tree.ts';
export { type RegistryOptions, Wire } from './wire.ts';
