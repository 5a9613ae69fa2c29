/** A witness of transparency logs: cosigns checkpoints that extend what it saw. */
export type { WitnessConfig, WitnessedLog } from './config.ts';
export { openWitnessFiles, type WitnessFiles } from './files.ts';
export { registerWitness } from './routes.ts';
export { Witness } from './witness.ts';
