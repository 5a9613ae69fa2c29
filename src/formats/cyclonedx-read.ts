/** CycloneDX 1.4–1.7 JSON in, with the properties Syft, Trivy and waybill write. */
import type { Digest } from '#base/brand';
import { fail } from '#base/reason';
import { isJsonObject, type JsonObject, own } from './json.ts';
import { type Purl, parsePurl } from './purl.ts';
import { R } from './reasons-sbom.ts';
import {
  comparePackages,
  type Distro,
  type Sbom,
  type SbomLayer,
  type SbomPackage,
  type SbomSubject,
  type Unknown,
} from './sbom.ts';
import { namesPackage, PackageList, readNamed } from './sbom-named.ts';
import {
  digestOrNone,
  distroOfPurls,
  given,
  hashText,
  incompleteBy,
  linkPackages,
  listed,
  object,
  objects,
  readUnknown,
  sourceOfPurl,
  text,
  texts,
} from './sbom-parts.ts';
import { purlTypeOf } from './sbom-syft-words.ts';

/** Throws WB-192 for a version that is not known. */
export function readCycloneDx(json: JsonObject): Sbom {
  const version = text(json, 'specVersion') ?? '';
  if (!/^1\.[4-7]$/.test(version)) {
    throw fail(R.sbom, { expected: 'CycloneDX 1.4, 1.5, 1.6 or 1.7', actual: `specVersion ${version}` });
  }
  const metadata = object(json, 'metadata');
  const root = object(metadata, 'component');
  const flat = flatten(listed(json, 'components'));
  const distro = flat.map(readSystem).find((one) => one !== undefined);
  const packages = new PackageList();
  for (const component of [...flat, ...partsOf(root, flat)]) readComponent(component, packages);
  const edges = objects(json, 'dependencies').map(
    (one) => [text(one, 'ref') ?? '', texts(one, 'dependsOn')] as const,
  );
  const properties = propertiesOf(metadata);
  const linked = linkPackages(packages.all, new Map(edges));
  return {
    subject: readSubject(root, properties),
    ...given('distro', distro ?? distroOfPurls(linked)),
    packages: linked.sort(comparePackages),
    layers: readLayers(properties),
    unknowns: [...readIncomplete(json, root, properties), ...packages.unknowns],
    ...given('created', text(metadata, 'timestamp')),
    ...given('context', text(objects(metadata, 'lifecycles')[0], 'phase')),
    tool: readTool(metadata),
  };
}

/** Components may nest; the depth is bounded by the JSON reader. */
function flatten(components: readonly JsonObject[]): JsonObject[] {
  return components.flatMap((one) => [one, ...flatten(listed(one, 'components'))]);
}

function propertiesOf(json: JsonObject | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const one of objects(json, 'properties')) {
    const name = text(one, 'name');
    const value = own(one, 'value');
    if (name !== undefined && typeof value === 'string') found.set(name, value);
  }
  return found;
}

/** What the document is about, where that is a package, and what is listed inside it. */
function partsOf(root: JsonObject | undefined, listedToo: readonly JsonObject[]): JsonObject[] {
  if (root === undefined) return [];
  const parts = flatten(listed(root, 'components'));
  const isPackage = namesPackage(text(root, 'purl'));
  const isKnown = [...listedToo, ...parts].some((one) => text(one, 'purl') === text(root, 'purl'));
  return isPackage && !isKnown ? [root, ...parts] : parts;
}

/** Files and operating systems are packages only where something names the package; Trivy's lists of them never. */
function isHolderOnly(component: JsonObject, properties: ReadonlyMap<string, string>): boolean {
  if (text(component, 'purl') !== undefined || text(component, 'cpe') !== undefined) return false;
  const type = text(component, 'type');
  const isList = text(component, 'version') === undefined && properties.has('aquasecurity:trivy:Class');
  return type === 'file' || type === 'operating-system' || isList;
}

