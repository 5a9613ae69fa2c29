/**
 * NaCl secretbox (XSalsa20-Poly1305), because cosign's key files use it and OpenSSL does not have it. Small
 * inputs only: a private key. https://cr.yp.to/snuffle/xsalsa-20110204.pdf, RFC 8439 §2.5 for Poly1305.
 */
import { concat } from '#base/bytes';

const TAG_BYTES = 16;
export const SECRETBOX_KEY_BYTES = 32;
export const SECRETBOX_NONCE_BYTES = 24;

/** tag ‖ ciphertext. */
export function secretboxSeal(key: Uint8Array, nonce: Uint8Array, message: Uint8Array): Uint8Array {
  const { authKey, stream } = keystream(key, nonce, message.length);
  const ciphertext = xor(message, stream);
  return concat(poly1305(authKey, ciphertext), ciphertext);
}

/** The message, or undefined when the key is another or a byte was changed. */
export function secretboxOpen(key: Uint8Array, nonce: Uint8Array, box: Uint8Array): Uint8Array | undefined {
  if (box.length < TAG_BYTES) return undefined;
  const ciphertext = box.subarray(TAG_BYTES);
  const { authKey, stream } = keystream(key, nonce, ciphertext.length);
  const tag = poly1305(authKey, ciphertext);
  // Every byte is compared: how many agree must not show in the time.
  let difference = 0;
  for (let i = 0; i < TAG_BYTES; i++) difference |= (tag[i] as number) ^ (box[i] as number);
  return difference === 0 ? xor(ciphertext, stream) : undefined;
}

/** The first 32 bytes of the stream are the one-time authentication key; the message takes what follows. */
function keystream(key: Uint8Array, nonce: Uint8Array, length: number) {
  const subkey = hsalsa20(words(key), words(nonce.subarray(0, 16)));
  const [n0, n1] = words(nonce.subarray(16)) as [number, number];
  const blocks: Uint8Array[] = [];
  for (let counter = 0; counter * 64 < length + 32; counter++) {
    const input = matrix(subkey, [n0, n1, counter >>> 0, 0]);
    const mixed = rounds(input);
    blocks.push(bytes(mixed.map((word, i) => (word + (input[i] as number)) | 0)));
  }
  const all = concat(...blocks);
  return { authKey: all.subarray(0, 32), stream: all.subarray(32) };
}

function xor(message: Uint8Array, stream: Uint8Array): Uint8Array {
  return message.map((byte, i) => byte ^ (stream[i] as number));
}

// "expand 32-byte k"
const sigma = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

function matrix(k: readonly number[], n: readonly number[]): number[] {
  const [s0, s1, s2, s3] = sigma;
  return [s0, ...k.slice(0, 4), s1, ...n, s2, ...k.slice(4, 8), s3];
}

function hsalsa20(key: readonly number[], nonce: readonly number[]): number[] {
  const mixed = rounds(matrix(key, nonce));
  return [0, 5, 10, 15, 6, 7, 8, 9].map((i) => mixed[i] as number);
}

/** The positions one quarter round works on: columns, then rows. */
const quarters = [
  [0, 4, 8, 12],
  [5, 9, 13, 1],
  [10, 14, 2, 6],
  [15, 3, 7, 11],
  [0, 1, 2, 3],
  [5, 6, 7, 4],
  [10, 11, 8, 9],
  [15, 12, 13, 14],
] as const;

/** Twenty Salsa20 rounds. */
function rounds(input: readonly number[]): number[] {
  const x = [...input];
  const mix = (to: number, a: number, b: number, by: number): void => {
    const sum = ((x[a] as number) + (x[b] as number)) | 0;
    x[to] = (x[to] as number) ^ ((sum << by) | (sum >>> (32 - by)));
  };
  for (let round = 0; round < 10; round++) {
    for (const [a, b, c, d] of quarters) {
      mix(b, a, d, 7);
      mix(c, b, a, 9);
      mix(d, c, b, 13);
      mix(a, d, c, 18);
    }
  }
  return x;
}

function words(from: Uint8Array): number[] {
  const view = new DataView(from.buffer, from.byteOffset, from.byteLength);
  return Array.from({ length: from.length / 4 }, (_, i) => view.getInt32(i * 4, true));
}

function bytes(from: readonly number[]): Uint8Array {
  const out = new DataView(new ArrayBuffer(from.length * 4));
  from.forEach((word, i) => {
    out.setInt32(i * 4, word, true);
  });
  return new Uint8Array(out.buffer);
}

const P = (1n << 130n) - 5n;
const R_MASK = 0x0ffffffc0ffffffc0ffffffc0fffffffn;

function poly1305(key: Uint8Array, message: Uint8Array): Uint8Array {
  const r = little(key.subarray(0, 16)) & R_MASK;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + little(block) + (1n << BigInt(8 * block.length))) * r) % P;
  }
  const tag = (sum + little(key.subarray(16, 32))) & ((1n << 128n) - 1n);
  return Uint8Array.from({ length: TAG_BYTES }, (_, i) => Number((tag >> BigInt(8 * i)) & 0xffn));
}

function little(from: Uint8Array): bigint {
  let value = 0n;
  for (let i = from.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(from[i] as number);
  return value;
}
