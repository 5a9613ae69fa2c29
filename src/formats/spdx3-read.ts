/** SPDX 3.0 JSON-LD in: the graph as tools write it, by its own context only. */
import { fail } from '#base/reason';
import { isJsonObject, type JsonObject, own } from './json.ts';
import { R } from './reasons-sbom.ts';
import { comparePackages, type Sbom, type SbomPackage, type SbomSubject, type Unknown } from './sbom.ts';
import {
  digestOrNone,
  distroOfPurls,
  given,
  hashText,
  isHolder,
  linkPackages,
  listed,
  objects,
  readNamed,
  sourceOfPurl,
  text,
  texts,
  unknownsInNotes,
  unnamed,
} from './sbom-parts.ts';
import { toolOf } from './spdx-read.ts';

const idOf = (one: JsonObject): string => text(one, 'spdxId') ?? text(one, '@id') ?? '';

/** Throws WB-192 for a graph without a version of SPDX 3.0. */
export function readSpdx3(json: JsonObject): Sbom {
  const graph = listed(json, '@graph');
  const info = graph.find((one) => text(one, 'type') === 'CreationInfo');
  const version = text(info, 'specVersion');
  if (version === undefined || !/^3\.0(?:\.\d+)?$/.test(version)) {
    throw fail(R.sbom, { expected: 'CreationInfo of SPDX 3.0', actual: version ?? 'none' });
  }
  const elements = new Map(graph.map((one) => [idOf(one), one]));
  const relationships = graph.filter((one) => text(one, 'from') !== undefined);
  const licenses = declaredLicenses(relationships, elements);
  const roots = rootsOf(graph, elements);
  const packages: { ref: string; found: SbomPackage }[] = [];
  const unknowns: Unknown[] = [];
  let subject: SbomSubject | undefined;
  for (const one of graph.filter((element) => text(element, 'type') === 'software_Package')) {
    const ref = idOf(one);
    if (roots.has(ref)) {
      subject ??= readSubject(one);
      continue;
    }
    const found = readPackage(one, elements, licenses.get(ref) ?? []);
    if (found !== undefined) packages.push({ ref, found });
    else if (!isHolder(text(one, 'software_primaryPurpose'))) {
      unknowns.push(unnamed('package', text(one, 'name') ?? ref));
    }
  }
  const linked = linkPackages(packages, edgesOf(relationships));
  const document = graph.find((one) => text(one, 'type') === 'SpdxDocument');
  const notes = graph
    .filter((one) => text(one, 'type') === 'Annotation')
    .map((one) => text(one, 'statement'));
  const [toolId] = texts(info, 'createdUsing');
  return {
    subject: subject ?? { name: text(document, 'name') ?? 'unnamed' },
    ...given('distro', distroOfPurls(linked)),
    packages: linked.sort(comparePackages),
    layers: [],
    unknowns: [...unknownsInNotes(notes), ...unknowns],
    ...given('created', text(info, 'created')),
    ...given('context', contextOf(graph)),
    tool: toolOf(text(elements.get(toolId ?? ''), 'name')),
  };
}

/** What the document or its SBOMs are about. A document that lists every package as a root is about none. */
function rootsOf(
  graph: readonly JsonObject[],
  elements: ReadonlyMap<string, JsonObject>,
): ReadonlySet<string> {
  const isPackage = (id: string): boolean => text(elements.get(id), 'type') === 'software_Package';
  for (const type of ['software_Sbom', 'SpdxDocument']) {
    const roots = graph
      .filter((one) => text(one, 'type') === type)
      .flatMap((one) => texts(one, 'rootElement'))
      .filter(isPackage);
    if (roots.length === 1) return new Set(roots);
  }
  return new Set();
}

/** `build`, `analyzed` … of the SBOM elements. */
const contextOf = (graph: readonly JsonObject[]): string | undefined =>
  graph.flatMap((one) => texts(one, 'software_sbomType'))[0];

function readSubject(one: JsonObject): SbomSubject {
  const hashes = objects(one, 'verifiedUsing').map((hash) =>
    digestOrNone(hashText(text(hash, 'algorithm'), text(hash, 'hashValue'))),
  );
  const digest =
    hashes.find((hash) => hash !== undefined) ?? digestOrNone(text(one, 'software_packageVersion'));
  return { name: text(one, 'name') ?? 'unnamed', ...given('digest', digest) };
}

function readPackage(
  one: JsonObject,
  elements: ReadonlyMap<string, JsonObject>,
  licenses: readonly string[],
): SbomPackage | undefined {
  const identifiers = (type: string): string[] =>
    objects(one, 'externalIdentifier')
      .filter((entry) => text(entry, 'externalIdentifierType') === type)
      .map((entry) => text(entry, 'identifier') ?? '');
  const purl = text(one, 'software_packageUrl') ?? identifiers('packageUrl')[0];
  const read = readNamed({ name: text(one, 'name'), version: text(one, 'software_packageVersion'), purl });
  if (read === undefined) return undefined;
  const cpes = identifiers('cpe23');
  const hashes = objects(one, 'verifiedUsing')
    .map((hash) => hashText(text(hash, 'algorithm'), text(hash, 'hashValue')))
    .filter((hash) => hash !== undefined);
  return {
    ...read.core,
    locations: [],
    licenses,
    ...given('supplier', text(elements.get(text(one, 'suppliedBy') ?? ''), 'name')),
    ...given('description', text(one, 'summary')),
    ...given('homepage', text(one, 'software_homePage')),
    ...given('architecture', read.purl?.qualifiers.get('arch')),
    ...sourceOfPurl(read.purl),
    ...(cpes.length === 0 ? {} : { cpes }),
    ...(hashes.length === 0 ? {} : { hashes }),
    dependsOn: [],
  };
}

function edgesOf(relationships: readonly JsonObject[]): Map<string, string[]> {
  const edges = new Map<string, string[]>();
  for (const one of relationships) {
    if (text(one, 'relationshipType') !== 'dependsOn') continue;
    const from = text(one, 'from') ?? '';
    edges.set(from, [...(edges.get(from) ?? []), ...texts(one, 'to')]);
  }
  return edges;
}

/** Declared licences of each package. */
function declaredLicenses(
  relationships: readonly JsonObject[],
  elements: ReadonlyMap<string, JsonObject>,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const one of relationships) {
    if (text(one, 'relationshipType') !== 'hasDeclaredLicense') continue;
    const names = texts(one, 'to').flatMap((id) => licenseName(elements.get(id)) ?? []);
    const from = text(one, 'from') ?? '';
    found.set(from, [...(found.get(from) ?? []), ...names]);
  }
  return found;
}

function licenseName(element: JsonObject | undefined): string | undefined {
  const expression = text(element, 'simplelicensing_licenseExpression');
  if (element === undefined || expression === undefined || expression === 'NOASSERTION') return undefined;
  const custom = own(element, 'simplelicensing_customIdToUri');
  const [entry] = Array.isArray(custom) ? custom : [];
  const uri = isJsonObject(entry) && text(entry, 'key') === expression ? text(entry, 'value') : undefined;
  const name = /^https:\/\/waybill\.dev\/spdx3\/license\/(.+)$/.exec(uri ?? '')?.[1];
  return name === undefined ? expression : decodeURIComponent(name);
}
