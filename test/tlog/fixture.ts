/** A log whose store fails on command, and an independent check of everything it holds. */
import assert from 'node:assert/strict';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, type PrivateKey } from '#base/crypto';
import type { LogStore } from '#platform/store';
import { checkpointSigner, type Log, type LogOptions, type LogWriter, openLog } from '#tlog';
import { naiveRoot } from '../formats/naive-tree.ts';

export const START_MS = Date.UTC(2026, 0, 1);
export const ORIGIN = 'log.example';

export const keyPair: PrivateKey = generateKey('ed25519');
export const signer = checkpointSigner({ origin: ORIGIN, signer: keyPair });

export function optionsFor(store: LogStore, more: Partial<LogOptions> = {}): LogOptions {
  return { store, signer, clock: new FixedClock(START_MS), create: true, ...more };
}

export const open = (store: LogStore, more: Partial<LogOptions> = {}): Promise<LogWriter> =>
  openLog(optionsFor(store, more));

export const entry = (n: number | string): Uint8Array => utf8(`entry ${n}`);

/** Appends `count` entries in concurrent groups. */
export async function fill(log: Log, from: number, count: number): Promise<void> {
  const all = Array.from({ length: count }, (_, i) => log.append(entry(from + i)));
  await Promise.all(all);
}

/** Recomputes the whole log, by the engine's walk and by the naive tree over the entries read one by one. */
export async function checkLog(log: Log): Promise<Uint8Array[]> {
  assert.deepEqual((await log.check()).problems, []);
  const entries: Uint8Array[] = [];
  for (let i = 0; i < log.tree.size; i++) entries.push((await log.record(i)).entry);
  assert.deepEqual(new Uint8Array(log.tree.root), naiveRoot(entries));
  return entries;
}

export type FaultMode = 'before' | 'after';

/** Counts the calls that write; the `n`-th throws, before or after it took effect. `n` 0: none. */
export class FaultyStore {
  readonly store: LogStore;
  fired: string | undefined;
  calls = 0;
  #n: number;
  readonly #mode: FaultMode;
  readonly #ignored: ReadonlySet<string>;

  /** `ignored`: calls that are neither counted nor fail. */
  constructor(inner: LogStore, n: number, mode: FaultMode, ignored: readonly string[] = []) {
    this.#n = n;
    this.#mode = mode;
    this.#ignored = new Set(ignored);
    const guard =
      <A extends unknown[], T>(name: string, call: (...args: A) => Promise<T>) =>
      (...args: A): Promise<T> =>
        this.#guard(name, () => call(...args));
    this.store = {
      ...inner,
      lock: { read: inner.lock.read, swap: guard('swap', inner.lock.swap) },
      stage: guard('stage', inner.stage),
      staged: guard('staged', inner.staged),
      unstage: guard('unstage', inner.unstage),
      writeTile: guard('writeTile', inner.writeTile),
      readTile: guard('readTile', inner.readTile),
      publish: guard('publish', inner.publish),
      index: guard('index', inner.index),
      find: guard('find', inner.find),
    };
  }

  /** Counts from here; the `n`-th call from now fails. */
  arm(n: number): void {
    this.calls = 0;
    this.fired = undefined;
    this.#n = n;
  }

  async #guard<T>(name: string, call: () => Promise<T>): Promise<T> {
    if (this.#ignored.has(name)) return call();
    this.calls++;
    if (this.calls !== this.#n) return call();
    this.fired = name;
    if (this.#mode === 'after') await call();
    throw new Error(`injected fault in ${name}`);
  }
}