function readComponent(component: JsonObject, packages: PackageList): void {
  const properties = propertiesOf(component);
  if (isHolderOnly(component, properties)) return;
  const syftType = properties.get('syft:package:type');
  const id = properties.get('waybill:id');
  const read = readNamed({
    name: text(component, 'name'),
    group: text(component, 'group'),
    version: text(component, 'version'),
    purl: text(component, 'purl'),
    foundBy: properties.get('syft:package:foundBy'),
    ...given('type', syftType === undefined ? undefined : purlTypeOf(syftType)),
    id,
    isOwn: id !== undefined,
  });
  const ref = text(component, 'bom-ref');
  if (read === undefined) {
    packages.unnamed('component', ref ?? text(component, 'name') ?? '');
    return;
  }
  const cpes = [text(component, 'cpe'), ...cpeProperties(component)].filter((one) => one !== undefined);
  const hashes = objects(component, 'hashes').map((one) => hashText(text(one, 'alg'), text(one, 'content')));
  const known = hashes.filter((one) => one !== undefined);
  const supplier =
    text(object(component, 'supplier'), 'name') ?? text(component, 'publisher') ?? text(component, 'author');
  const homepage = objects(component, 'externalReferences').find((one) => text(one, 'type') === 'website');
  packages.add(ref ?? read.core.id, read, {
    locations: readLocations(properties),
    licenses: objects(component, 'licenses').flatMap(readLicense),
    ...given('supplier', supplier),
    ...given('description', text(component, 'description')),
    ...given('homepage', text(homepage, 'url')),
    ...given(
      'architecture',
      properties.get('syft:metadata:architecture') ?? read.purl?.qualifiers.get('arch'),
    ),
    ...sourceOf(read.purl, properties),
    ...(cpes.length === 0 ? {} : { cpes }),
    ...(known.length === 0 ? {} : { hashes: known }),
    dependsOn: [],
    ...given('ownedBy', properties.get('waybill:ownedBy')),
  });
}

const cpeProperties = (component: JsonObject): (string | undefined)[] =>
  objects(component, 'properties')
    .filter((one) => text(one, 'name') === 'syft:cpe23')
    .map((one) => text(one, 'value'));

function readLicense(choice: JsonObject): string[] {
  const license = object(choice, 'license');
  const found = text(choice, 'expression') ?? text(license, 'id') ?? text(license, 'name');
  return found === undefined ? [] : [found];
}

function sourceOf(
  purl: Purl | undefined,
  properties: ReadonlyMap<string, string>,
): Pick<SbomPackage, 'source'> {
  const named =
    properties.get('syft:metadata:source') ??
    properties.get('syft:metadata:originPackage') ??
    properties.get('aquasecurity:trivy:SrcName');
  const version = properties.get('syft:metadata:sourceVersion') ?? trivySourceVersion(properties);
  if (named === undefined) return sourceOfPurl(purl);
  return { source: { name: named, ...(version === undefined ? {} : { version }) } };
}

/** Trivy keeps the parts of a version apart. */
function trivySourceVersion(properties: ReadonlyMap<string, string>): string | undefined {
  const part = (name: string): string | undefined => properties.get(`aquasecurity:trivy:Src${name}`);
  const [epoch, version, release] = [part('Epoch'), part('Version'), part('Release')];
  if (version === undefined) return undefined;
  const start = epoch === undefined || epoch === '0' ? '' : `${epoch}:`;
  return `${start}${version}${release === undefined ? '' : `-${release}`}`;
}

function readLocations(properties: ReadonlyMap<string, string>): SbomPackage['locations'] {
  const found: { path: string; layer?: Digest }[] = [];
  for (let i = 0; properties.has(`syft:location:${i}:path`); i++) {
    const layer = digestOrNone(properties.get(`syft:location:${i}:layerID`));
    const path = (properties.get(`syft:location:${i}:path`) as string).replace(/^\/+/, '');
    found.push({ path, ...(layer === undefined ? {} : { layer }) });
  }
  return found;
}

function readSystem(component: JsonObject): Distro | undefined {
  if (text(component, 'type') !== 'operating-system') return undefined;
  const properties = propertiesOf(component);
  const id = (properties.get('syft:distro:id') ?? text(component, 'name'))?.toLowerCase();
  if (id === undefined) return undefined;
  const versionId = properties.get('syft:distro:versionID') ?? text(component, 'version');
  const prettyName = properties.get('syft:distro:prettyName');
  const idLike: string[] = [];
  for (let i = 0; properties.has(`syft:distro:idLike:${i}`); i++) {
    idLike.push(properties.get(`syft:distro:idLike:${i}`) as string);
  }
  return {
    id,
    ...(versionId === undefined ? {} : { versionId }),
    idLike,
    ...(prettyName === undefined ? {} : { prettyName }),
  };
}

