/**
 * Build information of Go before 1.18: pointers to texts elsewhere in the program (go debug/buildinfo). It is
 * rewritten into the form of later versions, so that one reader serves both.
 */
import { concat } from '#base/bytes';
import { atAddress, type Program, readProgram } from './elf.ts';

const HEADER_BYTES = 32;
const INLINE = 2;
const BIG_ENDIAN = 1;
const TEXT_BYTES_MAX = 2 * 1024 * 1024;

/** The newer form, or undefined when the program has none of the older one. */
export function rewriteOldBuildInfo(bytes: Uint8Array, magic: Uint8Array): Uint8Array | undefined {
  const program = readProgram(bytes);
  if (program === undefined) return undefined;
  const block = buildInfoOf(program, magic);
  if (block === undefined || ((block[15] ?? 0) & INLINE) !== 0) return undefined;
  const width = block[14] ?? 0;
  if (width !== 4 && width !== 8) return undefined;
  const isLittle = ((block[15] ?? 0) & BIG_ENDIAN) === 0;
  const version = textAt(program, pointer(block, 16, width, isLittle), width, isLittle);
  const modules = textAt(program, pointer(block, 16 + width, width, isLittle), width, isLittle);
  if (version === undefined) return undefined;
  const header = concat(
    magic,
    new Uint8Array([width, INLINE]),
    new Uint8Array(HEADER_BYTES - magic.length - 2),
  );
  return concat(header, inline(version), inline(modules ?? new Uint8Array()));
}

/** Its own section in ELF files, else somewhere at a multiple of 16 bytes in one that holds data. */
function buildInfoOf(program: Program, magic: Uint8Array): Uint8Array | undefined {
  const own = program.sections.find(({ name }) => name === '.go.buildinfo');
  if (own !== undefined) return own.bytes;
  for (const { name, bytes } of program.sections) {
    if (name !== '.data' && name !== '__data') continue;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = view.indexOf(magic); at >= 0; at = view.indexOf(magic, at + 1)) {
      if (at % 16 === 0) return bytes.subarray(at);
    }
  }
  return undefined;
}

function pointer(bytes: Uint8Array, at: number, width: number, isLittle: boolean): number {
  if (at + width > bytes.length) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return width === 8 ? Number(view.getBigUint64(at, isLittle)) : view.getUint32(at, isLittle);
}

/** A Go string is a pointer and a length. */
function textAt(program: Program, address: number, width: number, isLittle: boolean): Uint8Array | undefined {
  const header = address === 0 ? undefined : atAddress(program, address);
  if (header === undefined) return undefined;
  const length = pointer(header, width, width, isLittle);
  const bytes = atAddress(program, pointer(header, 0, width, isLittle));
  if (bytes === undefined || length > TEXT_BYTES_MAX || length > bytes.length) return undefined;
  return bytes.subarray(0, length);
}

function inline(bytes: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  length.push(rest);
  return concat(new Uint8Array(length), bytes);
}
