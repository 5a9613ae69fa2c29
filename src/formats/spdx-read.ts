/** SPDX 2.2 and 2.3 JSON in. */
import { fail } from '#base/reason';
import type { JsonObject } from './json.ts';
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
  object,
  objects,
  readNamed,
  sourceOfPurl,
  text,
  texts,
  unknownsInNotes,
  unnamed,
} from './sbom-parts.ts';

/** Throws WB-192 for a version that is not known. */
export function readSpdx(json: JsonObject): Sbom {
  const version = text(json, 'spdxVersion');
  if (version !== 'SPDX-2.3' && version !== 'SPDX-2.2') {
    throw fail(R.sbom, { expected: 'SPDX 2.2 or 2.3', actual: version ?? 'none' });
  }
  const relationships = objects(json, 'relationships');
  const described = new Set([
    ...texts(json, 'documentDescribes'),
    ...relationships
      .filter((one) => text(one, 'relationshipType') === 'DESCRIBES')
      .map((one) => text(one, 'relatedSpdxElement')),
  ]);
  const extracted = new Map(
    objects(json, 'hasExtractedLicensingInfos').map(
      (one) => [text(one, 'licenseId'), text(one, 'name')] as const,
    ),
  );
  const packages: { ref: string; found: SbomPackage }[] = [];
  let subject: SbomSubject = { name: text(json, 'name') ?? 'unnamed' };
  let distro: Sbom['distro'];
  const unknowns: Unknown[] = [];
  for (const one of listed(json, 'packages')) {
    const ref = text(one, 'SPDXID') ?? '';
    const found = readPackage(one, extracted);
    const purpose = text(one, 'primaryPackagePurpose');
    if (described.has(ref)) subject = readSubject(one, found);
    else if (/^OPERATING[-_]SYSTEM$/.test(purpose ?? '')) {
      distro = {
        id: text(one, 'name') ?? 'linux',
        ...given('versionId', text(one, 'versionInfo')),
        idLike: [],
      };
    } else if (found !== undefined) packages.push({ ref, found });
    else if (!isHolder(purpose)) unknowns.push(unnamed('package', text(one, 'name') ?? ref));
  }
  const linked = linkPackages(packages, edgesOf(relationships));
  const tool = texts(object(json, 'creationInfo'), 'creators').find((one) => one.startsWith('Tool: '));
  return {
    subject,
    ...given('distro', distro ?? distroOfPurls(linked)),
    packages: linked.sort(comparePackages),
    layers: [],
    unknowns: [
      ...unknownsInNotes(objects(json, 'annotations').map((one) => text(one, 'comment'))),
      ...unknowns,
    ],
    ...given('created', text(object(json, 'creationInfo'), 'created')),
    tool: toolOf(tool?.slice('Tool: '.length)),
  };
}

/** `name-1.2.3`. */
export function toolOf(full: string | undefined): Sbom['tool'] {
  const match = /^(.+)-(v?\d[^-]*(?:-[^-]+)*)$/.exec(full ?? '');
  return match === null
    ? { name: full ?? 'unknown', version: '' }
    : { name: match[1] as string, version: match[2] as string };
}

function edgesOf(relationships: readonly JsonObject[]): Map<string, string[]> {
  const edges = new Map<string, string[]>();
  for (const one of relationships) {
    const [from = '', to = ''] = [text(one, 'spdxElementId'), text(one, 'relatedSpdxElement')];
    const type = text(one, 'relationshipType');
    if (type === 'DEPENDS_ON') edges.set(from, [...(edges.get(from) ?? []), to]);
    else if (type === 'DEPENDENCY_OF') edges.set(to, [...(edges.get(to) ?? []), from]);
  }
  return edges;
}

function readPackage(
  one: JsonObject,
  extracted: ReadonlyMap<string | undefined, string | undefined>,
): SbomPackage | undefined {
  const references = objects(one, 'externalRefs');
  const locators = (type: string): string[] =>
    references
      .filter((ref) => text(ref, 'referenceType') === type)
      .map((ref) => text(ref, 'referenceLocator') ?? '');
  const read = readNamed({
    name: text(one, 'name'),
    version: text(one, 'versionInfo'),
    purl: locators('purl')[0],
  });
  if (read === undefined) return undefined;
  const declared = text(one, 'licenseDeclared');
  const hashes = objects(one, 'checksums')
    .map((sum) => hashText(text(sum, 'algorithm'), text(sum, 'checksumValue')))
    .filter((hash) => hash !== undefined);
  const cpes = locators('cpe23Type');
  const supplier = /^(?:Organization|Person): (.+)$/.exec(text(one, 'supplier') ?? '')?.[1];
  const homepage = text(one, 'homepage');
  return {
    ...read.core,
    locations: [],
    licenses:
      declared === undefined || declared === 'NOASSERTION' || declared === 'NONE'
        ? []
        : [extracted.get(declared) ?? declared],
    ...given('supplier', supplier),
    ...given('description', text(one, 'summary') ?? text(one, 'description')),
    ...given('homepage', homepage === 'NOASSERTION' || homepage === 'NONE' ? undefined : homepage),
    ...given('architecture', read.purl?.qualifiers.get('arch')),
    ...sourceOfPurl(read.purl),
    ...(cpes.length === 0 ? {} : { cpes }),
    ...(hashes.length === 0 ? {} : { hashes }),
    dependsOn: [],
  };
}

function readSubject(one: JsonObject, found: SbomPackage | undefined): SbomSubject {
  const sums = objects(one, 'checksums').map((sum) =>
    digestOrNone(`${(text(sum, 'algorithm') ?? '').toLowerCase()}:${text(sum, 'checksumValue') ?? ''}`),
  );
  const digest =
    sums.find((sum) => sum !== undefined) ?? digestOrNone(found?.version ?? text(one, 'versionInfo'));
  return { name: text(one, 'name') ?? 'unnamed', ...(digest === undefined ? {} : { digest }) };
}
