/** What a Linux kernel module says of itself: the texts `key=value` of its section `.modinfo`. */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { limits } from '#base/limits';
import { HeldMemory } from '../held.ts';
import { readProgram } from './elf.ts';

export interface KernelModule {
  readonly name: string;
  /** Modules of the kernel's own tree rarely have one. */
  readonly version: string;
  /** Release of the kernel it was built for: the first word of `vermagic`. */
  readonly kernel: string;
  readonly license: string;
  readonly description: string;
}

const SECTION = '.modinfo';
const SECTION_BYTES_MAX = 1024 * 1024;
/** Characters of a name or a version; a longer licence or description is cut. */
const NAME_MAX = 256;
const TEXT_MAX = 1024;
/** Of deflate, at its best. */
const RATIO_MAX = 1032;
const PIECE_BYTES_MIN = 64;
const PIECE_BYTES_MAX = 1024 * 1024;
const ZSTD_HEADER_MAX = 18;
const OWN_BYTES_MIN = 64 * 1024;
const decoder = new TextDecoder();

/** Reads `NAME.ko`, `NAME.ko.gz` or `NAME.ko.zst`. Throws with the reason where it is no module or is damaged. */
export function readKernelModule(
  bytes: Uint8Array,
  base: string,
  memory: HeldMemory = new HeldMemory(),
): KernelModule {
  const ending = /\.(?:gz|zst)$/.exec(base)?.[0];
  if (ending === undefined) return moduleIn(bytes, base);
  const stated = ending === '.gz' ? gzipBytes(bytes) : zstdBytes(bytes);
  const most = Math.min(stated ?? limits.extractedFileBytes, limits.extractedFileBytes);
  memory.take(most);
  let inflated: Uint8Array | undefined;
  try {
    inflated = inflate(bytes, ending, most);
    return moduleIn(inflated, base);
  } finally {
    // Thousands of them would wait for the garbage collector.
    if (
      inflated !== undefined &&
      inflated.length >= OWN_BYTES_MIN &&
      inflated.buffer instanceof ArrayBuffer
    ) {
      inflated.buffer.transfer(0);
    }
    memory.give(most);
  }
}

/** The size that the last four bytes state, as far as the file can hold so much. */
function gzipBytes(bytes: Uint8Array): number {
  const stated = bytes.length < 4 ? 0 : Buffer.from(bytes.subarray(-4)).readUInt32LE(0);
  return Math.min(stated, bytes.length * RATIO_MAX);
}

/** The size that the header of the frame states (RFC 8878, 3.1.1.1), if it does. */
function zstdBytes(bytes: Uint8Array): number | undefined {
  const head = Buffer.alloc(ZSTD_HEADER_MAX);
  head.set(bytes.subarray(0, ZSTD_HEADER_MAX));
  const flags = head.readUInt8(4);
  const isSingle = (flags & 0x20) !== 0;
  const at = 5 + (isSingle ? 0 : 1) + ([0, 1, 2, 4][flags & 3] ?? 0);
  const size = flags >> 6;
  if (size === 0) return isSingle ? head.readUInt8(at) : undefined;
  if (size === 1) return head.readUInt16LE(at) + 256;
  return size === 2 ? head.readUInt32LE(at) : Number(head.readBigUInt64LE(at));
}

function inflate(bytes: Uint8Array, ending: string, most: number): Uint8Array {
  try {
    const maxOutputLength = Math.max(1, most);
    if (ending === '.zst') {
      const chunkSize = Math.max(PIECE_BYTES_MIN, Math.min(most + 1, PIECE_BYTES_MAX));
      return zstdDecompressSync(bytes, { maxOutputLength, chunkSize });
    }
    // One piece of the right size: nothing has to be joined.
    return gunzipSync(bytes, { maxOutputLength, chunkSize: Math.max(PIECE_BYTES_MIN, most + 1) });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_BUFFER_TOO_LARGE') throw new Error(`a compressed module that is damaged: ${message}`);
    throw new Error(`a compressed module of more than the ${most} bytes that are read`);
  }
}

function moduleIn(bytes: Uint8Array, base: string): KernelModule {
  const program = readProgram(bytes);
  if (program === undefined) throw new Error('no ELF file, or one whose table of sections is damaged');
  const section = program.sections.find((one) => one.name === SECTION);
  if (section === undefined) throw new Error(`a module without its section ${SECTION}`);
  if (section.bytes.length > SECTION_BYTES_MAX) {
    throw new Error(`${section.bytes.length} bytes of ${SECTION}; at most ${SECTION_BYTES_MAX} are read`);
  }
  const texts = new Map<string, string>();
  for (const text of decoder.decode(section.bytes).split('\0')) {
    const equals = text.indexOf('=');
    if (equals > 0) texts.set(text.slice(0, equals), text.slice(equals + 1));
  }
  const of = (key: string): string => texts.get(key) ?? '';
  const kernel = firstWord(of('vermagic'));
  if (kernel === '') throw new Error('a module that names no kernel');
  const found = {
    name: of('name') || nameOf(base),
    version: of('version'),
    kernel,
    license: of('license').slice(0, TEXT_MAX),
    description: of('description').slice(0, TEXT_MAX),
  };
  if ([found.name, found.version, kernel].some((one) => one.length > NAME_MAX)) {
    throw new Error(`a module whose name or version has more than ${NAME_MAX} characters`);
  }
  return found;
}

export const firstWord = (text: string): string => text.trim().split(/\s/, 1)[0] ?? '';

/** Before Linux 4.13 modules did not say their name: it is that of the file, as the kernel writes it. */
const nameOf = (base: string): string => base.replace(/\.ko(?:\.\w+)?$/, '').replaceAll('-', '_');
