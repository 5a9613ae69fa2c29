/**
 * The release of a Linux kernel image as it streams by: on x86 the setup header points at the version text
 * (Documentation/arch/x86/boot.rst), on arm64 an image that is not compressed has its banner in it (booting.rst).
 */
import { utf8 } from '#base/bytes';
import { NeedleScan } from '../scan-bytes.ts';
import type { StreamScan } from '../types.ts';
import { firstWord } from './kernel-module.ts';

const VERSION_MAX = 256;
/** Where the pointer in the header can lead to: 16 bits, from the end of the boot sector on. */
const START_BYTES = 0x200 + 0xffff + VERSION_MAX;
const BOOT_FLAG_AT = 0x1fe;
const MAGIC_AT = 0x202;
const PROTOCOL_AT = 0x206;
const VERSION_AT = 0x20e;
const HEADER_END = 0x210;
const ARM_MAGIC_AT = 0x38;
const ARM_MAGIC_END = 0x3c;
/** Taken apart so that our own bundle does not carry it. */
const banner = utf8(['Linux', 'version', ''].join(' '));

/** The release, or why it is not known. */
export type KernelImage = { readonly kernel: string } | { readonly problem: string };

/** `finish` is asked once, for what is a kernel image; others give nothing. */
export function kernelScan(base: string, pack: (found: KernelImage) => Uint8Array): StreamScan {
  const start = Buffer.alloc(START_BYTES);
  let filled = 0;
  let arm: NeedleScan | undefined;
  return {
    write: (chunk) => {
      if (arm !== undefined) arm.write(chunk);
      if (filled === START_BYTES) return;
      const part = chunk.subarray(0, START_BYTES - filled);
      start.set(part, filled);
      const isHead = filled < ARM_MAGIC_END && filled + part.length >= ARM_MAGIC_END;
      filled += part.length;
      if (!isHead || start.toString('latin1', ARM_MAGIC_AT, ARM_MAGIC_END) !== 'ARM\x64') return;
      arm = new NeedleScan({ bytes: banner, after: banner.length + 1, keep: VERSION_MAX }, isRelease);
      arm.write(chunk);
    },
    end: () => {
      const found = arm === undefined ? imageIn(start.subarray(0, filled), base) : armImage(arm.end());
      return found === undefined ? undefined : pack(found);
    },
  };
}

/** The format string of the banner has `%s` there. */
const isRelease = (bytes: Uint8Array): boolean => /^\d$/.test(String.fromCharCode(bytes[banner.length] ?? 0));

const silent: KernelImage = { problem: 'a kernel image that does not say its version' };

function armImage(found: Uint8Array | undefined): KernelImage {
  return found === undefined ? silent : released(found.subarray(banner.length));
}

function imageIn(start: Buffer, base: string): KernelImage | undefined {
  const isSetup =
    start.length >= HEADER_END &&
    start.readUInt16LE(BOOT_FLAG_AT) === 0xaa55 &&
    start.toString('latin1', MAGIC_AT, MAGIC_AT + 4) === 'HdrS';
  if (!isSetup) return packedImage(start, base);
  const pointer = start.readUInt16LE(PROTOCOL_AT) < 0x200 ? 0 : start.readUInt16LE(VERSION_AT);
  if (pointer === 0) return silent;
  const at = 0x200 + pointer;
  return released(start.subarray(at, at + VERSION_MAX));
}

/** Kernels of arm64 and others, compressed as a whole or inside a program that unpacks them. */
function packedImage(start: Buffer, base: string): KernelImage | undefined {
  if (!base.startsWith('vmlinuz')) return undefined;
  const isZboot = start.toString('latin1', 0, 8) === 'MZ\0\0zimg';
  const isGzip = start[0] === 0x1f && start[1] === 0x8b;
  if (!isZboot && !isGzip) return undefined;
  return { problem: 'a kernel image that is compressed as a whole; its version was not read' };
}

function released(bytes: Uint8Array): KernelImage {
  const text = Buffer.from(bytes).toString('latin1');
  const release = firstWord(text.split('\0', 1)[0] ?? '');
  return /^[\x21-\x7e]+$/.test(release) ? { kernel: release } : silent;
}
