/** The head of a database: what it says of itself, before anything is read from it. */
import { parseDigest } from '#base/digest';
import { isJsonObject, type JsonObject, type JsonValue, own } from '#formats/json';
import { type DatabaseInfo, type DatabaseSource, SCHEMA_VERSION } from './types.ts';

/** 9999-12-31: later times have no text of RFC 3339. */
const LATEST_MS = 253_402_300_799_999;

/** Undefined for a head that lacks something, or says what cannot be. */
export function infoOfHeader(header: JsonObject): DatabaseInfo | undefined {
  const count = (key: string): number | undefined => countOf(own(header, key));
  const [builtMs, records, sampleRecords] = [count('builtMs'), count('records'), count('sampleRecords')];
  const [digest, newest, sources] = [own(header, 'digest'), own(header, 'newest'), own(header, 'sources')];
  const ecosystems = own(header, 'ecosystems');
  if (builtMs === undefined || builtMs > LATEST_MS) return undefined;
  if (records === undefined || sampleRecords === undefined) return undefined;
  const parsed = parseDigest(typeof digest === 'string' ? digest : '');
  if (!parsed.ok || !isJsonObject(ecosystems)) return undefined;
  const entries = Object.entries(ecosystems).map(([name, value]) => [name, countOf(value)] as const);
  if (!entries.every((one): one is readonly [string, number] => one[1] !== undefined)) return undefined;
  if (!Array.isArray(sources) || !sources.every(isSource)) return undefined;
  if (newest !== undefined && typeof newest !== 'string') return undefined;
  const [epss, knownExploited] = [count('epss'), count('knownExploited')];
  return {
    schemaVersion: SCHEMA_VERSION,
    builtMs,
    ...(newest === undefined ? {} : { newest }),
    records,
    sampleRecords,
    sources: sources as unknown as readonly DatabaseSource[],
    digest: parsed.value,
    isSampleOnly: sampleRecords === records,
    ecosystems: new Map(entries),
    ...(epss === undefined ? {} : { epss }),
    ...(knownExploited === undefined ? {} : { knownExploited }),
  };
}

const countOf = (value: JsonValue | undefined): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;

function isSource(value: JsonValue): boolean {
  if (!isJsonObject(value)) return false;
  const [name, newest, skipped] = [own(value, 'name'), own(value, 'newest'), own(value, 'skipped')];
  const isDated = newest === undefined || typeof newest === 'string';
  const isCounted = skipped === undefined || countOf(skipped) !== undefined;
  return typeof name === 'string' && isDated && isCounted && countOf(own(value, 'records')) !== undefined;
}
