/** Ways to spoil an input: bytes, DER elements, JSON values, lines of text. */
import type { SeededRandom } from './random.ts';

export type Mutator = (input: Uint8Array, other: Uint8Array, random: SeededRandom) => Uint8Array;

/** Mutants stay small: work is to be bounded by the parser, not by the fuzzer's patience. */
const BYTES_MAX = 64 * 1024;

const interesting = [
  0x00, 0x01, 0x0a, 0x20, 0x22, 0x2d, 0x30, 0x5b, 0x5c, 0x7b, 0x7f, 0x80, 0x81, 0x84, 0xa0, 0xff,
];

function spliced(input: Uint8Array, from: number, to: number, insert: Uint8Array): Uint8Array {
  const out = Buffer.concat([input.subarray(0, from), insert, input.subarray(to)]);
  return new Uint8Array(out.subarray(0, BYTES_MAX));
}

function range(input: Uint8Array, random: SeededRandom): [number, number] {
  const from = random.below(input.length + 1);
  const length = random.chance(3) ? random.below(input.length - from + 1) : random.below(9);
  return [from, Math.min(input.length, from + length)];
}

export const bytes: Mutator = (input, other, random) => {
  const copy = Uint8Array.from(input);
  const at = random.below(copy.length);
  switch (random.below(8)) {
    case 0:
      if (copy.length > 0) copy[at] = (copy[at] as number) ^ (1 << random.below(8));
      return copy;
    case 1:
      if (copy.length > 0) copy[at] = random.pick(interesting);
      return copy;
    case 2:
      if (copy.length > 0) copy[at] = (copy[at] as number) + (random.chance(2) ? 1 : 255);
      return copy;
    case 3:
      return spliced(copy, ...range(copy, random), new Uint8Array());
    case 4: {
      const [from, to] = range(copy, random);
      return spliced(copy, to, to, copy.subarray(from, to));
    }
    case 5:
      return spliced(copy, ...range(copy, random), other.subarray(...range(other, random)));
    case 6:
      return copy.subarray(0, at);
    default:
      return spliced(copy, at, at, Uint8Array.of(random.pick(interesting)));
  }
};

interface Element {
  readonly tag: number;
  readonly body: Uint8Array | Element[];
}

/** Reads DER loosely: what is not of its form stays bytes. */
function elements(input: Uint8Array, depth = 0): Element[] | undefined {
  const list: Element[] = [];
  for (let at = 0; at < input.length; ) {
    const tag = input[at] as number;
    const first = input[at + 1];
    if (first === undefined || first === 0x80 || first > 0x84) return undefined;
    let length = first;
    let start = at + 2;
    if (first > 0x80) {
      length = 0;
      for (let i = 0; i < (first & 0x7f); i++) length = length * 256 + (input[start++] ?? 0);
    }
    if (start + length > input.length) return undefined;
    const body = input.subarray(start, start + length);
    const inner = depth < 24 && ((tag & 0x20) !== 0 || tag === 0x04) ? elements(body, depth + 1) : undefined;
    list.push({ tag, body: inner !== undefined && inner.length > 0 ? inner : body });
    at = start + length;
  }
  return list;
}

function encode(list: readonly Element[]): Uint8Array {
  return Buffer.concat(
    list.flatMap(({ tag, body }) => {
      const content = body instanceof Uint8Array ? body : encode(body);
      return [Buffer.of(tag), lengthOctets(content.length), content];
    }),
  );
}

function lengthOctets(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const hex = length.toString(16);
  const octets = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.of(0x80 | octets.length), octets]);
}

function flatten(list: Element[]): { readonly list: Element[]; readonly at: number }[] {
  return list.flatMap((element, at) => [
    { list, at },
    ...(element.body instanceof Uint8Array ? [] : flatten(element.body)),
  ]);
}

const derTags = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x30, 0x31, 0x80, 0xa0, 0xa1, 0xa3,
];

/** Changes one element and mends the lengths around it, so that the change is seen. */
export const der: Mutator = (input, other, random) => {
  const tree = elements(input);
  if (tree === undefined || tree.length === 0 || random.chance(5)) return bytes(input, other, random);
  const places = flatten(tree);
  const { list, at } = random.pick(places);
  const element = list[at] as Element;
  switch (random.below(8)) {
    case 0:
      list.splice(at, 1);
      break;
    case 1:
      list.splice(at, 0, element);
      break;
    case 2:
      list[at] = { ...element, tag: random.pick(derTags) };
      break;
    case 3:
      list[at] = { ...element, body: new Uint8Array() };
      break;
    case 4: {
      // Read afresh: an element of this tree could stand above the place it is put in.
      const donors = flatten(elements(other) ?? []);
      const donor = donors.length === 0 ? undefined : random.pick(donors);
      if (donor !== undefined) list[at] = donor.list[donor.at] as Element;
      break;
    }
    case 5:
      list[at] = { tag: element.tag, body: [element] };
      break;
    case 6:
      list.reverse();
      break;
    default: {
      const body = element.body instanceof Uint8Array ? element.body : encode(element.body);
      list[at] = { ...element, body: bytes(body, other, random) };
    }
  }
  return new Uint8Array(encode(tree).subarray(0, BYTES_MAX));
};

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const scalars: readonly Json[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e300,
  2 ** 53,
  '',
  ' ',
  '0',
  '-1',
  '01',
  '9007199254740993',
  '1e3',
  'AA==',
  'AA=',
  'AB==',
  '__proto__',
  '\ud800',
  '\u0000',
  '2026-02-30T00:00:00Z',
  '0001-01-01T00:00:00Z',
  [],
  {},
  [null],
  { constructor: 1 },
];

