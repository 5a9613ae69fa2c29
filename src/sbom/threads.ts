/**
 * Layers read on other threads, each on its own: inflating, hashing and looking at files all take a whole core.
 * The stored bytes come from their file, or else from this thread, a few pieces ahead of the reader; only records
 * come back.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Reason, WaybillError } from '#base/reason';
import type { Again } from './capture.ts';
import { freeTurn, newTurn, type Turn } from './held.ts';
import type { LayerInput } from './layer.ts';
import { unpackReading } from './pack.ts';
import type { LayerReader, LayerReading } from './read-layers.ts';

export interface Job {
  readonly layer: Omit<LayerInput, 'open'>;
  /** Of the cataloguers that look at it. */
  readonly names: readonly string[];
  readonly again?: Again;
}

export interface WorkerData {
  /** Whose large files are looked at; `me`: the number of the thread. */
  readonly turn: { readonly cell: Turn; readonly me: number };
}

export type ToWorker =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'chunk'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly message: string };

export type ToMain =
  /** A piece was read; its memory comes back to be filled again. */
  | { readonly kind: 'took'; readonly bytes: Uint8Array }
  | { readonly kind: 'done'; readonly bytes: Uint8Array }
  | { readonly kind: 'error'; readonly message: string; readonly reason?: Reason };

/** Large, because every piece wakes two threads. */
const PIECE_BYTES = 1024 * 1024;
const AHEAD = 3;
const THREADS_MAX = 4;
/** Two are as quick as inflating on most machines, and what they take is known. */
const THREADS_UNASKED = 2;
/** A thread takes as long to start as inflating so much. */
const WORTH_BYTES = 8 * 1024 * 1024;
/** Small generations are swept often and stay small; a record needs little of them. */
const resourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 1024 };

/** The sibling of this file: in the sources, in the library, and beside the bundled command line. */
const entry = (): URL => {
  const [ending] = /\.[a-z]+$/.exec(import.meta.url) ?? ['.js'];
  return new URL(`./layer-worker${ending}`, import.meta.url);
};

/** Threads for an image where nobody says how many: one for each large layer, none for a small image. */
export function threadsFor(layers: readonly { readonly size: number }[]): number {
  const all = layers.reduce((sum, { size }) => sum + size, 0);
  const large = layers.filter(({ size }) => size > WORTH_BYTES).length;
  return Math.min(THREADS_UNASKED, all > WORTH_BYTES ? Math.max(1, large) : 0);
}

/** At most `threads` layers at a time, and no more than this machine has cores. */
export function threadedReader(names: readonly string[], threads: number): LayerReader {
  const width = Math.max(1, Math.min(threads, availableParallelism(), THREADS_MAX));
  const idle: Thread[] = [];
  const all: Thread[] = [];
  const turn = newTurn();
  const waiting: ((thread: Thread) => void)[] = [];
  const take = async (): Promise<Thread> => {
    const free = idle.pop();
    if (free !== undefined) return free;
    if (all.length === width) return new Promise((resolve) => waiting.push(resolve));
    const thread = new Thread({ cell: turn, me: all.length + 1 });
    all.push(thread);
    return thread;
  };
  return {
    width,
    async read(layer, again) {
      const thread = await take();
      try {
        return await thread.read(layer, names, again);
      } finally {
        const next = waiting.shift();
        if (next === undefined) idle.push(thread);
        else next(thread);
      }
    },
    async close() {
      await Promise.all(all.map((thread) => thread.close()));
    },
  };
}

class Thread {
  readonly #worker: Worker;
  #ahead = 0;
  /** Memory for pieces: what is filled again need not be cleared away. */
  readonly #spare: ArrayBuffer[] = [];
  #more: (() => void) | undefined;
  #settle: { resolve(reading: LayerReading): void; reject(error: unknown): void } | undefined;

  constructor(turn: WorkerData['turn']) {
    this.#worker = new Worker(entry(), {
      resourceLimits,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      workerData: { turn } satisfies WorkerData,
    });
    this.#worker.on('message', (message: ToMain) => this.#take(message));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => {
      freeTurn(turn.cell, turn.me);
      this.#fail(new Error('the thread that read a layer ended'));
    });
  }

  async read(layer: LayerInput, names: readonly string[], again?: Again): Promise<LayerReading> {
    const { open, ...rest } = layer;
    const done = new Promise<LayerReading>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const job: Job = { layer: rest, names, ...(again === undefined ? {} : { again }) };
    this.#ahead = 0;
    this.#send({ kind: 'job', job });
    const fed = layer.place === undefined ? this.#feed(open()) : Promise.resolve();
    try {
      return await done;
    } finally {
      // A reader that gave up takes no more: the source is let go.
      this.#settle = undefined;
      this.#more?.();
      await fed;
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  async #feed(source: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      let parts: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of source) {
        if (this.#settle === undefined) return;
        parts.push(chunk);
        length += chunk.length;
        if (length < PIECE_BYTES) continue;
        await this.#sendPiece(parts, length);
        parts = [];
        length = 0;
      }
      if (length > 0) await this.#sendPiece(parts, length);
      this.#send({ kind: 'end' });
    } catch (error) {
      // The source's own refusal says more than what the reader makes of a stream that stops.
      this.#settle?.reject(error);
      this.#send({ kind: 'failed', message: 'the source failed' });
    }
  }

  async #sendPiece(parts: readonly Uint8Array[], length: number): Promise<void> {
    while (this.#ahead >= AHEAD && this.#settle !== undefined) {
      await new Promise<void>((resolve) => {
        this.#more = resolve;
      });
    }
    this.#ahead++;
    const spare = this.#spare.pop();
    const memory = spare === undefined || spare.byteLength < length ? new ArrayBuffer(length) : spare;
    const bytes = new Uint8Array(memory, 0, length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#worker.postMessage({ kind: 'chunk', bytes } satisfies ToWorker, [memory]);
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #take(message: ToMain): void {
    if (message.kind === 'took') {
      this.#ahead--;
      this.#spare.push(message.bytes.buffer as ArrayBuffer);
      this.#more?.();
    } else if (message.kind === 'done') {
      this.#settle?.resolve(unpackReading(message.bytes));
    } else {
      const { reason } = message;
      this.#fail(reason === undefined ? new Error(message.message) : new WaybillError(reason));
    }
  }

  #fail(error: unknown): void {
    this.#settle?.reject(error);
  }
}
