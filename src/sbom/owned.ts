/**
 * The files a package brought, asked for by name: packages of an image list tens of thousands, and only those matter
 * where something else was found.
 */
import { concat, utf8 } from '#base/bytes';
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

const hashed = (hash: number, byte: number): number => Math.imul(hash ^ byte, PRIME);

/** Last parts of paths. What a path with an unusual end (`a/`, `a/..`) names is not told by it: such are in it. */
export class NameSet {
  readonly #names = new Set(['', '.', '..']);
  readonly #places = new Uint8Array(PLACES);
  /** Those of names in ASCII are what their bytes have. */
  readonly hashes: number[] = [];
  isAscii = true;

  add(name: string): void {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    let hash = SEED;
    for (let at = 0; at < name.length; at++) hash = hashed(hash, name.charCodeAt(at));
    this.#places[hash & (PLACES - 1)] = 1;
    this.hashes.push(hash);
    for (let at = 0; at < name.length; at++) if (name.charCodeAt(at) > 0x7f) this.isAscii = false;
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

/**
 * First line of a list that is grouped by folders; a list of dpkg begins with a slash. Behind it, a byte: how often the
 * filter of the names was doubled, or `UNTOLD`; then the filter, and the lines.
 */
const GROUPED = utf8('grouped\n');
const UNTOLD = 0xff;
const FILTER_DOUBLED_MAX = 16;
/** Of four hundred names that are asked for in vain, one is looked for. */
const BITS_FOR_EACH = 16;
const SHIFTS = [0, 5, 11, 16];

/** A Bloom filter with four places a name: most lists have none of the names that are asked for. */
function filterOf(hashes: readonly number[]): { readonly doubled: number; readonly filter: Uint8Array } {
  let doubled = 0;
  while (2 ** (doubled + 3) < hashes.length * BITS_FOR_EACH && doubled < FILTER_DOUBLED_MAX) doubled++;
  const filter = new Uint8Array(2 ** doubled);
  for (const hash of hashes) {
    for (const shift of SHIFTS) setBit(filter, hash >>> shift);
  }
  return { doubled, filter };
}

function setBit(filter: Uint8Array, place: number): void {
  const at = (place >>> 3) & (filter.length - 1);
  filter[at] = (filter[at] as number) | (1 << (place & 7));
}

const hasBit = (list: Uint8Array, from: number, mask: number, place: number): boolean =>
  ((list[from + ((place >>> 3) & mask)] as number) & (1 << (place & 7))) !== 0;

/** Where the lines of a grouped list begin; undefined where none of the names can be in them. */
function linesAt(list: Uint8Array, { hashes, isAscii }: NameSet): number | undefined {
  const from = GROUPED.length + 1;
  const doubled = list[from - 1] as number;
  if (doubled === UNTOLD) return from;
  const length = 2 ** doubled;
  const mayBe = (hash: number): boolean =>
    SHIFTS.every((shift) => hasBit(list, from, length - 1, hash >>> shift));
  return !isAscii || hashes.some(mayBe) ? from + length : undefined;
}
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
  const out = new Uint8Array(list.length * 2 + 2);
  const hashes: number[] = [];
  let isTold = true;
  let length = 0;
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
      const nameAt = length;
      length = copyLine(list, slash + 1, end, out, length);
      const hash = nameHash(out, nameAt, length - 1);
      if (hash === undefined) isTold = false;
      else hashes.push(hash);
    }
    start = end + 1;
  }
  const lines = out.subarray(0, length);
  const { doubled, filter } = filterOf(hashes);
  return isTold
    ? concat(GROUPED, Uint8Array.of(doubled), filter, lines)
    : concat(GROUPED, Uint8Array.of(UNTOLD), lines);
}

/** Undefined for a name that is none: nothing, or one or two dots. */
function nameHash(bytes: Uint8Array, start: number, end: number): number | undefined {
  let hash = SEED;
  let areDots = end - start <= 2;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte !== DOT) areDots = false;
    hash = hashed(hash, byte);
  }
  return areDots ? undefined : hash;
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
  let start = linesAt(list, names);
  if (start === undefined) return found;
  let hash = SEED;
  let bits = 0;
  for (let at = start; at < list.length; at++) {
    const byte = list[at] as number;
    if (byte !== LINE) {
      hash = hashed(hash, byte);
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
