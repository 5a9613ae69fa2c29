/**
 * Records of NVD (API 2.0): products by CPE. They become records of the ecosystem `CPE`, whose packages are
 * `vendor:product`, with `@target` where a product of that name runs in something. OSV has no lower bound that leaves
 * itself out: such a bound counts the version it names.
 */
import { type Cpe, parseCpe } from '#formats/cpe';
import { isJsonObject, type JsonObject, type JsonValue, own } from '#formats/json';
import type { OsvAffected, OsvEvent, OsvRecord, OsvSeverity } from '#formats/osv';
import { feedEntry, feedRecord, isCve } from './feed-record.ts';

export const CPE_ECOSYSTEM = 'CPE';

export function isNvd(json: JsonObject): boolean {
  const [first] = objects(own(json, 'vulnerabilities'));
  return first !== undefined && isJsonObject(own(first, 'cve'));
}

function objects(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

const text = (json: JsonObject, key: string): string | undefined => {
  const value = own(json, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
};

export function readNvd(json: JsonObject): readonly OsvRecord[] {
  return objects(own(json, 'vulnerabilities')).flatMap((one) => {
    const cve = own(one, 'cve');
    const id = isJsonObject(cve) ? text(cve, 'id') : undefined;
    if (!isJsonObject(cve) || id === undefined || !isCve(id)) return [];
    if (text(cve, 'vulnStatus') === 'Rejected') return [];
    const affected = affectedBy(cve);
    return affected.length === 0 ? [] : [recordOf(id, cve, affected)];
  });
}

function recordOf(id: string, cve: JsonObject, affected: readonly OsvAffected[]): OsvRecord {
  const english = objects(own(cve, 'descriptions')).find((one) => text(one, 'lang') === 'en');
  const weaknesses = objects(own(cve, 'weaknesses')).flatMap((one) => objects(own(one, 'description')));
  const cwes = weaknesses.flatMap((one) => /^CWE-\d+$/.exec(text(one, 'value') ?? '')?.[0] ?? []);
  const published = text(cve, 'published');
  const modified = text(cve, 'lastModified');
  return feedRecord(`NVD-${id}`, {
    aliases: [id],
    summary:
      (english === undefined ? '' : (text(english, 'value') ?? '')).split('\n')[0]?.slice(0, 300) ?? '',
    cwes: [...new Set(cwes)].sort(),
    references: objects(own(cve, 'references'))
      .flatMap((one) => text(one, 'url') ?? [])
      .slice(0, 10),
    severity: severitiesOf(cve),
    affected,
    ...(published === undefined ? {} : { published: `${published.replace(/Z$/, '')}Z` }),
    ...(modified === undefined ? {} : { modified: `${modified.replace(/Z$/, '')}Z` }),
  });
}

const metricTypes = [
  ['cvssMetricV40', 'CVSS_V4'],
  ['cvssMetricV31', 'CVSS_V3'],
  ['cvssMetricV30', 'CVSS_V3'],
  ['cvssMetricV2', 'CVSS_V2'],
] as const;

function severitiesOf(cve: JsonObject): OsvSeverity[] {
  const metrics = own(cve, 'metrics');
  if (!isJsonObject(metrics)) return [];
  return metricTypes.flatMap(([key, type]) => {
    const list = objects(own(metrics, key));
    const main = list.find((one) => text(one, 'type') === 'Primary') ?? list[0];
    const data = main === undefined ? undefined : own(main, 'cvssData');
    const score = isJsonObject(data) ? text(data, 'vectorString') : undefined;
    return score === undefined ? [] : [{ type, score }];
  });
}

/** What is said to be vulnerable; what it has to run on is left open. */
function affectedBy(cve: JsonObject): OsvAffected[] {
  const nodes = objects(own(cve, 'configurations')).flatMap((one) => objects(own(one, 'nodes')));
  const matches = nodes
    .filter((node) => own(node, 'negate') !== true)
    .flatMap((node) => objects(own(node, 'cpeMatch')))
    .filter((match) => own(match, 'vulnerable') === true);
  return matches.flatMap((match) => {
    const cpe = parseCpe(text(match, 'criteria') ?? '');
    const isNamed =
      cpe?.part === 'a' && !['*', '-'].includes(cpe.vendor) && !['*', '-'].includes(cpe.product);
    return cpe === undefined || !isNamed ? [] : entryOf(cpe, match);
  });
}

function entryOf(cpe: Cpe, match: JsonObject): OsvAffected[] {
  const name = cpeName(cpe);
  if (cpe.version === '-') return [];
  if (cpe.version !== '*') {
    const isPlain = cpe.update === '*' || cpe.update === '-';
    const version = isPlain ? cpe.version : `${cpe.version}-${cpe.update}`;
    return [feedEntry(CPE_ECOSYSTEM, name, undefined, { ranges: [], versions: [version] })];
  }
  const start = text(match, 'versionStartIncluding') ?? text(match, 'versionStartExcluding') ?? '0';
  const fixed = text(match, 'versionEndExcluding');
  const lastAffected = text(match, 'versionEndIncluding');
  const events: OsvEvent[] = [{ introduced: start }];
  if (fixed !== undefined) events.push({ fixed });
  else if (lastAffected !== undefined) events.push({ lastAffected });
  return [feedEntry(CPE_ECOSYSTEM, name, undefined, { ranges: [{ type: 'ECOSYSTEM', events }] })];
}

/** The name of a product in a database: `haxx:curl`, `jquery:jquery@node.js`. */
export function cpeName({ vendor, product, targetSoftware }: Cpe): string {
  const isOpen = targetSoftware === '*' || targetSoftware === '-';
  return `${vendor}:${product}${isOpen ? '' : `@${targetSoftware}`}`;
}
