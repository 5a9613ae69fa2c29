/** Program files: what they start with, and the sections of ELF and PE files by name. */

export function isProgram(head: Uint8Array): boolean {
  const [a, b, c, d] = head;
  if (a === 0x7f && b === 0x45 && c === 0x4c && d === 0x46) return true; // ELF
  if (a === 0x4d && b === 0x5a) return true; // PE
  const magic = ((a ?? 0) << 24) | ((b ?? 0) << 16) | ((c ?? 0) << 8) | (d ?? 0);
  // Mach-O, 32 and 64 bit, both byte orders.
  return [0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe].includes(magic >>> 0);
}

export interface Section {
  readonly name: string;
  /** Where it lies in memory. */
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface Program {
  readonly sections: readonly Section[];
  readonly isLittle: boolean;
  readonly pointerBytes: 4 | 8;
}

const SECTIONS_MAX = 4096;

/** Sections of an ELF or PE file; undefined for anything else, and for one whose table is damaged. */
export function readProgram(bytes: Uint8Array): Program | undefined {
  try {
    if (bytes[0] === 0x7f) return readElf(bytes);
    if (bytes[0] === 0x4d) return readPe(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}

const NO_BITS = 8;

function readElf(bytes: Uint8Array): Program | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isWide = view.getUint8(4) === 2;
  const isLittle = view.getUint8(5) === 1;
  const word = (at: number): number =>
    isWide ? Number(view.getBigUint64(at, isLittle)) : view.getUint32(at, isLittle);
  const table = word(isWide ? 40 : 32);
  const size = view.getUint16(isWide ? 58 : 46, isLittle);
  const count = view.getUint16(isWide ? 60 : 48, isLittle);
  const names = view.getUint16(isWide ? 62 : 50, isLittle);
  if (count === 0 || count > SECTIONS_MAX || names >= count) return undefined;
  const read = (i: number): { name: number; type: number; address: number; offset: number; size: number } => {
    const at = table + i * size;
    return {
      name: view.getUint32(at, isLittle),
      type: view.getUint32(at + 4, isLittle),
      address: word(at + (isWide ? 16 : 12)),
      offset: word(at + (isWide ? 24 : 16)),
      size: word(at + (isWide ? 32 : 20)),
    };
  };
  const strings = read(names).offset;
  const sections: Section[] = [];
  for (let i = 0; i < count; i++) {
    const one = read(i);
    if (one.type === NO_BITS || one.offset + one.size > bytes.length) continue;
    const body = bytes.subarray(one.offset, one.offset + one.size);
    sections.push({ name: cString(bytes, strings + one.name), address: one.address, bytes: body });
  }
  return { sections, isLittle, pointerBytes: isWide ? 8 : 4 };
}

const PE_SECTION_BYTES = 40;

function readPe(bytes: Uint8Array): Program | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = view.getUint32(0x3c, true);
  if (view.getUint32(start, true) !== 0x00004550) return undefined;
  const count = view.getUint16(start + 6, true);
  const optional = start + 24;
  const isWide = view.getUint16(optional, true) === 0x20b;
  const base = isWide ? Number(view.getBigUint64(optional + 24, true)) : view.getUint32(optional + 28, true);
  const table = optional + view.getUint16(start + 20, true);
  const sections: Section[] = [];
  for (let i = 0; i < Math.min(count, SECTIONS_MAX); i++) {
    const at = table + i * PE_SECTION_BYTES;
    const size = Math.min(view.getUint32(at + 8, true), view.getUint32(at + 16, true));
    const offset = view.getUint32(at + 20, true);
    if (offset + size > bytes.length) continue;
    const name = cString(bytes.subarray(0, at + 8), at);
    sections.push({
      name,
      address: base + view.getUint32(at + 12, true),
      bytes: bytes.subarray(offset, offset + size),
    });
  }
  return { sections, isLittle: true, pointerBytes: isWide ? 8 : 4 };
}

function cString(bytes: Uint8Array, at: number): string {
  const most = bytes.subarray(at, at + 256);
  const end = most.indexOf(0);
  return Buffer.from(end < 0 ? most : most.subarray(0, end)).toString('latin1');
}

/** The bytes at an address in memory, to the end of their section. */
export function atAddress(program: Program, address: number): Uint8Array | undefined {
  const section = program.sections.find(
    (one) => one.address !== 0 && address >= one.address && address < one.address + one.bytes.length,
  );
  return section?.bytes.subarray(address - section.address);
}
