/**
 * Ports for a stack that is stopped and started again at the same addresses: below those the system gives out by
 * itself, so that nobody is given one of them in between.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

const FIRST = 20_000;
const STEP = 10;
/** Up to 32,000; Linux gives out ports from 32,768. */
const SLOTS = 1200;

/** Processes that run at the same time begin far from each other. */
let slot = (process.pid * 37) % SLOTS;

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** So many free ports. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const base = await freePortBase();
    found.push(...Array.from({ length: STEP }, (_, at) => base + at));
  }
  return found.slice(0, count);
}

/** The first of ten free ports in a row. */
export async function freePortBase(): Promise<number> {
  for (let tries = 0; tries < SLOTS; tries++) {
    const base = FIRST + slot * STEP;
    slot = (slot + 1) % SLOTS;
    const found = await Promise.all(Array.from({ length: STEP }, (_, at) => isFree(base + at)));
    if (found.every((free) => free)) return base;
  }
  throw new Error('no ten free ports in a row');
}
