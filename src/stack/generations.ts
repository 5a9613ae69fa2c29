/**
 * Which keys a stack has had: each rotation of a station begins a generation with keys, and for logs a tree and
 * an address, of its own. Everything that was ever current stays in the trusted root, for the time it was.
 */
import { join } from 'node:path';
import { fail } from '#base/reason';
import { attempt, isNonEmpty, type NonEmpty, unwrap } from '#base/result';
import { type JsonReader, parseJson, reader } from '#formats/json';
import { readFileIfThere, writeFileDurable } from '#platform/files';
import { R } from './reasons.ts';

export const GENERATIONS_FILE = 'generations.json';
const SCHEMA = 'waybill.dev/stack-generations/v1';

export const rotatable = ['ca', 'ct', 'log', 'log2', 'tsa'] as const;
export type Rotatable = (typeof rotatable)[number];

export interface Generation {
  /** 1, 2, … */
  readonly number: number;
  /** Milliseconds since the epoch, both included: what it signed in between is believed. */
  readonly start: number;
  readonly end?: number;
  /** Of a log: where it is served. */
  readonly origin?: string;
  /** SHA-256 of the SubjectPublicKeyInfo, hex, by the name of the key; absent before its first start. */
  readonly keys?: Readonly<Record<string, string>>;
  /** Of a log: it came from a backup older than its lock. It is served as it is, and signs nothing more. */
  readonly isClosed?: boolean;
  /** Of a log: it is gone for good. What it signed until `end` is believed, and nobody can read it. */
  readonly lost?: LostMark;
  /** Names of keys that a program beside the stack holds. */
  readonly elsewhere?: readonly string[];
}

/** What is left of a log: base64 of its SubjectPublicKeyInfo and its id, and how large it was where that is known. */
export interface LostMark {
  readonly publicKey: string;
  readonly logId: string;
  readonly entries?: number;
}

/** A rotation under way: the newest generation is believed; it signs from `switchAt`; the one before ends at `endAt`. */
export interface Pending {
  readonly station: Rotatable;
  /** Milliseconds since the epoch. */
  readonly switchAt: number;
  readonly endAt: number;
  readonly hasSwitched: boolean;
}

export interface Generations {
  readonly stations: Readonly<Record<Rotatable, NonEmpty<Generation>>>;
  readonly pending: readonly Pending[];
}

/** The folder of a generation below the data directory. */
export const folderOf = (station: Rotatable, number: number): string =>
  number === 1 ? station : `${station}-${number}`;

export function firstGenerations(createdAt: number): Generations {
  const first: NonEmpty<Generation> = [{ number: 1, start: createdAt }];
  return { stations: { ca: first, ct: first, log: first, log2: first, tsa: first }, pending: [] };
}

/** The generation that signs: the newest, or the one before while the newest is pending. */
export function currentOf(all: Generations, station: Rotatable): Generation {
  const list = all.stations[station];
  const isPending = all.pending.some((one) => one.station === station && !one.hasSwitched);
  return (isPending ? list.at(-2) : undefined) ?? (list.at(-1) as Generation);
}

/** With a new generation that is believed from `start` on. Throws WB-1208 while another rotation is under way. */
export function begin(
  all: Generations,
  station: Rotatable,
  start: number,
  { switchAt, endAt }: Pick<Pending, 'switchAt' | 'endAt'>,
): Generations {
  const waiting = all.pending.find((one) => one.station === station);
  if (waiting !== undefined) {
    const actual = `one that ends at ${new Date(waiting.endAt).toISOString()}`;
    throw fail(R.rotation, { expected: `no rotation of ${station} under way`, actual });
  }
  const list = all.stations[station];
  const next: Generation = { number: list.length + 1, start };
  return {
    stations: { ...all.stations, [station]: [...list, next] },
    pending: [...all.pending, { station, switchAt, endAt, hasSwitched: false }],
  };
}

/** The newest generation signs from now on. */
export function switched(all: Generations, station: Rotatable): Generations {
  const pending = all.pending.map((one) => (one.station === station ? { ...one, hasSwitched: true } : one));
  return { ...all, pending };
}

