/** OSV records (ossf.github.io/osv-schema 1.x): what matching needs, strictly; the rest is ignored. */
import { attempt, type Result } from '#base/result';
import { isJsonObject, type JsonObject, type JsonReader, type JsonValue, own, reader } from './json.ts';
import { R } from './reasons-sbom.ts';

export interface OsvSeverity {
  /** CVSS_V2, CVSS_V3, CVSS_V4, Ubuntu. */
  readonly type: string;
  /** A vector, or a word. */
  readonly score: string;
}

export type OsvEvent =
  | { readonly introduced: string }
  | { readonly fixed: string }
  | { readonly lastAffected: string }
  | { readonly limit: string };

export interface OsvRange {
  readonly type: 'SEMVER' | 'ECOSYSTEM' | 'GIT';
  readonly events: readonly OsvEvent[];
}

export interface OsvAffected {
  /** With its release: `Debian:12`, `npm`. */
  readonly ecosystem: string;
  readonly name: string;
  readonly ranges: readonly OsvRange[];
  /** Affected versions given one by one. */
  readonly versions: readonly string[];
  readonly severity: readonly OsvSeverity[];
  readonly ecosystemSpecific: JsonObject;
  readonly databaseSpecific: JsonObject;
  /** What the publisher says it will do; sources that state it. */
  readonly state?: 'not-fixed' | 'wont-fix' | 'unknown';
  /** `name:stream` of an rpm module. */
  readonly module?: string;
  readonly architectures?: readonly string[];
}

export interface OsvRecord {
  readonly id: string;
  readonly aliases: readonly string[];
  /** Records this one was made from, for example the CVE of a distribution's advisory. */
  readonly upstream: readonly string[];
  /** Ids of other problems this record speaks of. */
  readonly related: readonly string[];
  /** `CWE-79`, sorted. */
  readonly cwes: readonly string[];
  /** Addresses, at most ten. */
  readonly references: readonly string[];
  readonly summary: string;
  /** RFC 3339 as written. */
  readonly published?: string;
  readonly modified?: string;
  readonly withdrawn?: string;
  readonly severity: readonly OsvSeverity[];
  readonly affected: readonly OsvAffected[];
  readonly databaseSpecific: JsonObject;
}

/** Reads one record. WB-191 names the field that is wrong. */
export function parseOsv(json: JsonValue): Result<OsvRecord> {
  return attempt(() => readRecord(reader(json, 'osv', { as: R.osv })));
}

function readRecord(record: JsonReader): OsvRecord {
  const id = record.text('id');
  if (!/^[\x21-\x7e]{1,256}$/.test(id)) throw record.wrong('id', 'an identifier', id);
  return {
    id,
    aliases: strings(record, 'aliases'),
    upstream: strings(record, 'upstream'),
    related: strings(record, 'related'),
    cwes: cwesOf(record),
    references: referencesOf(record),
    summary: optionalText(record, 'summary') ?? firstLine(optionalText(record, 'details')),
    ...optional('published', timeIn(record, 'published')),
    ...optional('modified', timeIn(record, 'modified')),
    ...optional('withdrawn', timeIn(record, 'withdrawn')),
    severity: severities(record),
    affected: list(record, 'affected').flatMap((one, i) =>
      readAffected(reader(one, `osv.affected[${i}]`, { as: R.osv })),
    ),
    databaseSpecific: objectOr(record.value('database_specific')),
  };
}

const REFERENCES_MAX = 10;

function cwesOf(record: JsonReader): readonly string[] {
  const given = objectOr(record.value('database_specific'))['cwe_ids'];
  const ids = Array.isArray(given) ? given.filter((one) => typeof one === 'string') : [];
  return ids.filter((id) => /^CWE-\d+$/.test(id)).sort();
}

function referencesOf(record: JsonReader): readonly string[] {
  const urls = list(record, 'references').map((one) => (isJsonObject(one) ? own(one, 'url') : undefined));
  return urls.filter((url) => typeof url === 'string').slice(0, REFERENCES_MAX);
}

const optional = <K extends string>(key: K, value: string | undefined): { readonly [P in K]?: string } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: string };

function optionalText(record: JsonReader, key: string): string | undefined {
  const value = record.value(key);
  return value === null || value === undefined || value === '' ? undefined : record.string(key);
}

/** Go writes a time that nobody set as the first day of year 1: it says nothing. */
function timeIn(record: JsonReader, key: string): string | undefined {
  const text = optionalText(record, key);
  return text?.startsWith('0001-01-01T00:00:00') === true ? undefined : text;
}

const firstLine = (text: string | undefined): string =>
  (text ?? '').trim().split('\n')[0]?.slice(0, 300) ?? '';

function list(record: JsonReader, key: string): readonly JsonValue[] {
  const value = record.value(key);
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw record.wrong(key, 'a list', value);
  return value;
}

function strings(record: JsonReader, key: string): readonly string[] {
  return list(record, key).map((one) => {
    if (typeof one !== 'string') throw record.wrong(key, 'a list of strings', one);
    return one;
  });
}

const objectOr = (value: JsonValue | undefined): JsonObject => (isJsonObject(value) ? value : {});

function severities(record: JsonReader): OsvSeverity[] {
  return list(record, 'severity').map((one, i) => {
    const entry = reader(one, `${record.path}.severity[${i}]`, { as: R.osv });
    return { type: entry.string('type'), score: entry.string('score') };
  });
}

/** An entry without a package is about commits only and cannot concern a package. */
function readAffected(entry: JsonReader): OsvAffected[] {
  const value = entry.value('package');
  if (value === undefined || value === null) return [];
  const named = reader(value, `${entry.path}.package`, { as: R.osv });
  return [
    {
      ecosystem: named.text('ecosystem'),
      name: named.text('name'),
      ranges: list(entry, 'ranges').map((one, i) => readRange(one, `${entry.path}.ranges[${i}]`)),
      versions: strings(entry, 'versions'),
      severity: severities(entry),
      ecosystemSpecific: objectOr(entry.value('ecosystem_specific')),
      databaseSpecific: objectOr(entry.value('database_specific')),
    },
  ];
}

function readRange(value: JsonValue, path: string): OsvRange {
  const range = reader(value, path, { as: R.osv });
  const type = range.string('type');
  if (type !== 'SEMVER' && type !== 'ECOSYSTEM' && type !== 'GIT') {
    throw range.wrong('type', 'SEMVER, ECOSYSTEM or GIT', type);
  }
  const events = list(range, 'events').map((one, i) => readEvent(one, `${path}.events[${i}]`));
  if (!events.some((event) => 'introduced' in event)) {
    throw range.wrong('events', 'an introduced event', range.value('events'));
  }
  return { type, events };
}

function readEvent(value: JsonValue, path: string): OsvEvent {
  const event = reader(value, path, { as: R.osv });
  const kinds = ['introduced', 'fixed', 'last_affected', 'limit'].filter(
    (key) => own(event.object, key) !== undefined,
  );
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) throw event.wrong('', 'exactly one kind of event', value);
  const version = event.text(kind);
  if (kind === 'introduced') return { introduced: version };
  if (kind === 'fixed') return { fixed: version };
  return kind === 'limit' ? { limit: version } : { lastAffected: version };
}