function parseLoosely(input: Uint8Array): Json | undefined {
  try {
    return JSON.parse(Buffer.from(input).toString('utf8')) as Json;
  } catch {
    return undefined;
  }
}

interface Place {
  readonly holder: Json[] | { [key: string]: Json };
  readonly key: string | number;
}

function places(value: Json, list: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return list;
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  for (const key of keys) {
    list.push({ holder: value, key });
    places((value as Record<string | number, Json>)[key] as Json, list);
  }
  return list;
}

const get = ({ holder, key }: Place): Json => (holder as Record<string | number, Json>)[key] as Json;

function put({ holder, key }: Place, value: Json): void {
  Object.defineProperty(holder, key, { value, configurable: true, enumerable: true, writable: true });
}

function spoilString(text: string, other: Uint8Array, random: SeededRandom): string {
  const decoded = Buffer.from(text, 'base64');
  if (decoded.length > 3 && decoded.toString('base64') === text && !random.chance(3)) {
    const inner = parseLoosely(decoded) === undefined ? der : json;
    return Buffer.from(inner(decoded, other, random)).toString('base64');
  }
  return Buffer.from(bytes(Buffer.from(text), other, random)).toString(random.chance(2) ? 'utf8' : 'latin1');
}

/** Changes one value of a JSON document; now and then the text itself, where values cannot say it. */
export const json: Mutator = (input, other, random) => {
  const document = parseLoosely(input);
  if (document === undefined || random.chance(6)) return spoilText(input, other, random);
  const all = places(document);
  if (all.length === 0) return bytes(input, other, random);
  const place = random.pick(all);
  const value = get(place);
  switch (random.below(7)) {
    case 0:
      put(place, structuredClone(random.pick(scalars)));
      break;
    case 1:
      if (Array.isArray(place.holder)) place.holder.splice(place.key as number, 1);
      else delete place.holder[place.key];
      break;
    case 2:
      if (Array.isArray(place.holder)) place.holder.splice(place.key as number, 0, structuredClone(value));
      else put({ holder: place.holder, key: `${place.key}x` }, structuredClone(value));
      break;
    case 3:
      put(place, structuredClone(get(random.pick(all))));
      break;
    case 4: {
      const donors = places(parseLoosely(other) ?? null);
      if (donors.length > 0) put(place, structuredClone(get(random.pick(donors))));
      break;
    }
    default:
      if (typeof value === 'string') put(place, spoilString(value, other, random));
      else put(place, structuredClone(random.pick(scalars)));
  }
  return new Uint8Array(Buffer.from(JSON.stringify(document)).subarray(0, BYTES_MAX));
};

/** What only text can say: keys twice, escapes, numbers written oddly, white space, deep nesting. */
function spoilText(input: Uint8Array, other: Uint8Array, random: SeededRandom): Uint8Array {
  const text = Buffer.from(input).toString('utf8');
  const keys = [...text.matchAll(/"([A-Za-z_]\w*)":/g)];
  const key = keys.length === 0 ? undefined : random.pick(keys);
  const [written = '', name = ''] = key ?? [];
  const at = key?.index ?? 0;
  const insert = (piece: string): string => text.slice(0, at) + piece + text.slice(at);
  const code = name.charCodeAt(0).toString(16).padStart(4, '0');
  switch (key === undefined ? 6 : random.below(7)) {
    case 0:
      return Buffer.from(insert(`${written}null,`));
    case 1:
      return Buffer.from(insert(`"\\u${code}${name.slice(1)}":1,`));
    case 2:
      return Buffer.from(insert('"__proto__":{"polluted":true},'));
    case 3:
      return Buffer.from(insert(`"a":${'['.repeat(80)}${']'.repeat(80)},`));
    case 4:
      return Buffer.from(
        text.slice(0, at) +
          written.replace(name, `\\u${code}${name.slice(1)}`) +
          text.slice(at + written.length),
      );
    case 5:
      return Buffer.from(insert(' \t\r\n'));
    default:
      return bytes(input, other, random);
  }
}

/** Lines of a note: dropped, doubled, exchanged, or spoilt inside. */
export const lines: Mutator = (input, other, random) => {
  const list = Buffer.from(input).toString('utf8').split('\n');
  const at = random.below(list.length);
  switch (random.below(6)) {
    case 0:
      list.splice(at, 1);
      break;
    case 1:
      list.splice(at, 0, list[at] as string);
      break;
    case 2:
      list[at] = random.pick(Buffer.from(other).toString('utf8').split('\n'));
      break;
    case 3:
      list.splice(at, 0, '');
      break;
    default:
      list[at] = Buffer.from(bytes(Buffer.from(list[at] as string), other, random)).toString('utf8');
  }
  return new Uint8Array(Buffer.from(list.join('\n')).subarray(0, BYTES_MAX));
};
