export { loadDatabase, memoryDatabase } from './read.ts';
export * from './types.ts';
export { databaseBytes, type Enrichment, type WriteOptions } from './write.ts';
