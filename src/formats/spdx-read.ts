/** SPDX 2.2 and 2.3 JSON in. */
import { fail } from '#base/reason';
import type { JsonObject } from './json.ts';
import { R } from './reasons-sbom.ts';
import { comparePackages, type Sbom, type SbomSubject } from './sbom.ts';
import { namesPackage, PackageList, readNamed } from './sbom-named.ts';
import { imageInNotes, type Notes, packageInNotes, placesIn, unknownsInNotes } from './sbom-notes.ts';
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
  sourceOfPurl,
  text,
  texts,
} from './sbom-parts.ts';
import { edgesOf, openEnds, ownersOf, type SpdxRelation } from './spdx-relations.ts';

/** Throws WB-192 for a version that is not known. */
export function readSpdx(json: JsonObject): Sbom {
  const version = text(json, 'spdxVersion');
  if (version !== 'SPDX-2.3' && version !== 'SPDX-2.2') {
    throw fail(R.sbom, { expected: 'SPDX 2.2 or 2.3', actual: version ?? 'none' });
  }
  const relations = objects(json, 'relationships').map(relationOf);
  const described = new Set([
    ...texts(json, 'documentDescribes'),
    ...relations.filter(({ type }) => type === 'describes').flatMap(({ to }) => to),
  ]);
  const extracted = new Map(
    objects(json, 'hasExtractedLicensingInfos').map(
      (one) => [text(one, 'licenseId'), text(one, 'name')] as const,
    ),
  );
  const creators = texts(object(json, 'creationInfo'), 'creators');
  const tool = toolOf(creators.find((one) => one.startsWith('Tool: '))?.slice('Tool: '.length));
  const packages = new PackageList();
  let subject: SbomSubject = { name: text(json, 'name') ?? 'unnamed' };
  let distro: Sbom['distro'];
  for (const one of listed(json, 'packages')) {
    const isRoot = described.has(text(one, 'SPDXID') ?? '') && described.size === 1;
    const isSystem = /^OPERATING[-_]SYSTEM$/.test(text(one, 'primaryPackagePurpose') ?? '');
    if (isRoot) subject = readSubject(one);
    if (isSystem) {
      distro = {
        id: text(one, 'name') ?? 'linux',
        ...given('versionId', text(one, 'versionInfo')),
        idLike: [],
      };
    }
    if ((isRoot || isSystem) && !namesPackage(locators(one, 'purl')[0])) continue;
    readPackage(one, extracted, tool.name === 'waybill', packages);
  }
  const linked = linkPackages(packages.all, edgesOf(relations), ownersOf(relations));
  const notes = notesOf(json);
  const image = imageInNotes(notes);
  return {
    subject: { ...subject, ...image.subject },
    ...given('distro', image.distro ?? distro ?? distroOfPurls(linked)),
    packages: linked.sort(comparePackages),
    layers: [],
    unknowns: [
      ...unknownsInNotes(notes),
      ...openEnds(relations, 'unknown (NOASSERTION)'),
      ...packages.unknowns,
    ],
    ...given('created', text(object(json, 'creationInfo'), 'created')),
    tool,
  };
}

const notesOf = (one: JsonObject): Notes => objects(one, 'annotations').map((note) => text(note, 'comment'));

/** In the words of SPDX 3.0. */
function relationOf(one: JsonObject): SpdxRelation {
  const [from = '', to = ''] = [text(one, 'spdxElementId'), text(one, 'relatedSpdxElement')];
  const stated = text(one, 'relationshipType') ?? '';
  const comment = given('comment', text(one, 'comment'));
  const isOpen = to === 'NOASSERTION';
  if (stated === 'DEPENDENCY_OF')
    return { type: 'dependsOn', from: to, to: [from], isOpen: false, ...comment };
  const type = stated.toLowerCase().replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
  return { type, from, to: [to], isOpen, ...comment };
}

const locators = (one: JsonObject, type: string): string[] =>
  objects(one, 'externalRefs')
    // SPDX 2.2 and its examples write the type as an address.
    .filter(
      (ref) => text(ref, 'referenceType')?.replace(/^https?:\/\/spdx\.org\/rdf\/references\//, '') === type,
    )
    .map((ref) => text(ref, 'referenceLocator') ?? '');

/** `name-1.2.3`. */
export function toolOf(full: string | undefined): Sbom['tool'] {
  const match = /^(.+)-(v?\d[^-]*(?:-[^-]+)*)$/.exec(full ?? '');
  return match === null
    ? { name: full ?? 'unknown', version: '' }
    : { name: match[1] as string, version: match[2] as string };
}

function readPackage(
  one: JsonObject,
  extracted: ReadonlyMap<string | undefined, string | undefined>,
  isOwn: boolean,
  packages: PackageList,
): void {
  const ref = text(one, 'SPDXID') ?? '';
  const facts = packageInNotes(notesOf(one));
  const { foundBy, locations } = placesIn(isOwn ? text(one, 'sourceInfo') : undefined);
  const read = readNamed({
    name: text(one, 'name'),
    version: text(one, 'versionInfo'),
    purl: locators(one, 'purl')[0],
    foundBy,
    type: facts.type,
    ...(isOwn ? { id: /^SPDXRef-Package-([0-9a-f]{16})$/.exec(ref)?.[1] } : {}),
    isOwn,
  });
  if (read === undefined) {
    if (!isHolder(text(one, 'primaryPackagePurpose'))) packages.unnamed('package', text(one, 'name') ?? ref);
    return;
  }
  const declared = text(one, 'licenseDeclared');
  const hashes = objects(one, 'checksums')
    .map((sum) => hashText(text(sum, 'algorithm'), text(sum, 'checksumValue')))
    .filter((hash) => hash !== undefined);
  const cpes = locators(one, 'cpe23Type');
  const supplier = /^(?:Organization|Person): (.+)$/.exec(text(one, 'supplier') ?? '')?.[1];
  const homepage = text(one, 'homepage');
  packages.add(ref, read, {
    locations,
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
    ...facts.rest,
  });
}

function readSubject(one: JsonObject): SbomSubject {
  const sums = objects(one, 'checksums').map((sum) =>
    digestOrNone(`${(text(sum, 'algorithm') ?? '').toLowerCase()}:${text(sum, 'checksumValue') ?? ''}`),
  );
  const digest = sums.find((sum) => sum !== undefined) ?? digestOrNone(text(one, 'versionInfo'));
  return { name: text(one, 'name') ?? 'unnamed', ...(digest === undefined ? {} : { digest }) };
}
