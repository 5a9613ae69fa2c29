/** The system's time and randomness: the only place that asks for them. */
import { randomFillSync } from 'node:crypto';
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';

export const systemClock: Clock = { now: () => Date.now() };
export const systemRandom: Random = { bytes: (length) => randomFillSync(new Uint8Array(length)) };