/** The rotation is over: the generation before the newest ended at `end`. */
export function finish(all: Generations, station: Rotatable, end: number): Generations {
  const list = all.stations[station];
  const before = list.at(-2);
  const ended = list.map((one) => (one === before ? { ...one, end: one.end ?? end } : one));
  return {
    stations: { ...all.stations, [station]: ended as unknown as NonEmpty<Generation> },
    pending: all.pending.filter((one) => one.station !== station),
  };
}

/** With other fields in one generation. */
export function amend(
  all: Generations,
  station: Rotatable,
  number: number,
  fields: Partial<Generation>,
): Generations {
  const list = all.stations[station].map((one) => (one.number === number ? { ...one, ...fields } : one));
  return { ...all, stations: { ...all.stations, [station]: list as unknown as NonEmpty<Generation> } };
}

/** With another value for every generation. */
export function mapGenerations(
  all: Generations,
  change: (station: Rotatable, generation: Generation) => Generation,
): Generations {
  const entries = rotatable.map((name) => [name, all.stations[name].map((one) => change(name, one))]);
  return { ...all, stations: Object.fromEntries(entries) as Generations['stations'] };
}

/** What the data directory says; the first generation of everything when it says nothing. Throws WB-1202. */
export async function readGenerations(dataDir: string, createdAt: number): Promise<Generations> {
  const path = join(dataDir, GENERATIONS_FILE);
  const bytes = await readFileIfThere(path);
  if (bytes === undefined) return firstGenerations(createdAt);
  const read = attempt((): Generations => {
    const json = reader(unwrap(parseJson(bytes)), path, { as: R.state });
    if (json.string('schema') !== SCHEMA) throw json.wrong('schema', SCHEMA, json.string('schema'));
    const stations = json.child('stations');
    const entries = rotatable.map((name) => [name, generationsIn(stations, name)] as const);
    return {
      stations: Object.fromEntries(entries) as unknown as Generations['stations'],
      pending: json.children('pending').map((one) => ({
        station: stationIn(one),
        switchAt: one.integer('switchAt'),
        endAt: one.integer('endAt'),
        hasSwitched: one.boolean('hasSwitched'),
      })),
    };
  });
  if (read.ok) return read.value;
  throw fail(R.state, { expected: `${path} of this version`, actual: read.error.check });
}

function generationsIn(json: JsonReader, name: Rotatable): NonEmpty<Generation> {
  const list = json.children(name).map((one): Generation => {
    const end = one.optionalInteger('end');
    const origin = one.optionalString('origin');
    const keys = one.optionalChild('keys');
    return {
      number: one.integer('number'),
      start: one.integer('start'),
      ...(end === undefined ? {} : { end }),
      ...(origin === undefined ? {} : { origin }),
      ...(keys === undefined ? {} : { keys: textsIn(keys) }),
      ...(one.has('isClosed') ? { isClosed: one.boolean('isClosed') } : {}),
      ...(one.has('elsewhere') ? { elsewhere: one.strings('elsewhere') } : {}),
      ...(one.has('lost') ? { lost: lostIn(one.child('lost')) } : {}),
    };
  });
  if (isNonEmpty(list) && list.every((one, index) => one.number === index + 1)) return list;
  throw json.wrong(name, 'generations 1, 2, …', JSON.stringify(list.map((one) => one.number)));
}

function lostIn(json: JsonReader): LostMark {
  const entries = json.optionalInteger('entries');
  const known = { publicKey: json.string('publicKey'), logId: json.string('logId') };
  return entries === undefined ? known : { ...known, entries };
}

const textsIn = (json: JsonReader): Record<string, string> =>
  Object.fromEntries(Object.keys(json.object).map((name) => [name, json.string(name)]));

function stationIn(json: JsonReader): Rotatable {
  const name = json.string('station');
  const station = rotatable.find((one) => one === name);
  if (station !== undefined) return station;
  throw json.wrong('station', rotatable.join(', '), name);
}

export async function writeGenerations(dataDir: string, all: Generations): Promise<void> {
  await writeFileDurable(
    join(dataDir, GENERATIONS_FILE),
    `${JSON.stringify({ schema: SCHEMA, ...all }, undefined, 2)}\n`,
  );
}
