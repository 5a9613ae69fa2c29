/**
 * The files a package brought, asked for by name: packages of an image list tens of thousands, and only those matter
 * where something else was found.
 */
import { utf8 } from '#base/bytes';
import { baseOf } from './paths.ts';

export interface OwnedPaths {
  /** At least those whose last part is one of `names`; relative to the root. */
  named(names: NameSet): Iterable<string>;
  /** What these can be made of again: a list of dpkg, or paths as JSON. */
  readonly packed: { readonly form: 'lines' | 'paths'; readonly bytes: Uint8Array };
}

const SLASH = 0x2f;
const LINE = 0x0a;
const DOT = 0x2e;
/** FNV-1a, and as many of its bits as the table has places. */
const SEED = 0x811c9dc5;
const PRIME = 0x01000193;
const PLACES = 1 << 16;

/** Last parts of paths. What a path with an unusual end (`a/`, `a/..`) names is not told by it: such are in it. */
export class NameSet {
  readonly #names = new Set(['', '.', '..']);
  readonly #places = new Uint8Array(PLACES);

  add(name: string): void {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    let hash = SEED;
    for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), PRIME);
    this.#places[hash & (PLACES - 1)] = 1;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Whether a name with this hash may be one of them. */
  mayHave(hash: number): boolean {
    return this.#places[hash & (PLACES - 1)] === 1;
  }
}

export const ownedPaths = (paths: readonly string[]): OwnedPaths => ({
  named: (names) => paths.filter((path) => names.has(baseOf(path))),
  get packed() {
    return { form: 'paths' as const, bytes: utf8(JSON.stringify(paths)) };
  },
});

/** From what is packed. */
export const ownedOf = (form: OwnedPaths['packed']['form'], bytes: Uint8Array): OwnedPaths =>
  form === 'lines' ? ownedLines(bytes) : ownedPaths(JSON.parse(decoder.decode(bytes)) as string[]);

/** First line of a list that is grouped by folders; a list of dpkg begins with a slash. */
const GROUPED = utf8('grouped\n');
const decoder = new TextDecoder();

/** Of a list of dpkg: an absolute path a line. Or of the same list, grouped. */
export function ownedLines(list: Uint8Array): OwnedPaths {
  const isGrouped = GROUPED.every((byte, at) => list[at] === byte);
  const packed = { form: 'lines' as const, bytes: list };
  if (isGrouped) return { named: (names) => groupedNamed(list, names), packed };
  return { ...ownedPaths(listedPaths(list)), packed };
}

/** The paths of a list, without the folders, which come right before what is in them. */
function listedPaths(list: Uint8Array): string[] {
  const lines = decoder.decode(list).split('\n');
  const isFolder = (line: string, at: number): boolean => lines[at + 1]?.startsWith(`${line}/`) === true;
  return lines
    .filter((line, at) => line.startsWith('/') && line !== '/.' && !isFolder(line, at))
    .map((line) => line.slice(1));
}

/**
 * The list without its folders, and each of the others once: `/usr/bin`, then the names in it, one a line. A third of
 * the bytes, and what is asked for is found by looking at names only.
 */
export function groupedList(list: Uint8Array): Uint8Array {
  // At worst every path has a folder of its own, whose line takes two bytes more.
  const out = new Uint8Array(GROUPED.length + list.length * 2 + 2);
  out.set(GROUPED);
  let length = GROUPED.length;
  let folderAt = 0;
  let folderLength = -1;
  for (let start = 0; start < list.length; ) {
    let slash = start;
    let end = start;
    for (; end < list.length && list[end] !== LINE; end++) if (list[end] === SLASH) slash = end;
    if (isListed(list, start, end)) {
      // With the slash at both of its ends.
      if (slash + 1 - start !== folderLength || !isSame(list, folderAt, start, folderLength)) {
        folderAt = start;
        folderLength = slash + 1 - start;
        length = copyLine(list, start, slash + 1, out, length);
      }
      length = copyLine(list, slash + 1, end, out, length);
    }
    start = end + 1;
  }
  return out.slice(0, length);
}

/** A line with a path that is no folder. */
function isListed(list: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (list[start] !== SLASH || (length === 2 && list[start + 1] === DOT)) return false;
  return list[end + 1 + length] !== SLASH || !isSame(list, start, end + 1, length);
}

function isSame(list: Uint8Array, a: number, b: number, length: number): boolean {
  // From the end: paths that follow each other begin alike.
  for (let i = length - 1; i >= 0; i--) if (list[a + i] !== list[b + i]) return false;
  return true;
}

/** Returns where the next line begins. */
function copyLine(list: Uint8Array, start: number, end: number, out: Uint8Array, to: number): number {
  let at = to;
  for (let from = start; from < end; from++) out[at++] = list[from] as number;
  out[at] = LINE;
  return at + 1;
}

/** Looks at bytes: only the few names that may be meant become strings, those that are not ASCII, and short ones. */
function groupedNamed(list: Uint8Array, names: NameSet): string[] {
  const found: string[] = [];
  let folderStart = 0;
  let folderEnd = 0;
  let start = GROUPED.length;
  let hash = SEED;
  let bits = 0;
  for (let at = start; at < list.length; at++) {
    const byte = list[at] as number;
    if (byte !== LINE) {
      hash = Math.imul(hash ^ byte, PRIME);
      bits |= byte;
      continue;
    }
    if (list[start] === SLASH) {
      folderStart = start + 1;
      folderEnd = at;
    } else if (bits > 0x7f || at - start <= 2 || names.mayHave(hash)) {
      const name = decoder.decode(list.subarray(start, at));
      if (names.has(name)) found.push(decoder.decode(list.subarray(folderStart, folderEnd)) + name);
    }
    start = at + 1;
    hash = SEED;
    bits = 0;
  }
  return found;
}
