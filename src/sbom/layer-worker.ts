/** The other side of `threads.ts`: reads layers whose stored bytes arrive as messages, one after the other. */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { WaybillError } from '#base/reason';
import { distroReader } from './catalogue.ts';
import { cataloguers } from './cataloguers/index.ts';
import { packReading } from './pack.ts';
import { matcherOf, recordLayer } from './read-layers.ts';
import type { Job, ToMain, ToWorker } from './threads.ts';

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

  async *read(took: () => void): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        yield chunk;
        took();
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

function serve(port: MessagePort): void {
  let inbox = new Inbox();
  const send = (message: ToMain, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  port.on('message', (message: ToWorker) => {
    if (message.kind !== 'job') {
      inbox.put(message);
      return;
    }
    const mine = new Inbox();
    inbox = mine;
    read(message.job, mine, () => send({ kind: 'took' })).then(
      (bytes) => send({ kind: 'done', bytes }, [bytes.buffer as ArrayBuffer]),
      (error: unknown) => {
        const reason = error instanceof WaybillError ? error.reason : undefined;
        const message = error instanceof Error ? error.message : String(error);
        send({ kind: 'error', message, ...(reason === undefined ? {} : { reason }) });
      },
    );
  });
}

async function read({ layer, names, again }: Job, inbox: Inbox, took: () => void): Promise<Uint8Array> {
  const chosen = [distroReader, ...cataloguers.filter((one) => names.includes(one.name))];
  const input = { ...layer, open: () => inbox.read(took) };
  const matcher = matcherOf(chosen);
  return packReading(await recordLayer(input, { cataloguers: chosen, matcher, again, inflating: 'here' }));
}

if (parentPort !== null) serve(parentPort);
