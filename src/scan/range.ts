/** Whether a version is affected, by the evaluation rules of the OSV schema. */
import type { OsvEvent, OsvRange } from '#formats/osv';
import { type BoundOptions, boundOrderOf } from './versions/bounds.ts';
import { orderOf, type VersionOrder } from './versions/index.ts';

export type Affected = 'yes' | 'no' | 'undetermined';

export interface AffectedResult {
  readonly affected: Affected;
  /** Versions that repair it, above the one asked about, lowest first. */
  readonly fixed: readonly string[];
}

interface Point {
  readonly kind: 'introduced' | 'fixed' | 'lastAffected';
  readonly version: string;
}

export function evaluate(
  version: string,
  ecosystem: string,
  ranges: readonly OsvRange[],
  versions: readonly string[],
  options: BoundOptions = {},
): AffectedResult {
  const orders = ordersFor(ecosystem, options);
  const order = orders.own;
  if (version === '') return ofUnknownVersion(ranges, versions);
  const results = ranges.map((range) => inRange(version, range.events, orders));
  const isAffected = results.includes('yes') || isListed(version, versions, order);
  // What is no version of the ecosystem may be another spelling of a listed one.
  const isNoVersion = versions.length > 0 && order(version, version) === undefined;
  const isUndetermined = !isAffected && (isNoVersion || results.includes('undetermined'));
  return {
    affected: isAffected ? 'yes' : isUndetermined ? 'undetermined' : 'no',
    fixed: isAffected ? fixesAbove(version, ranges, orders) : [],
  };
}

/** Whatever the version is, it is in a range without an end; in none where there are neither ranges nor a list. */
function ofUnknownVersion(ranges: readonly OsvRange[], versions: readonly string[]): AffectedResult {
  if (ranges.some(({ events }) => isEverything(events))) return { affected: 'yes', fixed: [] };
  return { affected: ranges.length + versions.length > 0 ? 'undetermined' : 'no', fixed: [] };
}

/** From the first version on, without an end. */
const isEverything = (events: readonly OsvEvent[]): boolean =>
  events.some((event) => 'introduced' in event && event.introduced === '0') &&
  events.every((event) => 'introduced' in event || ('limit' in event && event.limit === '*'));

const known = new Map<string, Orders>();
const KNOWN_MAX = 1000;

/** The same few are asked for with every entry. */
function ordersFor(ecosystem: string, options: BoundOptions): Orders {
  const key = `${options.missingEpoch ?? ''} ${ecosystem}`;
  let orders = known.get(key);
  if (orders === undefined) {
    if (known.size >= KNOWN_MAX) known.clear();
    orders = { own: orderOf(ecosystem), bound: boundOrderOf(ecosystem, options) };
    known.set(key, orders);
  }
  return orders;
}

/** Lists run to hundreds of releases: only those that begin with the same number can be another spelling of it. */
function isListed(version: string, versions: readonly string[], order: VersionOrder): boolean {
  if (versions.length === 0) return false;
  if (versions.includes(version)) return true;
  const start = leadingNumber(version);
  return versions.some((one) => {
    const other = leadingNumber(one);
    return (start === undefined || other === undefined || start === other) && order(one, version) === 0;
  });
}

/** Undefined where the first number may not be the one that counts: before an epoch's `:` or `!`. */
function leadingNumber(version: string): string | undefined {
  return /[:!]/.test(version) ? undefined : /^[^0-9]*0*(\d*)/.exec(version)?.[1];
}

/** Versions among each other, and a package's version against what an advisory writes. */
interface Orders {
  readonly own: VersionOrder;
  readonly bound: VersionOrder;
}

/** `0` stands for the start of all versions. */
const atLeast = (version: string, start: string, order: VersionOrder): boolean | undefined => {
  if (start === '0') return order(version, version) === undefined ? undefined : true;
  const difference = order(version, start);
  return difference === undefined ? undefined : difference >= 0;
};

function inRange(version: string, events: readonly OsvEvent[], orders: Orders): Affected {
  const order = orders.bound;
  if (isEverything(events)) return 'yes';
  const end = endOf(events);
  if (end !== undefined) {
    // What compares with the end is a version, and every version is after the start.
    const difference = order(version, end.version);
    if (difference === undefined) return 'undetermined';
    return difference < 0 || (difference === 0 && end.kind === 'lastAffected') ? 'yes' : 'no';
  }
  const points = events.map(pointIn).filter((point) => point !== undefined);
  const bounds = events.flatMap((event) => ('limit' in event ? [event.limit] : []));
  const within = bounds.map((limit) => (limit === '*' ? -1 : order(version, limit)));
  if (within.length > 0 && !within.some((one) => one !== undefined && one < 0)) {
    return within.includes(undefined) ? 'undetermined' : 'no';
  }
  const sorted = points.length > 1 ? points.toSorted((a, b) => comparePoints(a, b, orders.own)) : points;
  let affected = false;
  for (const { kind, version: at } of sorted) {
    const isReached = atLeast(version, at, order);
    if (isReached === undefined) return 'undetermined';
    if (kind === 'introduced') affected = affected || isReached;
    else if (kind === 'fixed') affected = affected && !isReached;
    else if (isReached && order(version, at) !== 0) affected = false;
  }
  return affected || isInParts(version, points, order) ? 'yes' : 'no';
}

/**
 * Parts of a range as they are written, each from where it begins to the next end. In order of versions, an end closes
 * every part that began before it: of parts that overlap, or meet where one ends, some would be lost.
 */
function isInParts(version: string, points: readonly Point[], order: VersionOrder): boolean {
  // Written from the end on there are no such parts.
  if (points[0]?.kind !== 'introduced') return false;
  let isWithin = false;
  for (const { kind, version: at } of points) {
    const isReached = atLeast(version, at, order) === true;
    if (kind === 'introduced') isWithin = isReached;
    else {
      if (isWithin && (!isReached || (kind === 'lastAffected' && order(version, at) === 0))) return true;
      isWithin = false;
    }
  }
  return isWithin;
}

function pointIn(event: OsvEvent): Point | undefined {
  return 'introduced' in event ? { kind: 'introduced', version: event.introduced } : endIn(event);
}

function endIn(event: OsvEvent): Point | undefined {
  if ('fixed' in event) return { kind: 'fixed', version: event.fixed };
  return 'lastAffected' in event ? { kind: 'lastAffected', version: event.lastAffected } : undefined;
}

/** Most ranges begin with the first version and have one end. */
function endOf(events: readonly OsvEvent[]): Point | undefined {
  const [start, end] = events;
  if (events.length !== 2 || start === undefined || end === undefined) return undefined;
  if (!('introduced' in start) || start.introduced !== '0') return undefined;
  const point = endIn(end);
  return point?.version === '0' ? undefined : point;
}

function comparePoints(a: Point, b: Point, order: VersionOrder): number {
  if (a.version === '0' || b.version === '0') {
    if (a.version === b.version) return 0;
    return a.version === '0' ? -1 : 1;
  }
  return order(a.version, b.version) ?? 0;
}

function fixesAbove(version: string, ranges: readonly OsvRange[], { own, bound }: Orders): string[] {
  const found = new Set<string>();
  for (const { events } of ranges) {
    const above = events
      .flatMap((event) => ('fixed' in event ? [event.fixed] : []))
      .filter((fixed) => (bound(version, fixed) ?? -1) < 0)
      .sort((a, b) => own(a, b) ?? 0);
    // The first fix above is the one of this version's own line.
    if (above[0] !== undefined) found.add(above[0]);
  }
  return [...found].sort((a, b) => own(a, b) ?? 0);
}
