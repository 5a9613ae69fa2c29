export { type ClockWatch, type ClockWatchOptions, MAX_OFFSET_MS, openClockWatch } from './clock-watch.ts';
export { POLICY_OID, type TsaConfig } from './config.ts';
export { registerTsa } from './routes.ts';
export { createTsa, type Tsa, type TsaAnswer } from './tsa.ts';
