/** The other side of `threads.ts`: reads layers one after the other, from a file or from messages. */
import { closeSync, openSync, readSync } from 'node:fs';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { WaybillError } from '#base/reason';
import type { FilePlace } from '#oci';
import { distroReader } from './catalogue.ts';
import { cataloguers } from './cataloguers/index.ts';
import { HeldMemory } from './held.ts';
import { packReading } from './pack.ts';
import { matcherOf, recordLayer } from './read-layers.ts';
import type { Job, ToMain, ToWorker, WorkerData } from './threads.ts';

/** Stored bytes of the layer under way. */
class Inbox {
  readonly #chunks: Uint8Array[] = [];
  #isEnded = false;
  #failure: string | undefined;
  #wake: (() => void) | undefined;

  put(message: ToWorker): void {
    if (message.kind === 'chunk') this.#chunks.push(message.bytes);
    else if (message.kind === 'end') this.#isEnded = true;
    else if (message.kind === 'failed') this.#failure = message.message;
    this.#wake?.();
  }

  async *read(took: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        yield chunk;
        took(chunk);
      } else if (this.#failure !== undefined) {
        throw new Error(this.#failure);
      } else if (this.#isEnded) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }
}

function serve(port: MessagePort, { turn }: WorkerData): void {
  const memory = new HeldMemory(turn);
  let inbox = new Inbox();
  const send = (message: ToMain, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  port.on('message', (message: ToWorker) => {
    if (message.kind !== 'job') {
      inbox.put(message);
      return;
    }
    const mine = new Inbox();
    inbox = mine;
    const took = (bytes: Uint8Array): void => send({ kind: 'took', bytes }, [bytes.buffer as ArrayBuffer]);
    read(message.job, mine, took, memory).then(
      (bytes) => send({ kind: 'done', bytes }, [bytes.buffer as ArrayBuffer]),
      (error: unknown) => {
        const reason = error instanceof WaybillError ? error.reason : undefined;
        const message = error instanceof Error ? error.message : String(error);
        send({ kind: 'error', message, ...(reason === undefined ? {} : { reason }) });
      },
    );
  });
}

const PIECE_BYTES = 256 * 1024;

/** The bytes of a file in memory that is used again and again: each piece is gone when the next is asked for. */
async function* fileBytes({ path, offset, size }: FilePlace): AsyncGenerator<Uint8Array> {
  const handle = openSync(path, 'r');
  try {
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    for (let at = 0; at < size; ) {
      const count = readSync(handle, piece, 0, Math.min(PIECE_BYTES, size - at), offset + at);
      // A file that lost its end is seen by its digest.
      if (count === 0) return;
      yield piece.subarray(0, count);
      at += count;
    }
  } finally {
    closeSync(handle);
  }
}

async function read(
  { layer, names, again }: Job,
  inbox: Inbox,
  took: (chunk: Uint8Array) => void,
  memory: HeldMemory,
): Promise<Uint8Array> {
  const chosen = [distroReader, ...cataloguers.filter((one) => names.includes(one.name))];
  const { place } = layer;
  const input =
    place === undefined
      ? { ...layer, open: () => inbox.read(took) }
      : { ...layer, open: () => fileBytes(place), isChecked: false };
  const matcher = matcherOf(chosen);
  const recording = { cataloguers: chosen, matcher, again, inflating: 'here', memory } as const;
  try {
    return packReading(await recordLayer(input, recording));
  } finally {
    memory.clear();
  }
}

if (parentPort !== null) serve(parentPort, workerData as WorkerData);
