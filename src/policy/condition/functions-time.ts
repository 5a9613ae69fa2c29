/** Kyverno's functions over time. Layouts are Go's reference time; instants carry the offset they came with. */
import { type FunctionTable, refuse, spec } from './functions.ts';
import { durationText, parseDuration } from './quantity.ts';

interface Instant {
  /** Nanoseconds since the epoch. */
  readonly ns: bigint;
  readonly offsetMinutes: number;
}

const RFC3339 = '2006-01-02T15:04:05Z07:00';
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MS = 1_000_000n;

/** Elements of a layout, longest first, each with what it reads. */
const elements: readonly (readonly [string, string, string])[] = [
  ['Monday', '[A-Z][a-z]+day', 'skip'],
  ['January', '[A-Z][a-z]+', 'monthName'],
  ['Z07:00', 'Z|[+-]\\d\\d:\\d\\d', 'zone'],
  ['-07:00', '[+-]\\d\\d:\\d\\d', 'zone'],
  ['Z0700', 'Z|[+-]\\d{4}', 'zone'],
  ['-0700', '[+-]\\d{4}', 'zone'],
  ['2006', '\\d{4}', 'year'],
  ['Mon', '[A-Z][a-z]{2}', 'skip'],
  ['Jan', '[A-Z][a-z]{2}', 'monthName'],
  ['MST', '[A-Z]{3,5}', 'skip'],
  ['01', '\\d\\d', 'month'],
  ['02', '\\d\\d', 'day'],
  ['_2', ' ?\\d{1,2}', 'day'],
  ['15', '\\d\\d', 'hour'],
  ['03', '\\d\\d', 'hour12'],
  ['04', '\\d\\d', 'minute'],
  ['05', '\\d\\d(?:\\.\\d+)?', 'second'],
  ['PM', 'AM|PM', 'half'],
];

function layoutReader(layout: string): { pattern: RegExp; parts: string[] } {
  const parts: string[] = [];
  let pattern = '';
  let at = 0;
  while (at < layout.length) {
    const found = elements.find(([text]) => layout.startsWith(text, at));
    if (found === undefined) {
      pattern += (layout[at] as string).replace(/[\\^$.*+?()[\]{}|]/, '\\$&');
      at++;
      continue;
    }
    pattern += `(${found[1]})`;
    parts.push(found[2]);
    at += found[0].length;
  }
  return { pattern: new RegExp(`^${pattern}$`), parts };
}

function read(name: string, layout: string, text: string): Instant {
  const reader = layoutReader(layout);
  const match = reader.pattern.exec(text);
  const bad = (): Error => refuse(name, `a time in the layout ${layout}`, JSON.stringify(text));
  if (match === null) throw bad();
  const got: Record<string, string> = {};
  for (const [i, part] of reader.parts.entries()) got[part] = match[i + 1] as string;
  const named = got['monthName'] === undefined ? 0 : months.indexOf(got['monthName'].slice(0, 3)) + 1;
  const month = got['month'] === undefined ? named || 1 : Number(got['month']);
  const half = got['half'] === undefined ? 0 : got['half'] === 'PM' ? 12 : 0;
  const hour = got['hour12'] === undefined ? Number(got['hour'] ?? 0) : (Number(got['hour12']) % 12) + half;
  const [seconds = '0', fraction = ''] = (got['second'] ?? '0').split('.');
  const day = Number(got['day'] ?? 1);
  const minute = Number(got['minute'] ?? 0);
  const offsetMinutes = zoneMinutes(got['zone']);
  const ms = Date.UTC(Number(got['year'] ?? 0), month - 1, day, hour, minute, Number(seconds));
  const check = new Date(ms);
  const isReal = check.getUTCMonth() === month - 1 && check.getUTCDate() === day && hour < 24 && minute < 60;
  if (!isReal || Number(seconds) > 59) throw bad();
  const ns = BigInt(ms) * MS + BigInt(fraction.padEnd(9, '0').slice(0, 9));
  return { ns: ns - BigInt(offsetMinutes) * 60_000n * MS, offsetMinutes };
}