function readSubject(
  component: JsonObject | undefined,
  properties: ReadonlyMap<string, string>,
): SbomSubject {
  const hashes = objects(component, 'hashes').map((one) => {
    const algorithm = (text(one, 'alg') ?? '').toLowerCase().replace('-', '');
    return digestOrNone(`${algorithm}:${text(one, 'content') ?? ''}`);
  });
  const purl = parsePurl(text(component, 'purl') ?? '', { lenient: true });
  const ofPurl = purl.ok && purl.value.type === 'oci' ? digestOrNone(purl.value.version) : undefined;
  const digest =
    digestOrNone(text(component, 'version')) ?? ofPurl ?? hashes.find((one) => one !== undefined);
  const tag = purl.ok ? purl.value.qualifiers.get('tag') : undefined;
  const isFolder = text(component, 'type') === 'file';
  const os = properties.get('waybill:image:os');
  const architecture = properties.get('waybill:image:architecture');
  return {
    name: text(component, 'name') ?? 'unnamed',
    ...(isFolder ? { kind: 'folder' as const } : {}),
    ...(digest === undefined ? {} : { digest }),
    ...(tag === undefined ? {} : { tag }),
    ...(os === undefined ? {} : { os }),
    ...(architecture === undefined ? {} : { architecture }),
  };
}

function readLayers(properties: ReadonlyMap<string, string>): SbomLayer[] {
  const layers: SbomLayer[] = [];
  for (let i = 0; ; i++) {
    const digest = digestOrNone(properties.get(`waybill:layer:${i}:digest`));
    const diffId = digestOrNone(properties.get(`waybill:layer:${i}:diffId`));
    if (digest === undefined || diffId === undefined) return layers;
    const size = Number(properties.get(`waybill:layer:${i}:size`) ?? 0);
    layers.push({ digest, diffId, mediaType: properties.get(`waybill:layer:${i}:mediaType`) ?? '', size });
  }
}

function readUnknowns(properties: ReadonlyMap<string, string>): Unknown[] {
  const found: Unknown[] = [];
  for (let i = 0; properties.has(`waybill:unknown:${i}`); i++) {
    found.push(readUnknown(properties.get(`waybill:unknown:${i}`) as string));
  }
  return found;
}

/** Our own documents say of each thing that it could not be read, and of the whole that it is therefore incomplete. */
function readIncomplete(
  json: JsonObject,
  root: JsonObject | undefined,
  properties: ReadonlyMap<string, string>,
): Unknown[] {
  const named = readUnknowns(properties);
  const whole = named.length === 0 ? undefined : text(root, 'bom-ref');
  return [...named, ...saidIncomplete(json, whole)];
}

/** What a document itself says it does not list all of; `not_specified` says nothing. `whole`: said already of this. */
function saidIncomplete(json: JsonObject, whole: string | undefined): Unknown[] {
  return objects(json, 'compositions').flatMap((one): Unknown[] => {
    const aggregate = text(one, 'aggregate') ?? '';
    const refs = [...texts(one, 'assemblies'), ...texts(one, 'dependencies')];
    if (aggregate === 'incomplete' && refs.length === 1 && refs[0] === whole) return [];
    // Of vulnerabilities alone, nothing is said about components.
    const isOfOthers = refs.length === 0 && texts(one, 'vulnerabilities').length > 0;
    if (isOfOthers || !/^(?:incomplete|unknown)/.test(aggregate)) return [];
    return [incompleteBy(refs, aggregate)];
  });
}

function readTool(metadata: JsonObject | undefined): Sbom['tool'] {
  const tools = metadata === undefined ? undefined : own(metadata, 'tools');
  const list = isJsonObject(tools) ? objects(tools, 'components') : objects(metadata, 'tools');
  return { name: text(list[0], 'name') ?? 'unknown', version: text(list[0], 'version') ?? '' };
}
