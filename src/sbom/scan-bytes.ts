/** Finds byte patterns in a stream without holding it: the current chunk and a short tail of the last one. */
import { concat } from '#base/bytes';

export interface Needle {
  readonly bytes: Uint8Array;
  /** Bytes wanted from the start of the needle on, to judge a hit. */
  readonly after: number;
  /** Bytes kept from the start of an accepted hit on. */
  readonly keep: number;
}

/** Node looks for as many bytes three times as fast as for one more. */
const KEY_BYTES = 7;

/**
 * Looks for the first occurrence that `isHit` accepts and keeps the bytes from there on. `isHit` gets the bytes
 * from the needle on and its offset in the file.
 */
export class NeedleScan {
  readonly #needle: Needle;
  /** A part of the needle that is looked for; from its first printable character on, since programs are not text. */
  readonly #key: Uint8Array;
  readonly #keyAt: number;
  readonly #isHit: (bytes: Uint8Array, at: number) => boolean;
  #tail: Uint8Array = new Uint8Array();
  #tailAt = 0;
  #kept: Uint8Array[] | undefined;
  #keptBytes = 0;

  constructor(needle: Needle, isHit: (bytes: Uint8Array, at: number) => boolean) {
    this.#needle = needle;
    this.#keyAt = Math.max(
      0,
      needle.bytes.findIndex((byte) => byte > 0x20 && byte < 0x7f),
    );
    this.#key = needle.bytes.subarray(this.#keyAt, this.#keyAt + KEY_BYTES);
    this.#isHit = isHit;
  }

  write(chunk: Uint8Array): void {
    if (this.#kept !== undefined) this.#keep(chunk);
    else if (chunk.length < this.#needle.bytes.length + this.#needle.after) this.#search(chunk, false);
    else if (!this.#atBorder(chunk)) this.#search(chunk, false);
  }

  /** The kept bytes, at most `keep`; undefined when there was no hit. */
  end(): Uint8Array | undefined {
    if (this.#kept === undefined) this.#search(new Uint8Array(), true);
    return this.#kept === undefined ? undefined : concat(...this.#kept);
  }

  /**
   * A hit that starts in the tail of the chunks before. Only the border is copied: a copy of every chunk would
   * cost more than the search.
   */
  #atBorder(chunk: Uint8Array): boolean {
    const { bytes, after } = this.#needle;
    const tail = this.#tail;
    if (tail.length === 0) return false;
    const border = concat(tail, chunk.subarray(0, bytes.length - 1 + after));
    const view = viewOf(border);
    for (let hit = this.#next(view, 0); hit >= 0 && hit < tail.length; hit = this.#next(view, hit + 1)) {
      if (!this.#isHit(border.subarray(hit, hit + after), this.#tailAt + hit)) continue;
      this.#kept = [];
      this.#keep(tail.subarray(hit));
      this.#keep(chunk);
      return true;
    }
    this.#tailAt += tail.length;
    this.#tail = new Uint8Array();
    return false;
  }

  /** Searches what was left over with the chunk behind it, and leaves over what cannot be judged yet. */
  #search(chunk: Uint8Array, isLast: boolean): void {
    const { bytes, after } = this.#needle;
    const data = this.#tail.length === 0 ? chunk : concat(this.#tail, chunk);
    const view = viewOf(data);
    let keepFrom = Math.max(0, data.length - (bytes.length - 1));
    for (let hit = this.#next(view, 0); hit >= 0; hit = this.#next(view, hit + 1)) {
      if (!isLast && hit + after > data.length) {
        keepFrom = Math.min(keepFrom, hit);
        break;
      }
      if (this.#isHit(data.subarray(hit, hit + after), this.#tailAt + hit)) {
        this.#kept = [];
        this.#keep(data.subarray(hit));
        return;
      }
    }
    this.#tail = Uint8Array.from(data.subarray(keepFrom));
    this.#tailAt += keepFrom;
  }

  /** Where the needle lies whole, from `from` on; -1 where it does not. */
  #next(view: Buffer, from: number): number {
    const { bytes } = this.#needle;
    for (
      let at = view.indexOf(this.#key, from + this.#keyAt);
      at >= 0;
      at = view.indexOf(this.#key, at + 1)
    ) {
      const start = at - this.#keyAt;
      const end = start + bytes.length;
      if (end <= view.length && view.compare(bytes, 0, bytes.length, start, end) === 0) return start;
    }
    return -1;
  }

  #keep(chunk: Uint8Array): void {
    const part = Uint8Array.from(chunk.subarray(0, this.#needle.keep - this.#keptBytes));
    this.#keptBytes += part.length;
    if (part.length > 0) (this.#kept as Uint8Array[]).push(part);
  }
}

const viewOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
