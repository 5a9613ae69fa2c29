/** Zip archives and ELF programs made in memory, as small as their readers allow. */
import { crc32, deflateRawSync } from 'node:zlib';

export type ZipContent = Readonly<Record<string, string | Uint8Array>>;

/** A zip archive; entries are deflated. */
export function zip(content: ZipContent): Uint8Array {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, value] of Object.entries(content)) {
    const bytes = Buffer.from(value);
    const packed = deflateRawSync(bytes);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(8, 8);
    local.writeUInt32LE(crc32(bytes), 14);
    local.writeUInt32LE(packed.length, 18);
    local.writeUInt32LE(bytes.length, 22);
    local.writeUInt16LE(Buffer.byteLength(name), 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    local.copy(entry, 6, 4, 30);
    entry.writeUInt32LE(offset, 42);
    central.push(entry, Buffer.from(name));
    parts.push(local, Buffer.from(name), packed);
    offset += 30 + Buffer.byteLength(name) + packed.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(central.length / 2, 8);
  end.writeUInt16LE(central.length / 2, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}

export interface ElfSection {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly address?: number;
}

/** A 64-bit little-endian ELF file with these sections. */
export function elf(sections: readonly ElfSection[]): Uint8Array {
  const all = [...sections, { name: '.shstrtab', bytes: new Uint8Array() }];
  const names = Buffer.from(`\0${all.map((one) => one.name).join('\0')}\0`);
  // The Go linker aligns its block to 16 bytes; everything is.
  const padded = (bytes: Uint8Array): Buffer =>
    Buffer.concat([bytes, Buffer.alloc((16 - (bytes.length % 16)) % 16)]);
  const contents = [...sections.map((one) => one.bytes), names];
  const bodies = contents.map(padded);
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 'latin1');
  header[4] = 2;
  header[5] = 1;
  let offset = 64;
  const table = [Buffer.alloc(64)];
  bodies.forEach((body, i) => {
    const entry = Buffer.alloc(64);
    entry.writeUInt32LE(names.indexOf(`\0${all[i]?.name}\0`) + 1, 0);
    entry.writeUInt32LE(1, 4);
    entry.writeBigUInt64LE(BigInt(all[i]?.address ?? 0), 16);
    entry.writeBigUInt64LE(BigInt(offset), 24);
    entry.writeBigUInt64LE(BigInt(contents[i]?.length ?? 0), 32);
    table.push(entry);
    offset += body.length;
  });
  header.writeBigUInt64LE(BigInt(offset), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(table.length, 60);
  header.writeUInt16LE(table.length - 1, 62);
  return Buffer.concat([header, ...bodies, ...table]);
}

const goMagic = Buffer.concat([Buffer.from([0xff]), Buffer.from([' Go', 'buildinf:'].join(' '))]);
const sentinel = Buffer.alloc(16, 0x41);

/** A Go program; `isOld` in the form before Go 1.18, with pointers. */
export function goProgram(version: string, modules: string, isOld: boolean): Uint8Array {
  const info = Buffer.concat([sentinel, Buffer.from(modules), sentinel]);
  if (!isOld) {
    const varint = (value: number): Buffer =>
      value < 128 ? Buffer.from([value]) : Buffer.from([(value & 0x7f) | 0x80, value >> 7]);
    const header = Buffer.concat([goMagic, Buffer.from([8, 2]), Buffer.alloc(16)]);
    const text = Buffer.from(version);
    return elf([
      {
        name: '.go.buildinfo',
        bytes: Buffer.concat([header, varint(text.length), text, varint(info.length), info]),
      },
    ]);
  }
  const data = 0x1000;
  const text = Buffer.from(version);
  const strings = Buffer.alloc(32);
  strings.writeBigUInt64LE(BigInt(data + 32), 0);
  strings.writeBigUInt64LE(BigInt(text.length), 8);
  strings.writeBigUInt64LE(BigInt(data + 32 + text.length), 16);
  strings.writeBigUInt64LE(BigInt(info.length), 24);
  const header = Buffer.concat([goMagic, Buffer.from([8, 0]), Buffer.alloc(16)]);
  header.writeBigUInt64LE(BigInt(data), 16);
  header.writeBigUInt64LE(BigInt(data + 16), 24);
  return elf([
    { name: '.data', bytes: Buffer.concat([strings, text, info]), address: data },
    { name: '.go.buildinfo', bytes: header },
  ]);
}
