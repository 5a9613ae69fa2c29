/**
 * OVAL definitions of Red Hat, Oracle, SUSE and Ubuntu: definition → criteria → tests → (object: package names,
 * state: a version it is older than). What a test says beyond that (signing keys, kernels that run) is about a
 * machine, not a package, and is left out.
 */
import { XMLParser } from 'fast-xml-parser';
import type { OsvAffected, OsvRecord } from '#formats/osv';
import { feedEntry, feedRecord, isCve } from './feed-record.ts';

type Xml = Record<string, unknown>;

const isXml = (value: unknown): value is Xml =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const list = (value: unknown): readonly Xml[] =>
  (Array.isArray(value) ? value : value === undefined ? [] : [value]).filter(isXml);
const child = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((at, name) => (isXml(at) ? at[name] : undefined), value);
const text = (value: unknown): string | undefined => {
  const found = isXml(value) ? value['#text'] : value;
  return typeof found === 'string' && found.trim() !== '' ? found.trim() : undefined;
};
const attribute = (value: unknown, name: string): string | undefined => text(child(value, `@${name}`));

/** The tests, objects, states and variables of a document by id. */
interface Tables {
  readonly tests: ReadonlyMap<string, Xml>;
  readonly objects: ReadonlyMap<string, Xml>;
  readonly states: ReadonlyMap<string, Xml>;
  readonly variables: ReadonlyMap<string, Xml>;
}

/** Undefined for a text that holds no OVAL definitions. Entities beyond XML's own five are not expanded. */
export function readOval(source: string): readonly OsvRecord[] | undefined {
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    removeNSPrefix: true,
    parseTagValue: false,
    parseAttributeValue: false,
    processEntities: true,
  });
  let root: unknown;
  try {
    root = child(parser.parse(source.replace(/<!DOCTYPE[^>]*>/i, '')), 'oval_definitions');
  } catch {
    return undefined;
  }
  const definitions = list(child(root, 'definitions', 'definition'));
  if (definitions.length === 0) return undefined;
  const tables: Tables = {
    tests: byId(child(root, 'tests')),
    objects: byId(child(root, 'objects')),
    states: byId(child(root, 'states')),
    variables: byId(child(root, 'variables')),
  };
  return definitions.flatMap((one) => recordOf(one, tables));
}

/** Elements of any name below a section, by their id. */
function byId(section: unknown): ReadonlyMap<string, Xml> {
  const all = isXml(section) ? Object.values(section).flatMap(list) : [];
  return new Map(all.map((one) => [attribute(one, 'id') ?? '', one]));
}

function recordOf(definition: Xml, tables: Tables): OsvRecord[] {
  if (attribute(definition, 'class') === 'inventory') return [];
  const metadata = child(definition, 'metadata');
  const title = text(child(metadata, 'title')) ?? '';
  const references = list(child(metadata, 'reference'));
  const ids = references.flatMap((one) => attribute(one, 'ref_id') ?? []);
  const cves = [...new Set([...ids, ...cvesOf(metadata)].filter(isCve))].sort();
  const own = /\b(RH[SBE]A-\d+:\d+|EL[SBE]A-\d+-\d+|USN-\d+-\d+|SUSE-[SRF]U-[\d:-]+|CVE-\d+-\d+)/.exec(
    title,
  )?.[1];
  const id = own ?? ids[0];
  if (id === undefined || /^(?:RH|EL)[BE]A-/.test(id)) return [];
  const ecosystem = platformsOf(metadata)
    .map(ecosystemOf)
    .find((one) => one !== undefined);
  if (ecosystem === undefined) return [];
  const severity = text(child(metadata, 'advisory', 'severity')) ?? /- (\w+)\.?$/.exec(title)?.[1];
  const affected = packagesOf(definition['criteria'], tables).map(({ name, fixed, module }) =>
    feedEntry(ecosystem, name, fixed, {
      ...(severity === undefined ? {} : { databaseSpecific: { severity } }),
      ...(module === undefined ? {} : { module }),
    }),
  );
  if (affected.length === 0) return [];
  const isProblem = isCve(id);
  const issued = attribute(child(metadata, 'advisory', 'issued'), 'date');
  return [
    feedRecord(isProblem ? `${ecosystem.split(/[: ]/)[0]?.toUpperCase()}-${id}` : id, {
      aliases: isProblem ? [id] : [],
      related: isProblem ? [] : cves,
      summary: title.replace(/\s+/g, ' ').slice(0, 300),
      ...(issued === undefined ? {} : { published: issued }),
      affected: unique(affected),
    }),
  ];
}

const cvesOf = (metadata: unknown): string[] => texts(child(metadata, 'advisory', 'cve'));

/** One element, or several of one name. */
const texts = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).flatMap((one) => text(one) ?? []);

function platformsOf(metadata: unknown): string[] {
  return list(child(metadata, 'affected')).flatMap((one) => texts(child(one, 'platform')));
}

function ecosystemOf(platform: string): string | undefined {
  const forms: readonly (readonly [RegExp, string])[] = [
    [/^Red Hat Enterprise Linux (\d+)/, 'Red Hat:'],
    [/^Oracle Linux (\d+)/, 'Oracle Linux:'],
    [/^Ubuntu (\d+\.\d+)/, 'Ubuntu:'],
    [/^Amazon Linux (\d+)/, 'Amazon Linux:'],
    [/^openSUSE Leap (\d+\.\d+)/, 'openSUSE:Leap '],
  ];
  for (const [form, prefix] of forms) {
    const release = form.exec(platform)?.[1];
    if (release !== undefined) return `${prefix}${release}`;
  }
  const suse = /^SUSE Linux Enterprise .*?(\d+)(?: SP(\d+))?$/.exec(platform);
  if (suse === null) return undefined;
  return `SUSE:${suse[1]}${suse[2] === undefined ? '' : `.${suse[2]}`}`;
}

interface Found {
  readonly name: string;
  readonly fixed: string;
  readonly module: string | undefined;
}

/** A module named beside packages, or around them, holds for all of them. */
function packagesOf(criteria: unknown, tables: Tables, outer?: string): Found[] {
  return list(criteria).flatMap((one) => {
    const criterions = list(one['criterion']);
    const comments = criterions.map((item) => attribute(item, 'comment') ?? '');
    const module =
      comments.map((comment) => /^Module (\S+) is enabled/.exec(comment)?.[1]).find(Boolean) ?? outer;
    const own = criterions.flatMap((item) => {
      const test = tables.tests.get(attribute(item, 'test_ref') ?? '');
      return test === undefined ? [] : testedPackages(test, tables, module);
    });
    return [...own, ...packagesOf(one['criteria'], tables, module)];
  });
}

function testedPackages(test: Xml, tables: Tables, module: string | undefined): Found[] {
  const state = tables.states.get(attribute(test['state'], 'state_ref') ?? '');
  const evr = child(state, 'evr');
  const fixed = text(evr);
  if (fixed === undefined || attribute(evr, 'operation') !== 'less than') return [];
  const object = tables.objects.get(attribute(test['object'], 'object_ref') ?? '');
  return namesOf(child(object, 'name'), tables).map((name) => ({ name, fixed, module }));
}

/** A name, or the values of the variable it refers to. */
function namesOf(name: unknown, tables: Tables): string[] {
  const own = text(name);
  if (own !== undefined) return [own];
  return texts(child(tables.variables.get(attribute(name, 'var_ref') ?? ''), 'value'));
}

function unique(entries: readonly OsvAffected[]): OsvAffected[] {
  return [...new Map(entries.map((one) => [JSON.stringify(one), one])).values()];
}
