/**
 * Inflating on the spot, into one buffer that is used again and again. A stream takes new memory for every piece it
 * puts out and wakes two threads for it, which costs as much as the inflating; what comes out here is looked at while
 * it is still near the processor. It blocks its thread, so layers are read so by threads that have nothing else to do.
 * Node offers this only inside its own streams (`writeSync` of their handle, what `gunzipSync` calls); where that is
 * not as expected there is no such inflater, and callers take the usual ways.
 */
import { constants, createGunzip, createInflateRaw, createZstdDecompress, inflateRawSync } from 'node:zlib';

export interface Inflater {
  /** Hands out what the chunk inflates to; the memory is only valid during the call. Throws as the streams do. */
  push(chunk: Uint8Array, take: (bytes: Uint8Array) => void): void;
  /** Hands out the rest; throws where the stream is not complete. */
  finish(take: (bytes: Uint8Array) => void): void;
  close(): void;
}

/** Fits the second-level cache with what reads it. */
const OUT_BYTES = 128 * 1024;

/** The part of a zlib stream's handle that is used. */
interface Handle {
  onerror: (message: string, errno: number, code: string) => void;
  writeSync(
    flush: number,
    input: Uint8Array,
    at: number,
    length: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
}

interface Insides {
  readonly _handle?: Handle | null;
  /** Room left in the output, bytes left of the input; after each write. */
  readonly _writeState?: Uint32Array;
}

const kinds = {
  gzip: { open: createGunzip, more: constants.Z_NO_FLUSH, end: constants.Z_FINISH },
  zstd: { open: createZstdDecompress, more: constants.ZSTD_e_continue, end: constants.ZSTD_e_end },
} as const;

interface Opened {
  readonly handle: Handle;
  readonly state: Uint32Array;
  /** The error of the last write. */
  failure: Error | undefined;
}

function insidesOf(stream: object): Opened | undefined {
  const { _handle: handle, _writeState: state } = stream as Insides;
  if (typeof handle?.writeSync !== 'function' || !(state instanceof Uint32Array) || state.length < 2) {
    return undefined;
  }
  const opened: Opened = { handle, state, failure: undefined };
  handle.onerror = (message, errno, code) => {
    opened.failure = Object.assign(new Error(message), { errno, code });
  };
  return opened;
}

/** Undefined where this Node has no such thing. */
export function createInflater(kind: keyof typeof kinds): Inflater | undefined {
  const { open, more, end } = kinds[kind];
  // Its own buffer is never used.
  const stream = open({ chunkSize: 64 });
  const opened = insidesOf(stream);
  if (opened === undefined) {
    stream.close();
    return undefined;
  }
  const { handle, state } = opened;
  const out = Buffer.allocUnsafeSlow(OUT_BYTES);
  let isOver = false;
  const write = (flush: number, chunk: Uint8Array, take: (bytes: Uint8Array) => void): void => {
    let left = chunk.length;
    for (let room = 0; room === 0 && !isOver; ) {
      handle.writeSync(flush, chunk, chunk.length - left, left, out, 0, OUT_BYTES);
      if (opened.failure !== undefined) throw opened.failure;
      [room, left] = state as unknown as [number, number];
      if (room < OUT_BYTES) take(out.subarray(0, OUT_BYTES - room));
      // Room and input left over: padding behind the last member, as the streams see it.
      isOver = room > 0 && left > 0;
    }
  };
  return {
    push: (chunk, take) => write(more, chunk, take),
    finish: (take) => write(end, new Uint8Array(), take),
    close: () => stream.close(),
  };
}

/**
 * Inflates small pieces of raw deflate one after the other; throws what `inflateRawSync` throws. To set up an
 * inflater costs more than a piece of a few kilobytes.
 */
export function smallInflater(maxOutputLength: number): (piece: Uint8Array) => Uint8Array {
  const plain = (piece: Uint8Array): Uint8Array => inflateRawSync(piece, { maxOutputLength });
  const stream = createInflateRaw({ chunkSize: 64 });
  const opened = insidesOf(stream);
  if (opened === undefined) return plain;
  const { handle, state } = opened;
  const out = Buffer.allocUnsafeSlow(OUT_BYTES);
  return (piece) => {
    stream.reset();
    opened.failure = undefined;
    handle.writeSync(constants.Z_FINISH, piece, 0, piece.length, out, 0, OUT_BYTES);
    const [room = 0, left = 0] = state;
    // Large ones, and broken ones, whose error says more.
    if (opened.failure !== undefined || room === 0 || left > 0) return plain(piece);
    return Uint8Array.prototype.slice.call(out, 0, OUT_BYTES - room);
  };
}
