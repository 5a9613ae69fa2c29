/** Makes a screenshot small: at most 256 colours, each pixel the nearest of them. Reads what Chromium writes. */
import assert from 'node:assert/strict';
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');

/** PNG, 8 bits, RGB or RGBA without transparency, not interlaced → the same picture with a palette. */
export function withPalette(png: Uint8Array): Buffer {
  const { width, height, depth, pixels } = decode(Buffer.from(png));
  const counts = new Map<number, number>();
  for (let at = 0; at < pixels.length; at += depth) {
    const color = pixels.readUIntBE(at, 3);
    counts.set(color, (counts.get(color) ?? 0) + 1);
  }
  const palette = [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 256)
    .map(([color]) => color);
  const indexOf = new Map(palette.map((color, i) => [color, i]));
  const rows = Buffer.alloc(height * (width + 1));
  for (let i = 0; i < width * height; i++) {
    const color = pixels.readUIntBE(i * depth, 3);
    const index = indexOf.get(color) ?? nearest(palette, color);
    indexOf.set(color, index);
    rows[i + 1 + Math.floor(i / width)] = index;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const colors = Buffer.from(palette.flatMap((color) => [color >> 16, (color >> 8) & 255, color & 255]));
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', colors),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function nearest(palette: readonly number[], color: number): number {
  const part = (value: number, shift: number): number => (value >> shift) & 255;
  const distance = (other: number): number =>
    [16, 8, 0].reduce((sum, shift) => sum + (part(color, shift) - part(other, shift)) ** 2, 0);
  return palette.reduce((best, other, i) => (distance(other) < distance(palette[best] ?? 0) ? i : best), 0);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(data.length, 0);
  frame.set(body, 4);
  frame.writeUInt32BE(crc32(body), body.length + 4);
  return frame;
}

function decode(png: Buffer): { width: number; height: number; depth: 3 | 4; pixels: Buffer } {
  assert.deepEqual(png.subarray(0, 8), SIGNATURE);
  const [width, height, kind] = [png.readUInt32BE(16), png.readUInt32BE(20), png[25]];
  assert.ok(png[24] === 8 && (kind === 2 || kind === 6) && png[28] === 0, 'a plain RGB picture');
  const data: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      data.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const depth = kind === 2 ? 3 : 4;
  return { width, height, depth, pixels: unfiltered(inflateSync(Buffer.concat(data)), width * depth, depth) };
}

/** PNG specification, section 9: each row says how it was predicted. */
function unfiltered(raw: Buffer, length: number, depth: number): Buffer {
  const pixels = Buffer.alloc((raw.length / (length + 1)) * length);
  for (let row = 0; row * length < pixels.length; row++) {
    const filter = raw[row * (length + 1)];
    for (let x = 0; x < length; x++) {
      const at = row * length + x;
      const left = x < depth ? 0 : (pixels[at - depth] ?? 0);
      const up = row === 0 ? 0 : (pixels[at - length] ?? 0);
      const corner = x < depth || row === 0 ? 0 : (pixels[at - length - depth] ?? 0);
      const average = Math.floor((left + up) / 2);
      const guess = [0, left, up, average, paeth(left, up, corner)][filter ?? 0] ?? 0;
      pixels[at] = ((raw[row * (length + 1) + 1 + x] ?? 0) + guess) & 255;
    }
  }
  return pixels;
}

function paeth(left: number, up: number, corner: number): number {
  const estimate = left + up - corner;
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}
