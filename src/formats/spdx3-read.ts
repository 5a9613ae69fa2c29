/** SPDX 3.0 JSON-LD in: the graph as tools write it, by its own context only. */
import { fail } from '#base/reason';
import { isJsonObject, type JsonObject, own } from './json.ts';
import { R } from './reasons-sbom.ts';
import { comparePackages, type Sbom, type SbomSubject } from './sbom.ts';
import { namesPackage, PackageList, readNamed } from './sbom-named.ts';
import { imageInNotes, type Notes, packageInNotes, placesIn, unknownsInNotes } from './sbom-notes.ts';
import {
  addTo,
  digestOrNone,
  distroOfPurls,
  given,
  hashText,
  isHolder,
  linkPackages,
  listed,
  objects,
  sourceOfPurl,
  text,
  texts,
} from './sbom-parts.ts';
import { toolOf } from './spdx-read.ts';
import { edgesOf, openEnds, ownersOf, type SpdxRelation } from './spdx-relations.ts';

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
  const relations = graph.filter((one) => text(one, 'from') !== undefined).map(relationOf);
  const licenses = declaredLicenses(relations, elements);
  const roots = rootsOf(graph, elements);
  const packages = new PackageList();
  const notes = notesOf(graph);
  const [toolId] = texts(info, 'createdUsing');
  const tool = toolOf(text(elements.get(toolId ?? ''), 'name'));
  const isOwn = tool.name === 'waybill';
  let subject: SbomSubject | undefined;
  for (const one of graph.filter((element) => text(element, 'type') === 'software_Package')) {
    const ref = idOf(one);
    if (roots.has(ref)) {
      subject ??= readSubject(one);
      if (!namesPackage(purlOf(one))) continue;
    }
    readPackage(
      one,
      { elements, licenses: licenses.get(ref) ?? [], notes: notes.get(ref) ?? [], isOwn },
      packages,
    );
  }
  const linked = linkPackages(packages.all, edgesOf(relations), ownersOf(relations));
  const document = graph.find((one) => text(one, 'type') === 'SpdxDocument');
  const all = [...notes.values()].flat();
  const image = imageInNotes(all);
  return {
    subject: { ...(subject ?? { name: text(document, 'name') ?? 'unnamed' }), ...image.subject },
    ...given('distro', image.distro ?? distroOfPurls(linked)),
    packages: linked.sort(comparePackages),
    layers: [],
    unknowns: [...unknownsInNotes(all), ...openEnds(relations, 'incomplete'), ...packages.unknowns],
    ...given('created', text(info, 'created')),
    ...given('context', contextOf(graph)),
    tool,
  };
}

/** Texts of annotations, by what they are about. */
function notesOf(graph: readonly JsonObject[]): Map<string, string[]> {
  const notes = new Map<string, string[]>();
  for (const one of graph) {
    const statement = text(one, 'type') === 'Annotation' ? text(one, 'statement') : undefined;
    if (statement === undefined) continue;
    const about = text(one, 'subject') ?? '';
    addTo(notes, about, [statement]);
  }
  return notes;
}

const relationOf = (one: JsonObject): SpdxRelation => ({
  type: text(one, 'relationshipType') ?? '',
  from: text(one, 'from') ?? '',
  to: texts(one, 'to'),
  ...given('comment', text(one, 'comment')),
  isOpen: text(one, 'completeness') === 'incomplete',
});

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

const identifiersOf = (one: JsonObject, type: string): string[] =>
  objects(one, 'externalIdentifier')
    .filter((entry) => text(entry, 'externalIdentifierType') === type)
    .map((entry) => text(entry, 'identifier') ?? '');

const purlOf = (one: JsonObject): string | undefined =>
  text(one, 'software_packageUrl') ?? identifiersOf(one, 'packageUrl')[0];

interface Around {
  readonly elements: ReadonlyMap<string, JsonObject>;
  readonly licenses: readonly string[];
  readonly notes: Notes;
  readonly isOwn: boolean;
}

function readPackage(
  one: JsonObject,
  { elements, licenses, notes, isOwn }: Around,
  packages: PackageList,
): void {
  const ref = idOf(one);
  const facts = packageInNotes(notes);
  const { foundBy, locations } = placesIn(isOwn ? text(one, 'software_sourceInfo') : undefined);
  const read = readNamed({
    name: text(one, 'name'),
    version: text(one, 'software_packageVersion'),
    purl: purlOf(one),
    foundBy,
    type: facts.type,
    ...(isOwn ? { id: /#package-([0-9a-f]{16})$/.exec(ref)?.[1] } : {}),
    isOwn,
  });
  if (read === undefined) {
    if (!isHolder(text(one, 'software_primaryPurpose')))
      packages.unnamed('package', text(one, 'name') ?? ref);
    return;
  }
  const cpes = identifiersOf(one, 'cpe23');
  const hashes = objects(one, 'verifiedUsing')
    .map((hash) => hashText(text(hash, 'algorithm'), text(hash, 'hashValue')))
    .filter((hash) => hash !== undefined);
  packages.add(ref, read, {
    locations,
    licenses,
    ...given('supplier', text(elements.get(text(one, 'suppliedBy') ?? ''), 'name')),
    ...given('description', text(one, 'summary')),
    ...given('homepage', text(one, 'software_homePage')),
    ...given('architecture', read.purl?.qualifiers.get('arch')),
    ...sourceOfPurl(read.purl),
    ...(cpes.length === 0 ? {} : { cpes }),
    ...(hashes.length === 0 ? {} : { hashes }),
    dependsOn: [],
    ...facts.rest,
  });
}

/** Declared licences of each package. */
function declaredLicenses(
  relations: readonly SpdxRelation[],
  elements: ReadonlyMap<string, JsonObject>,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { type, from, to } of relations) {
    if (type !== 'hasDeclaredLicense') continue;
    addTo(
      found,
      from,
      to.flatMap((id) => licenseName(elements.get(id)) ?? []),
    );
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
