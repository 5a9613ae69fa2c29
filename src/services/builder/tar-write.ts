/** Deterministic tar: ustar with pax records where ustar is too small; nothing of this machine gets in. */
import { concat, utf8 } from '#base/bytes';

const BLOCK = 512;
const PAX_PATH = 'pax';

export interface TarMember {
  /** Relative, without leading slash; a folder without trailing slash. */
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link';
  readonly mode: number;
  readonly size: number;
  readonly target?: string;
  /** Seconds since 1970. */
  readonly mtime: number;
}

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;
const USTAR_SIZE_MAX = 8 * 1024 ** 3 - 1;

const isShort = (text: string, max: number): boolean =>
  Buffer.byteLength(text) <= max && /^[\x20-\x7e]*$/.test(text);

function put(block: Buffer, at: number, text: string): void {
  block.write(text, at, 'latin1');
}

function header(name: string, type: string, member: TarMember, size: number, target: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  put(block, 0, name);
  put(block, 100, octal(member.mode, 8));
  put(block, 108, octal(0, 8));
  put(block, 116, octal(0, 8));
  put(block, 124, octal(size, 12));
  put(block, 136, octal(member.mtime, 12));
  put(block, 148, '        ');
  put(block, 156, type);
  put(block, 157, target);
  put(block, 257, 'ustar\x0000');
  let sum = 0;
  for (const byte of block) sum += byte;
  put(block, 148, `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** `<length> key=value\n` where the length counts itself. */
function paxRecord(key: string, value: string): Uint8Array {
  const body = ` ${key}=${value}\n`;
  const size = Buffer.byteLength(body);
  let length = size + String(size).length;
  length = size + String(length).length;
  return utf8(`${length}${body}`);
}

export const tarPadding = (size: number): Uint8Array => new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

/** The header of one member, with a pax record before it when a field does not fit. Content follows, padded. */
export function tarHeader(member: TarMember): Uint8Array {
  const name = member.kind === 'folder' ? `${member.path}/` : member.path;
  const target = member.target ?? '';
  const records: Uint8Array[] = [];
  if (!isShort(name, 100)) records.push(paxRecord('path', name));
  if (!isShort(target, 100)) records.push(paxRecord('linkpath', target));
  if (member.size > USTAR_SIZE_MAX) records.push(paxRecord('size', String(member.size)));
  const type = member.kind === 'folder' ? '5' : member.kind === 'link' ? '2' : '0';
  const size = member.size > USTAR_SIZE_MAX ? 0 : member.size;
  const shownName = isShort(name, 100) ? name : PAX_PATH;
  const own = header(shownName, type, member, size, isShort(target, 100) ? target : PAX_PATH);
  if (records.length === 0) return own;
  const body = concat(...records);
  const pax = header(PAX_PATH, 'x', { ...member, mode: 0o644 }, body.length, '');
  return concat(pax, body, tarPadding(body.length), own);
}

/** Two empty blocks end an archive. */
export const tarEnd: Uint8Array = new Uint8Array(2 * BLOCK);
