/** What is known about an image: everything attached to it, judged by the one verifier. */
export { Coalescer, ExpiringCache } from './cache.ts';
export type { AttachedItem } from './item.ts';
export * from './judge.ts';
export * from './mirror.ts';
export { R as factsReasons } from './reasons.ts';
export {
  attachedItems,
  type PlacesOf,
  type ReadAttachments,
  readBoundedEvidence,
  readEvidence,
  readingOnce,
  registryEvidence,
} from './registry-evidence.ts';
export * from './source.ts';
