/** The log of one build: a bounded file. Lines of the control plane are marked, so that a build cannot fake one. */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Digest } from '#base/brand';
import { type Hasher, hasher } from '#base/crypto';
import { digestFromBytes } from '#base/digest';

const LOG_BYTES_MAX = 16 * 1024 * 1024;
const TAIL_BYTES = 400;

export class BuildLog {
  readonly #descriptor: number;
  readonly #state: Hasher = hasher();
  #bytes = 0;
  #tail: Buffer = Buffer.alloc(0);
  #lineStarts = true;
  #digest: Digest | undefined;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'wx', 0o600);
  }

  /** A line of the control plane. */
  say(text: string): void {
    if (!this.#lineStarts) this.#append(Buffer.from('\n'));
    // Words of a definition are among them: one line stays one line.
    this.#append(Buffer.from(`[waybill] ${text.replace(/[\0-\x1f\x7f]+/g, ' ')}\n`));
    this.#lineStarts = true;
  }

  /** Output of a step: each line is indented, so none can begin like one of ours. */
  write(chunk: Uint8Array): void {
    const text = Buffer.from(chunk).toString('latin1');
    let out = '';
    for (const part of text.split(/(?<=\n)/)) {
      out += this.#lineStarts ? `  ${part}` : part;
      this.#lineStarts = part.endsWith('\n');
    }
    const bytes = Buffer.from(out, 'latin1');
    this.#tail = Buffer.concat([this.#tail, bytes]).subarray(-TAIL_BYTES);
    this.#append(bytes);
  }

  #append(bytes: Buffer): void {
    const kept = bytes.subarray(0, Math.max(0, LOG_BYTES_MAX - this.#bytes));
    this.#bytes += kept.length;
    if (kept.length === 0) return;
    if (this.#digest === undefined) this.#state.update(kept);
    writeSync(this.#descriptor, kept);
  }

  /** The end of what the steps printed, for a message. */
  tail(): string {
    return this.#tail.toString('utf8').replace(/\s+/g, ' ').trim();
  }

  /** Digest of everything up to the first call: what the provenance names. */
  digest(): Digest {
    this.#digest ??= digestFromBytes('sha256', this.#state.finish());
    return this.#digest;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
