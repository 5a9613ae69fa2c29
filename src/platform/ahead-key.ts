/**
 * The key of a log, at hand or elsewhere. The engine signs a checkpoint without waiting for anybody. For a key that
 * lies elsewhere its signature is asked for ahead: when the batch was read back from the store as it was staged, and
 * before the engine, which checks that again, goes on. So nothing is signed that is not durable, and a holder that does
 * not answer refuses the batch as a disk would.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { equalBytes } from '#base/bytes';
import { holderOf, type KeyHolder, type PublicKey, type Signer, sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import { R } from './reasons.ts';
import type { LogStore, StagedBatch } from './store.ts';

/** A key this process cannot reach, only ask. */
export interface ElsewhereKey {
  readonly publicKey: PublicKey;
  readonly elsewhere: KeyHolder;
}

export type LogKey = Signer | ElsewhereKey;

export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
  /** Nothing follows it. */
  readonly isLast?: boolean;
}

/** What a log opens with its key. */
export interface OpenedLogKey {
  /** For checkpoints alone. */
  readonly signer: Signer;
  /** For everything else, which may wait. */
  readonly holder: KeyHolder;
  /** The store as the engine that signs with `signer` must be given it. */
  over(store: LogStore): LogStore;
  /** Freezes the log by `freeze`. Throws WB-221 and what the holder throws; the log then goes on. */
  end(log: EndingLog, freeze: () => Promise<void>): Promise<void>;
}

export interface EndingLog {
  readonly tree: TreeHead;
  readonly stopped: object | undefined;
}

/** `textOf` says which bytes of a tree are signed. */
export function openLogKey(key: LogKey, textOf: (head: TreeHead) => Uint8Array): OpenedLogKey {
  if ('elsewhere' in key) return new AheadKey(key.elsewhere, textOf);
  return { signer: key, holder: holderOf(key), over: (store) => store, end: (_log, freeze) => freeze() };
}

const EMPTY_ROOT = sha256(new Uint8Array(0));
/** For a batch that is under way when a log ends; witnesses may be asked for it. */
const SETTLE_MS_MAX = 10_000;
const LOOK_MS = 5;

class AheadKey implements OpenedLogKey {
  readonly holder: KeyHolder;
  readonly signer: Signer;
  readonly #textOf: (head: TreeHead) => Uint8Array;
  /** The one head that may be signed next. */
  #ready: { readonly text: Uint8Array; readonly signature: Uint8Array } | undefined;
  /** Staged, and not known to be published. */
  #open: StagedBatch | undefined;
  #isEnding = false;

  constructor(holder: KeyHolder, textOf: (head: TreeHead) => Uint8Array) {
    this.holder = holder;
    this.#textOf = textOf;
    this.signer = { publicKey: holder.publicKey, sign: (text) => this.#take(text) };
  }

  #take(text: Uint8Array): Uint8Array {
    const ready = this.#ready;
    if (ready !== undefined && equalBytes(ready.text, text)) return ready.signature;
    throw fail(R.signedAhead, { expected: 'a checkpoint that was asked for', actual: 'another' });
  }

  async #prepare(head: TreeHead): Promise<void> {
    this.#ready = undefined;
    const text = this.#textOf(head);
    this.#ready = { text, signature: await this.holder.sign(text, 'sha256') };
  }

  over(store: LogStore): LogStore {
    const { lock } = store;
    return {
      ...delegate(store),
      lock: {
        read: async () => {
          const text = await lock.read();
          // What follows is a new log, if anything.
          if (text === undefined) await this.#prepare({ size: 0, root: EMPTY_ROOT });
          return text;
        },
        swap: (previous, next) => lock.swap(previous, next),
      },
      stage: async (batch) => {
        if (this.#isEnding) throw fail(R.signedAhead, { expected: 'a log that goes on', actual: 'its end' });
        this.#open = batch;
        await store.stage(batch).catch((error: unknown) => this.#forget(error));
      },
      staged: async (to, root) => {
        const found = await store.staged(to, root);
        const asked = this.#open;
        if (asked === undefined || asked.to !== to || !equalBytes(asked.root, root)) return found;
        // What the store lost or changed is not signed; the engine says so.
        if (found === undefined || !equalBytes(found.payload, asked.payload)) this.#open = undefined;
        else await this.#prepare({ size: to, root }).catch((error: unknown) => this.#forget(error));
        return found;
      },
    };
  }

  #forget(error: unknown): never {
    this.#open = undefined;
    throw error;
  }

  async end(log: EndingLog, freeze: () => Promise<void>): Promise<void> {
    this.#isEnding = true;
    try {
      const isUnderWay = (): boolean =>
        this.#open !== undefined && log.tree.size < this.#open.to && log.stopped === undefined;
      for (let waited = 0; isUnderWay(); waited += LOOK_MS) {
        if (waited >= SETTLE_MS_MAX) {
          throw fail(R.signedAhead, { expected: 'the batch under way to be published', actual: 'it is not' });
        }
        await sleep(LOOK_MS);
      }
      const { size, root } = log.tree;
      await this.#prepare({ size, root, isLast: true });
      await freeze();
    } finally {
      this.#isEnding = false;
      // The last checkpoint of a log that goes on after all is not kept.
      this.#ready = undefined;
    }
  }
}

function delegate(store: LogStore): Omit<LogStore, 'lock' | 'stage' | 'staged'> {
  const { lockPlace, place } = store;
  return {
    ...(lockPlace === undefined ? {} : { lockPlace }),
    ...(place === undefined ? {} : { place }),
    unstage: (size) => store.unstage(size),
    writeTile: (path, bytes) => store.writeTile(path, bytes),
    readTile: (path) => store.readTile(path),
    publish: (previous, next) => store.publish(previous, next),
    published: () => store.published(),
    indexed: () => store.indexed(),
    index: (from, names) => store.index(from, names),
    find: (name) => store.find(name),
    close: () => store.close(),
  };
}
