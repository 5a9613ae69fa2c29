/**
 * Zip archives in memory by their central directory, as the Java runtime reads them. Sizes are bounded over an
 * archive and all archives inside it: the budget is handed on.
 */
import { inflateRawSync } from 'node:zlib';
import { limits } from '#base/limits';
import { type HeldMemory, roomBytes } from '../held.ts';

export interface ZipEntry {
  readonly name: string;
  /** Uncompressed. */
  readonly size: number;
  /** The name that stands before the content, where it is another than that of the directory. */
  otherName(): string | undefined;
  /** Whether it is packed: what is read takes memory of its own. */
  readonly isPacked: boolean;
  read(): Uint8Array;
}

/** What may still be read of one file of an image, over all archives inside it, and what of it is held now. */
export class ZipBudget {
  #entries: number = limits.archiveEntries;
  #bytes: number = limits.archiveBytes;
  #held: number;
  readonly #memory: HeldMemory;

  /** For a file of so many bytes, which is held all the time; `memory` has it already. */
  constructor(size: number, memory: HeldMemory) {
    this.#held = size;
    this.#memory = memory;
  }

  takeEntries(count: number): void {
    this.#entries -= count;
    if (this.#entries < 0) throw new Error(`more than ${limits.archiveEntries} entries in its archives`);
  }

  takeBytes(count: number): void {
    this.#bytes -= count;
    if (this.#bytes < 0) throw new Error(`more than ${limits.archiveBytes} bytes in its archives`);
  }

  /**
   * Has `use` look at an archive in another one. Archives that were inflated are held as long as those inside them are
   * looked at, and their memory is given back at once: dozens would wait for the garbage collector.
   */
  hold(entry: ZipEntry, use: (bytes: Uint8Array) => void): void {
    if (!entry.isPacked) {
      use(entry.read());
      return;
    }
    this.#held += entry.size;
    this.#memory.take(entry.size);
    let bytes: Uint8Array | undefined;
    try {
      if (this.#held > limits.archiveHeldBytes) {
        const expected = `at most ${limits.archiveHeldBytes} are held`;
        throw new Error(`${this.#held} bytes of archives in each other; ${expected}`);
      }
      bytes = entry.read();
      use(bytes);
    } finally {
      if (bytes !== undefined) letGo(bytes);
      this.#held -= entry.size;
      this.#memory.give(entry.size);
    }
  }
}

/** What is small may share its memory with others. */
function letGo({ buffer, length }: Uint8Array): void {
  if (length >= OWN_BYTES_MIN && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

const END = 0x06054b50;
const END_BYTES = 22;
const COMMENT_MAX = 65_535;
const CENTRAL = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
/** Of deflate, at its best. */
const DEFLATE_RATIO_MAX = 1032;
const PIECE_BYTES_MIN = 64;
/** Above the size of the pool that Node takes small buffers from. */
const OWN_BYTES_MIN = 64 * 1024;
const decoder = new TextDecoder();

/** The entries of an archive. Throws with the reason when it is none or is damaged. */
export function zipEntries(bytes: Uint8Array, budget: ZipBudget): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  const size = view.getUint32(end + 12, true);
  const stated = view.getUint32(end + 16, true);
  if (count === 0xffff || stated === 0xffffffff) throw new Error('a zip64 archive; it was not read');
  // A launcher script may stand before the archive; offsets may or may not count it.
  const start = end - size;
  const shift = start - stated;
  if (start < 0 || shift < 0) throw new Error('a directory outside of the archive');
  budget.takeEntries(count);
  const entries: ZipEntry[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_BYTES > end || view.getUint32(at, true) !== CENTRAL) {
      throw new Error(`entry ${i + 1} of ${count} is not where it should be`);
    }
    const nameLength = view.getUint16(at + 28, true);
    entries.push(entryAt(bytes, view, at, nameLength, shift, budget));
    at += CENTRAL_BYTES + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

function findEnd(view: DataView): number {
  const lowest = Math.max(0, view.byteLength - END_BYTES - COMMENT_MAX);
  for (let at = view.byteLength - END_BYTES; at >= lowest; at--) {
    if (
      view.getUint32(at, true) === END &&
      at + END_BYTES + view.getUint16(at + 20, true) <= view.byteLength
    ) {
      return at;
    }
  }
  throw new Error('no zip archive, or one that ends early');
}

function entryAt(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  nameLength: number,
  shift: number,
  budget: ZipBudget,
): ZipEntry {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const packed = view.getUint32(at + 20, true);
  const size = view.getUint32(at + 24, true);
  const local = view.getUint32(at + 42, true) + shift;
  const named = bytes.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength);
  const name = decoder.decode(named);
  const otherName = (): string | undefined => {
    if (local + LOCAL_BYTES > bytes.length || view.getUint32(local, true) !== LOCAL) return undefined;
    const from = local + LOCAL_BYTES;
    const before = bytes.subarray(from, from + view.getUint16(local + 26, true));
    return Buffer.compare(before, named) === 0 ? undefined : decoder.decode(before);
  };
  const read = (): Uint8Array => {
    const isLocal = local + LOCAL_BYTES <= bytes.length && view.getUint32(local, true) === LOCAL;
    if (!isLocal) throw new Error(`${name}: no entry where the directory says`);
    if ((flags & ENCRYPTED) !== 0) throw new Error(`${name}: encrypted`);
    budget.takeBytes(size);
    const from = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (from + packed > bytes.length) throw new Error(`${name}: ends early`);
    const stored = bytes.subarray(from, from + packed);
    if (method === STORED && packed !== size) throw new Error(`${name}: ${packed} bytes instead of ${size}`);
    if (method === STORED) return stored;
    if (method !== DEFLATED) throw new Error(`${name}: packed by method ${method}`);
    const out = inflated(stored, size, name);
    if (out.length !== size) throw new Error(`${name}: ${out.length} bytes instead of ${size}`);
    return out;
  };
  return { name, size, otherName, isPacked: method !== STORED, read };
}

function inflated(stored: Uint8Array, size: number, name: string): Uint8Array {
  try {
    // One piece of the right size: nothing has to be joined, unless the size is more than so many bytes can say.
    const most = Math.min(size, stored.length * DEFLATE_RATIO_MAX);
    return inflateRawSync(stored, {
      maxOutputLength: Math.max(1, size),
      chunkSize: Math.max(PIECE_BYTES_MIN, roomBytes(most + 1)),
    });
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
