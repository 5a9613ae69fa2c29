/** Linux kernels and modules made in memory, as small as their readers allow. */
import { elf } from './binaries.ts';

/** A module with these texts (`key=value`) in its section `.modinfo`. */
export function kernelModule(texts: readonly string[]): Uint8Array {
  const bytes = Buffer.from(texts.map((text) => `${text}\0`).join(''));
  const program = Buffer.from(elf([{ name: '.modinfo', bytes }]));
  // What stricter readers ask for besides: the version, a relocatable file of x86-64, a table of names that is one.
  program.writeUInt8(1, 6);
  program.writeUInt16LE(1, 16);
  program.writeUInt16LE(62, 18);
  program.writeUInt32LE(1, 20);
  program.writeUInt16LE(64, 52);
  program.writeUInt32LE(3, program.length - 64 + 4);
  return program;
}

const VERSION_AT = 0x400;

/** A boot sector and setup header of x86 with this version text; none without one. */
export function bzImage(version: string | undefined): Uint8Array {
  const image = Buffer.alloc(0x1000);
  image.writeUInt8(7, 0x1f1);
  image.writeUInt16LE(0xaa55, 0x1fe);
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt16LE(0x20f, 0x206);
  image.writeUInt16LE(version === undefined ? 0 : VERSION_AT - 0x200, 0x20e);
  image.writeUInt8(1, 0x211);
  image.write(`${version ?? ''}\0`, VERSION_AT, 'latin1');
  return image;
}

/** An image of arm64 that is not compressed, with this text in it. */
export function armImage(text: string): Uint8Array {
  const image = Buffer.alloc(0x30000);
  image.write('ARM\x64', 0x38, 'latin1');
  image.write(`${text}\0`, 0x18000, 'latin1');
  return image;
}
