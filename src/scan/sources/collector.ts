/**
 * What the sources hold, as OSV records. The form of a document is told by its shape: an OSV record or a list of
 * them, a secdb of Alpine, the tracker of Debian, a catalogue of exploited vulnerabilities.
 */
import { limits } from '#base/limits';
import { isJsonObject, type JsonObject, type JsonValue, own, parseJson } from '#formats/json';
import { type OsvAffected, type OsvRecord, parseOsv } from '#formats/osv';
import type { DatabaseSource, Epss, KnownExploited } from '../database/index.ts';
import { isDebianTracker, readDebianTracker } from './debian-tracker.ts';
import { readEpss } from './epss.ts';
import { isKevCatalogue, readKev } from './kev.ts';
import { isNvd, readNvd } from './nvd.ts';
import { isSecdb, readSecdb } from './secdb.ts';

export interface SkippedRecord {
  /** Source, with the entry or line. */
  readonly where: string;
  readonly reason: string;
}

interface Tally {
  records: number;
  skipped: number;
  newest: string;
}

export class Collector {
  readonly records = new Map<string, OsvRecord>();
  readonly epss = new Map<string, Epss>();
  readonly knownExploited = new Map<string, KnownExploited>();
  readonly skipped: SkippedRecord[] = [];
  readonly #feeds = new Set<string>();
  readonly #tallies = new Map<string, Tally>();
  #source = '';
  withdrawn = 0;
  notSecurity = 0;

  /** What follows is counted for the source of this name. */
  startSource(name: string): void {
    this.#source = name;
  }

  get sources(): readonly DatabaseSource[] {
    return [...this.#tallies]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { records, skipped, newest }]) => ({
        name,
        records,
        ...(skipped === 0 ? {} : { skipped }),
        ...(newest === '' ? {} : { newest }),
      }));
  }

  /** One JSON text. */
  text(text: string | Uint8Array, where: string): void {
    const parsed = parseJson(text, { maxBytes: limits.osvSourceBytes });
    if (!parsed.ok) this.skip(where, `${parsed.error.expected}: ${parsed.error.actual}`);
    else if (Array.isArray(parsed.value)) for (const one of parsed.value) this.value(one, where);
    else this.value(parsed.value, where);
  }

  /** What a reader of another form found; undefined when the text is none of that form. */
  found(records: readonly OsvRecord[] | undefined, where: string): void {
    if (records === undefined) this.skip(where, 'of no known form');
    else this.#feed(records, where);
  }

  /** One CSV text: EPSS scores. */
  csv(text: string, where: string): void {
    const listed = readEpss(text);
    if (listed === undefined) {
      this.skip(where, 'not a list of EPSS scores');
      return;
    }
    const { found, unread } = listed;
    for (const [id, score] of found) this.epss.set(id, score);
    for (const line of unread) this.skip(`${where}:${line}`, 'not a CVE with two numbers from 0 to 1');
    this.#count(found.size, [...found.values()][0]?.date ?? '');
  }

  value(value: JsonValue, where: string): void {
    if (!isJsonObject(value)) this.skip(where, 'not a JSON object');
    else if (isSecdb(value)) this.#feed(readSecdb(value), where);
    else if (isKevCatalogue(value)) this.#exploited(value, where);
    else if (isNvd(value)) this.#feed(readNvd(value), where);
    else if (own(value, 'id') === undefined && isDebianTracker(value)) {
      this.#feed(readDebianTracker(value), where);
    } else this.#osv(value, where);
  }

  #osv(value: JsonObject, where: string): void {
    const record = parseOsv(value);
    if (!record.ok) {
      this.skip(where, `${record.error.check}: ${record.error.expected}`);
      return;
    }
    if (record.value.withdrawn !== undefined) {
      this.withdrawn++;
      return;
    }
    const kept = securityOnly(record.value);
    if (kept === undefined) {
      this.notSecurity++;
      return;
    }
    const known = this.records.get(kept.id);
    const isNewer = known === undefined || (known.modified ?? '') <= (kept.modified ?? '');
    if (isNewer) {
      this.records.set(kept.id, kept);
      this.#feeds.delete(kept.id);
    }
    this.#count(1, kept.modified ?? '');
  }

  /** Feeds speak of one problem in several files, one a release: their entries add up. */
  #feed(records: readonly OsvRecord[], where: string): void {
    if (records.length === 0) this.skip(where, 'not one record');
    for (const record of records) {
      const known = this.#feeds.has(record.id) ? this.records.get(record.id) : undefined;
      if (known === undefined && this.records.has(record.id)) continue;
      this.#feeds.add(record.id);
      this.records.set(record.id, known === undefined ? record : merged(known, record));
    }
    this.#count(records.length, '');
  }

  #exploited(value: JsonObject, where: string): void {
    const { found, unread } = readKev(value);
    for (const [id, one] of found) this.knownExploited.set(id, one);
    for (const number of unread)
      this.skip(`${where}:${number}`, 'an entry without a CVE and the day it was added');
    const newest = [...found.values()].reduce((at, one) => (one.dateAdded > at ? one.dateAdded : at), '');
    this.#count(found.size, newest);
  }

  #count(records: number, newest: string): void {
    const tally = this.#tally();
    tally.records += records;
    if (newest > tally.newest) tally.newest = newest;
  }

  #tally(): Tally {
    const known = this.#tallies.get(this.#source);
    if (known !== undefined) return known;
    const tally = { records: 0, skipped: 0, newest: '' };
    this.#tallies.set(this.#source, tally);
    return tally;
  }

  skip(where: string, reason: string): void {
    this.#tally().skipped++;
    this.skipped.push({ where, reason });
  }
}

const merged = (a: OsvRecord, b: OsvRecord): OsvRecord => ({
  ...a,
  aliases: [...new Set([...a.aliases, ...b.aliases])].sort(),
  related: [...new Set([...a.related, ...b.related])].sort(),
  affected: [...a.affected, ...b.affected],
});

/** Some sources also list bug fixes and unmaintained packages: undefined when nothing else is left. */
function securityOnly(record: OsvRecord): OsvRecord | undefined {
  if (/^AL[BE]A-/.test(record.id)) return undefined;
  const affected = record.affected.filter((one) => {
    const kind = one.databaseSpecific['informational'];
    return kind !== 'unmaintained' && kind !== 'notice';
  });
  if (affected.length === 0 && record.affected.length > 0) return undefined;
  const module = moduleOf(record);
  return { ...record, affected: affected.map((one) => withModule(one, module)) };
}

/** AlmaLinux names the module in the title only: `Important: nodejs:18 security update`. */
const moduleOf = ({ id, summary }: OsvRecord): string | undefined =>
  id.startsWith('AL') ? /(?:^|[\s,])([a-z][\w.+-]*:[\w.+-]+)(?=[\s,]|$)/.exec(summary)?.[1] : undefined;

/** Packages of a module are built under its name; the rest of the notice is about ordinary ones. */
function withModule(one: OsvAffected, module: string | undefined): OsvAffected {
  if (module === undefined) return one;
  const fixes = one.ranges.flatMap(({ events }) =>
    events.flatMap((event) => ('fixed' in event ? [event.fixed] : [])),
  );
  return fixes.some((fixed) => fixed.includes('module')) ? { ...one, module } : one;
}
