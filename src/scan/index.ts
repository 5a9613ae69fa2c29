export { orderOf, type VersionOrder } from './versions/index.ts';