function zoneMinutes(zone: string | undefined): number {
  const match = /^([+-])(\d\d):?(\d\d)$/.exec(zone ?? '');
  if (match === null) return 0;
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]));
}

function written({ ns, offsetMinutes }: Instant): string {
  const local = new Date(Number(ns / MS) + offsetMinutes * 60_000);
  const zone = `${offsetMinutes < 0 ? '-' : '+'}${two(Math.abs(offsetMinutes) / 60)}:${two(Math.abs(offsetMinutes) % 60)}`;
  return `${local.toISOString().slice(0, 19)}${offsetMinutes === 0 ? 'Z' : zone}`;
}

const two = (value: number): string => String(Math.trunc(value)).padStart(2, '0');
const text = (value: unknown): string => value as string;
const instant = (name: string, value: unknown): Instant => read(name, RFC3339, text(value));

function duration(name: string, value: unknown): bigint {
  const ns = parseDuration(text(value));
  if (ns === undefined) throw refuse(name, 'a duration', JSON.stringify(value));
  return ns;
}

function since(layout: string, start: string, end: string, nowMs: number): string {
  const from = read('time_since', layout === '' ? RFC3339 : layout, start);
  const until =
    end === '' ? BigInt(nowMs) * MS : read('time_since', layout === '' ? RFC3339 : layout, end).ns;
  return durationText(until - from.ns);
}

function parsed(layout: string, value: string): string {
  // A layout of digits only stands for seconds since the epoch.
  if (/^\d+$/.test(layout) && /^\d+$/.test(value)) {
    return written({ ns: BigInt(value) * 1_000_000_000n, offsetMinutes: 0 });
  }
  return written(read('time_parse', layout, value));
}

function cron(value: unknown): string {
  const { ns, offsetMinutes } = instant('time_to_cron', value);
  const local = new Date(Number(ns / MS) + offsetMinutes * 60_000);
  const date = `${local.getUTCDate()} ${local.getUTCMonth() + 1} ${local.getUTCDay()}`;
  return `${local.getUTCMinutes()} ${local.getUTCHours()} ${date}`;
}

const now = (nowMs: number): string => written({ ns: BigInt(nowMs) * MS, offsetMinutes: 0 });

export const timeFunctions: FunctionTable = {
  time_since: spec(['string', 'string', 'string'], ([a, b, c], { nowMs }) =>
    since(text(a), text(b), text(c), nowMs),
  ),
  time_now: spec([], (_args, { nowMs }) => now(nowMs)),
  time_now_utc: spec([], (_args, { nowMs }) => now(nowMs)),
  time_parse: spec(['string', 'string'], ([a, b]) => parsed(text(a), text(b))),
  time_utc: spec(['string'], ([a]) => written({ ...instant('time_utc', a), offsetMinutes: 0 })),
  time_add: spec(['string', 'string'], ([a, b]) => {
    const start = instant('time_add', a);
    return written({ ...start, ns: start.ns + duration('time_add', b) });
  }),
  time_diff: spec(['string', 'string'], ([a, b]) =>
    durationText(instant('time_diff', b).ns - instant('time_diff', a).ns),
  ),
  time_before: spec(
    ['string', 'string'],
    ([a, b]) => instant('time_before', a).ns < instant('time_before', b).ns,
  ),
  time_after: spec(
    ['string', 'string'],
    ([a, b]) => instant('time_after', a).ns > instant('time_after', b).ns,
  ),
  time_between: spec(['string', 'string', 'string'], ([a, b, c]) => {
    const at = instant('time_between', a).ns;
    return at > instant('time_between', b).ns && at < instant('time_between', c).ns;
  }),
  time_truncate: spec(['string', 'string'], ([a, b]) => {
    const start = instant('time_truncate', a);
    const step = duration('time_truncate', b);
    return step <= 0n ? written(start) : written({ ...start, ns: start.ns - (start.ns % step) });
  }),
  time_to_cron: spec(['string'], ([a]) => cron(a)),
};
