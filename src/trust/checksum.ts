/** Checksums as operators hand them over: `sha256:<hex>`, `sha512:<hex>`, or the digits alone. */
import { toHex } from '#base/bytes';
import { hash } from '#base/crypto';
import { fail } from '#base/reason';
import { R } from './reasons.ts';

export interface Checksum {
  readonly algorithm: 'sha256' | 'sha512';
  /** Lower case. */
  readonly hex: string;
}

/** Digits alone name their algorithm by their number: 64 or 128. Throws WB-613 for any other text. */
export function parseChecksum(text: string): Checksum {
  const [, prefix, hex = ''] = /^(?:(sha256|sha512):)?([0-9a-f]*)$/i.exec(text) ?? [];
  const algorithm = ({ 64: 'sha256', 128: 'sha512' } as const)[hex.length];
  if (algorithm !== undefined && (prefix === undefined || prefix.toLowerCase() === algorithm)) {
    return { algorithm, hex: hex.toLowerCase() };
  }
  throw fail(R.option, {
    expected: '--root-checksum with SHA-256 (64 hex digits) or SHA-512 (128), also after sha256: or sha512:',
    actual: JSON.stringify(text),
    hint: 'take the whole checksum of the TUF root, as sha256sum or sha512sum prints it',
  });
}

/** Throws WB-613 for a text that is no checksum, and WB-608 where it is another's. */
export function requireChecksum(bytes: Uint8Array, text: string): void {
  const { algorithm, hex } = parseChecksum(text);
  const actual = toHex(hash(algorithm, bytes));
  if (hex !== actual) {
    throw fail(R.checksum, { expected: `${algorithm}:${hex}`, actual: `${algorithm}:${actual}` });
  }
}
