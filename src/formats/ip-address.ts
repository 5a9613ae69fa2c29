/** IP addresses ↔ the bytes of an iPAddress general name. */
import { fail } from '#base/reason';
import { R } from './crypto-reasons.ts';

/** 4 or 16 bytes. Throws WB-126 for text that is no address. */
export function ipBytes(text: string): Uint8Array {
  const bytes = text.includes(':') ? v6(text) : v4(text);
  if (bytes === undefined)
    throw fail(R.extension, { expected: 'an IP address', actual: JSON.stringify(text) });
  return Uint8Array.from(bytes);
}

function v4(text: string): number[] | undefined {
  const parts = text.split('.');
  const isValid = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && +part < 256);
  return isValid ? parts.map(Number) : undefined;
}

/** Groups with at most one `::`; a dotted tail is not taken. */
function v6(text: string): number[] | undefined {
  const halves = text.split('::');
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  const isShaped = halves.length === 1 ? missing === 0 : halves.length === 2 && missing >= 1;
  if (!isShaped || ![...head, ...tail].every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail].map((group) =>
    Number.parseInt(group, 16),
  );
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}
