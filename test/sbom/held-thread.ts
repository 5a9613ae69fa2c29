/** The other thread of `held.test.ts`: takes as much as it is told to, and says what it saw when it had it. */
import { parentPort, workerData } from 'node:worker_threads';
import { HeldMemory, type Turn } from '../../src/sbom/held.ts';

export interface Given {
  readonly cell: Turn;
  readonly seen: Int32Array<SharedArrayBuffer>;
  readonly bytes: number;
}

const { cell, seen, bytes } = workerData as Given;
parentPort?.postMessage('asks');
new HeldMemory({ cell, me: 2 }).take(bytes);
parentPort?.postMessage(Atomics.load(seen, 0));
