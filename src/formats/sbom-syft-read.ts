/** Syft's own JSON in (schema 11 and later). */
import type { JsonObject } from './json.ts';
import { comparePackages, type Distro, type Sbom, type SbomSubject, type Unknown } from './sbom.ts';
import { PackageList, readNamed } from './sbom-named.ts';
import {
  addTo,
  digestOrNone,
  distroOfPurls,
  given,
  linkPackages,
  listed,
  object,
  objects,
  sourceOfPurl,
  sourceOfRpm,
  text,
  texts,
} from './sbom-parts.ts';
import { purlTypeOf } from './sbom-syft-words.ts';

/** What has no name or version becomes an unknown. */
export function readSyft(json: JsonObject): Sbom {
  const packages = new PackageList();
  const owners = new Map<string, string>();
  const edges = new Map<string, string[]>();
  for (const one of objects(json, 'artifactRelationships')) {
    const [parent = '', child = ''] = [text(one, 'parent'), text(one, 'child')];
    const type = text(one, 'type');
    if (type === 'dependency-of') addTo(edges, child, [parent]);
    else if (type === 'ownership-by-file-overlap') owners.set(child, parent);
  }
  const descriptor = object(json, 'descriptor');
  const isOwn = text(descriptor, 'name') === 'waybill';
  for (const one of listed(json, 'artifacts')) {
    readArtifact(one, owners.get(text(one, 'id') ?? ''), isOwn, packages);
  }
  const linked = linkPackages(packages.all, edges);
  return {
    subject: readSource(object(json, 'source')),
    ...given('distro', readDistro(object(json, 'distro')) ?? distroOfPurls(linked)),
    packages: linked.sort(comparePackages),
    layers: [],
    unknowns: [...objects(json, 'files').flatMap(unreadIn), ...packages.unknowns],
    tool: { name: text(descriptor, 'name') ?? 'unknown', version: text(descriptor, 'version') ?? '' },
  };
}

/** What could not be read of one file: the name of a cataloguer, and why. */
function unreadIn(file: JsonObject): Unknown[] {
  const path = (text(object(file, 'location'), 'path') ?? '').replace(/^\//, '');
  return texts(file, 'unknowns').map((one) => {
    const [, wantedBy = 'sbom', reason = one] = /^([\w-]+): (.*)$/s.exec(one) ?? [];
    return { path, wantedBy, reason };
  });
}

function readArtifact(
  one: JsonObject,
  ownedBy: string | undefined,
  isOwn: boolean,
  packages: PackageList,
): void {
  const metadata = object(one, 'metadata');
  const type = text(one, 'type');
  const read = readNamed({
    name: text(one, 'name'),
    version: text(one, 'version'),
    purl: text(one, 'purl'),
    foundBy: text(one, 'foundBy'),
    ...given('type', type === undefined ? undefined : purlTypeOf(type)),
    id: text(one, 'id'),
    isOwn,
  });
  const ref = text(one, 'id') ?? '';
  if (read === undefined) {
    packages.unnamed('artifact', text(one, 'name') ?? ref);
    return;
  }
  const cpes = [...texts(one, 'cpes'), ...objects(one, 'cpes').flatMap((cpe) => text(cpe, 'cpe') ?? [])];
  const source = text(metadata, 'source') ?? text(metadata, 'originPackage');
  const sourceVersion = text(metadata, 'sourceVersion');
  packages.add(ref, read, {
    locations: objects(one, 'locations').map((place) => ({
      path: (text(place, 'path') ?? '').replace(/^\/+/, ''),
      ...given('layer', digestOrNone(text(place, 'layerID'))),
    })),
    licenses: [
      ...texts(one, 'licenses'),
      ...objects(one, 'licenses').flatMap((license) => text(license, 'value') ?? []),
    ],
    ...given(
      'supplier',
      text(metadata, 'maintainer') ?? text(metadata, 'vendor') ?? text(metadata, 'author'),
    ),
    ...given('architecture', text(metadata, 'architecture') ?? read.purl?.qualifiers.get('arch')),
    ...(source === undefined
      ? { ...given('source', sourceOfRpm(text(metadata, 'sourceRpm') ?? '')), ...sourceOfPurl(read.purl) }
      : { source: { name: source, ...given('version', sourceVersion) } }),
    ...(cpes.length === 0 ? {} : { cpes }),
    dependsOn: [],
    ...given('ownedBy', ownedBy),
  });
}

function readDistro(distro: JsonObject | undefined): Distro | undefined {
  const id = text(distro, 'id');
  if (id === undefined) return undefined;
  return {
    id,
    ...given('versionId', text(distro, 'versionID')),
    idLike: texts(distro, 'idLike'),
    ...given('prettyName', text(distro, 'prettyName')),
  };
}

function readSource(source: JsonObject | undefined): SbomSubject {
  const metadata = object(source, 'metadata');
  const digest = digestOrNone(text(metadata, 'manifestDigest') ?? text(source, 'version'));
  const isFolder = text(source, 'type') === 'directory';
  return {
    name: text(source, 'name') ?? 'unnamed',
    ...(isFolder ? { kind: 'folder' as const } : {}),
    ...given('digest', digest),
    ...given('os', text(metadata, 'os')),
    ...given('architecture', text(metadata, 'architecture')),
  };
}
