/** Where a program has to end by its own tables: one that ends before was cut, and what it holds is not all there. */

/** So many of the first bytes hold the tables that are looked at. */
export const PROGRAM_START_BYTES = 4096;

const EXECUTABLE = 2;
const SHARED = 3;
/** A section that takes memory and no bytes of the file. */
const NO_BITS = 8;

/**
 * The least bytes an ELF program must have, from its first ones (System V gABI, chapters 4 and 5); 0 for everything
 * else, and where the tables do not say. Files of symbols alone keep the segments of the program they were taken out
 * of: segments count only where no table of sections lies behind them.
 */
export function leastBytes(start: Uint8Array): number {
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  if (start.length < 64 || view.getUint32(0) !== 0x7f454c46) return 0;
  const isWide = start[4] === 2;
  const isLittle = start[5] === 1;
  const kind = view.getUint16(16, isLittle);
  if (kind !== EXECUTABLE && kind !== SHARED) return 0;
  const word = (at: number): number =>
    isWide ? Number(view.getBigUint64(at, isLittle)) : view.getUint32(at, isLittle);
  const half = (at: number): number => view.getUint16(at, isLittle);
  const at = isWide ? 32 : 28;
  const [segments, sections] = [word(at), word(at + (isWide ? 8 : 4))];
  const [segmentBytes, segmentCount, sectionBytes, sectionCount] = [0, 2, 4, 6].map((i) =>
    half((isWide ? 54 : 42) + i),
  ) as [number, number, number, number];
  if (sections > PROGRAM_START_BYTES) return sections + sectionBytes * sectionCount;
  let least = 0;
  for (let i = 0; i < segmentCount; i++) {
    const one = segments + i * segmentBytes;
    if (one + (isWide ? 56 : 32) > start.length) return least;
    const offset = word(one + (isWide ? 8 : 4));
    least = Math.max(least, offset + word(one + (isWide ? 32 : 16)));
  }
  for (let i = 0; i < (sections === 0 ? 0 : sectionCount); i++) {
    const one = sections + i * sectionBytes;
    if (one + (isWide ? 64 : 40) > start.length) return least;
    if (view.getUint32(one + 4, isLittle) === NO_BITS) continue;
    const offset = word(one + (isWide ? 24 : 16));
    least = Math.max(least, offset + word(one + (isWide ? 32 : 20)));
  }
  return least;
}
