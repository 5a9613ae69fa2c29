/**
 * Cuts a zstd stream at its frame boundaries (RFC 8878 §3.1). Node's decompressor ends a frame and drops what
 * follows in the same write, so frames must arrive in writes of their own; layers of several frames, with
 * skippable ones between and after them, are common (zstd:chunked).
 */

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

type State = 'magic' | 'skipSize' | 'descriptor' | 'blockHeader' | 'counted' | 'opaque';

export class FrameCutter {
  #state: State = 'magic';
  /** Little-endian bytes of the field being read. */
  #field: number[] = [];
  /** Bytes to pass over, and the state after them. */
  #left = 0;
  #next: State = 'magic';
  #hasChecksum = false;

  /** The chunk in pieces, each of at most one frame. */
  push(chunk: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let from = 0;
    let at = 0;
    while (at < chunk.length) {
      at = this.#step(chunk, at);
      if (this.#state === 'magic' && this.#field.length === 0) {
        pieces.push(chunk.subarray(from, at));
        from = at;
      }
    }
    if (from < chunk.length) pieces.push(chunk.subarray(from));
    return pieces;
  }

  #step(chunk: Uint8Array, at: number): number {
    switch (this.#state) {
      case 'opaque':
        return chunk.length;
      case 'counted': {
        const step = Math.min(this.#left, chunk.length - at);
        this.#left -= step;
        if (this.#left === 0) this.#state = this.#next;
        return at + step;
      }
      default:
        this.#field.push(chunk[at] as number);
        this.#take();
        return at + 1;
    }
  }

  /** Acts when the field of the current state is complete. */
  #take(): void {
    const size = { magic: 4, skipSize: 4, descriptor: 1, blockHeader: 3, counted: 0, opaque: 0 }[this.#state];
    if (this.#field.length < size) return;
    const value = this.#field.reduceRight((sum, byte) => sum * 256 + byte, 0);
    this.#field = [];
    if (this.#state === 'magic') this.#state = stateAfterMagic(value);
    else if (this.#state === 'skipSize') this.#pass(value, 'magic');
    else if (this.#state === 'descriptor') this.#descriptor(value);
    else this.#blockHeader(value);
  }

  #pass(bytes: number, next: State): void {
    this.#left = bytes;
    this.#next = next;
    this.#state = bytes === 0 ? next : 'counted';
  }

  #descriptor(value: number): void {
    const isSingleSegment = (value & 0x20) !== 0;
    const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][value >> 6] as number;
    const dictionaryId = [0, 1, 2, 4][value & 3] as number;
    this.#hasChecksum = (value & 4) !== 0;
    this.#pass((isSingleSegment ? 0 : 1) + dictionaryId + contentSize, 'blockHeader');
  }

  #blockHeader(value: number): void {
    const isLast = (value & 1) !== 0;
    const isRepeated = ((value >> 1) & 3) === 1;
    const size = isRepeated ? 1 : value >>> 3;
    const checksum = isLast && this.#hasChecksum ? 4 : 0;
    this.#pass(size + checksum, isLast ? 'magic' : 'blockHeader');
  }
}

/** What is no frame is left to the decompressor, which refuses it. */
function stateAfterMagic(magic: number): State {
  if (magic === FRAME_MAGIC) return 'descriptor';
  return (magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC ? 'skipSize' : 'opaque';
}

/** The bytes of a zstd stream in pieces of at most one frame. */
export async function* cutFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const cutter = new FrameCutter();
  for await (const chunk of source) yield* cutter.push(chunk);
}
