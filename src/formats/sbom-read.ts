/**
 * Reads SBOM documents of others and our own: CycloneDX 1.4–1.7 JSON, SPDX 2.3 JSON. What scanners need is
 * taken from package URLs, and from the properties Syft, Trivy and waybill write. Nothing external is fetched.
 */
import type { Digest } from '#base/brand';
import { parseDigest } from '#base/digest';
import { limits } from '#base/limits';
import { fail, reason } from '#base/reason';
import { attempt, err, type Result } from '#base/result';
import { isJsonObject, type JsonObject, type JsonValue, own, parseJson } from './json.ts';
import { type Purl, parsePurl } from './purl.ts';
import { R } from './reasons-sbom.ts';
import {
  comparePackages,
  type Distro,
  packageId,
  type Sbom,
  type SbomLayer,
  type SbomPackage,
  type SbomSubject,
  type Unknown,
} from './sbom.ts';

/** Reads an SBOM. WB-192 names what is missing; JSON errors keep their own codes. */
export function parseSbom(bytes: Uint8Array): Result<Sbom> {
  const parsed = parseJson(bytes, { maxBytes: limits.sbomBytes });
  if (!parsed.ok) return parsed;
  const json = parsed.value;
  if (!isJsonObject(json)) return unreadable('a JSON object', 'another JSON value');
  if (text(json, 'bomFormat') === 'CycloneDX') return attempt(() => readCycloneDx(json));
  if (text(json, 'spdxVersion') !== undefined) return attempt(() => readSpdx(json));
  return unreadable(
    'bomFormat CycloneDX or spdxVersion',
    `fields ${Object.keys(json).slice(0, 8).join(', ')}`,
  );
}

function unreadable(expected: string, actual: string): Result<never> {
  return err(reason(R.sbom, { expected, actual }));
}

const text = (json: JsonObject | undefined, key: string): string | undefined => {
  const value = json === undefined ? undefined : own(json, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
};
const object = (json: JsonObject | undefined, key: string): JsonObject | undefined => {
  const value = json === undefined ? undefined : own(json, key);
  return isJsonObject(value) ? value : undefined;
};
const objects = (json: JsonObject | undefined, key: string): readonly JsonObject[] => {
  const value = json === undefined ? undefined : own(json, key);
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
};

function readCycloneDx(json: JsonObject): Sbom {
  const version = text(json, 'specVersion') ?? '';
  if (!/^1\.[4-7]$/.test(version)) {
    throw fail(R.sbom, { expected: 'CycloneDX 1.4, 1.5, 1.6 or 1.7', actual: `specVersion ${version}` });
  }
  const metadata = object(json, 'metadata');
  const flat = flatten(objects(json, 'components'));
  const distro = flat.map(readSystem).find((one) => one !== undefined);
  const unknowns: Unknown[] = [];
  const packages: SbomPackage[] = [];
  for (const component of flat) {
    if (text(component, 'type') === 'operating-system' || text(component, 'type') === 'file') continue;
    const found = readComponent(component);
    if (found !== undefined) packages.push(found);
    else unknowns.push(unnamed(component));
  }
  const properties = propertiesOf(metadata);
  const found = distro ?? distroOfPurls(packages);
  return {
    subject: readSubject(object(metadata, 'component'), properties),
    ...(found === undefined ? {} : { distro: found }),
    packages: packages.sort(comparePackages),
    layers: readLayers(properties),
    unknowns: [...readUnknowns(properties), ...unknowns],
    tool: readTool(metadata),
  };
}

/** Components may nest; the depth is bounded by the JSON reader. */
function flatten(components: readonly JsonObject[]): JsonObject[] {
  return components.flatMap((one) => [one, ...flatten(objects(one, 'components'))]);
}

function unnamed(component: JsonObject): Unknown {
  const shown = JSON.stringify(text(component, 'bom-ref') ?? text(component, 'name') ?? '');
  return { path: '', wantedBy: 'sbom', reason: `component ${shown} without a name and a version` };
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

function readComponent(component: JsonObject): SbomPackage | undefined {
  const purlText = text(component, 'purl');
  const parsed = purlText === undefined ? undefined : parsePurl(purlText, { lenient: true });
  const purl = parsed?.ok === true ? parsed.value : undefined;
  const group = text(component, 'group');
  const name = purl === undefined ? joinName(group, text(component, 'name')) : nameOfPurl(purl);
  const version = purl?.version ?? text(component, 'version');
  if (name === undefined || version === undefined) return undefined;
  const properties = propertiesOf(component);
  const foundBy = properties.get('syft:package:foundBy') ?? 'sbom';
  const type = purl?.type ?? properties.get('syft:package:type') ?? 'generic';
  return {
    id: properties.get('waybill:id') ?? packageId(type, name, version, purlText, foundBy),
    type,
    name,
    version,
    ...(purl === undefined || purlText === undefined ? {} : { purl: purlText }),
    foundBy,
    locations: readLocations(properties),
    licenses: objects(component, 'licenses').flatMap(readLicense),
    ...sourceOf(purl, properties),
    ...(text(component, 'cpe') === undefined ? {} : { cpes: [text(component, 'cpe') as string] }),
    dependsOn: [],
    ...(properties.has('waybill:ownedBy') ? { ownedBy: properties.get('waybill:ownedBy') as string } : {}),
  };
}

const joinName = (group: string | undefined, name: string | undefined): string | undefined =>
  group === undefined || name === undefined ? name : `${group}/${name}`;

/** The name as package managers write it: with an npm scope, a Go path, `group:artifact` for Maven. */
function nameOfPurl(purl: Purl): string {
  if (purl.namespace === undefined || ['deb', 'apk', 'rpm', 'alpm'].includes(purl.type)) return purl.name;
  return `${purl.namespace}${purl.type === 'maven' ? ':' : '/'}${purl.name}`;
}

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
  const version =
    properties.get('syft:metadata:sourceVersion') ?? properties.get('aquasecurity:trivy:SrcVersion');
  if (named !== undefined) return { source: { name: named, ...(version === undefined ? {} : { version }) } };
  const upstream = purl?.qualifiers.get('upstream');
  if (upstream === undefined) return {};
  const at = upstream.indexOf('@');
  if (at < 0) return { source: { name: upstream } };
  return { source: { name: upstream.slice(0, at), version: upstream.slice(at + 1) } };
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

function digestOrNone(value: string | undefined): Digest | undefined {
  const parsed = parseDigest(value ?? '');
  return parsed.ok ? parsed.value : undefined;
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

/** Tools that write no operating system component still write the `distro` qualifier. */
function distroOfPurls(packages: readonly SbomPackage[]): Distro | undefined {
  for (const { purl } of packages) {
    const parsed = purl === undefined ? undefined : parsePurl(purl, { lenient: true });
    const value = parsed?.ok === true ? parsed.value.qualifiers.get('distro') : undefined;
    const match = /^([a-z0-9._]+(?:-[a-z][a-z0-9]*)*)-(\d[^/]*)$/.exec(value ?? '');
    if (match !== null) return { id: match[1] as string, versionId: match[2] as string, idLike: [] };
  }
  return undefined;
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
  const os = properties.get('waybill:image:os');
  const architecture = properties.get('waybill:image:architecture');
  return {
    name: text(component, 'name') ?? 'unnamed',
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
    const parsed = parseJson(properties.get(`waybill:unknown:${i}`) as string);
    const list: JsonValue = parsed.ok ? parsed.value : null;
    const [path, wantedBy, why] = Array.isArray(list) ? list : [];
    found.push({ path: String(path ?? ''), wantedBy: String(wantedBy ?? 'sbom'), reason: String(why ?? '') });
  }
  return found;
}

function readTool(metadata: JsonObject | undefined): Sbom['tool'] {
  const tools = metadata === undefined ? undefined : own(metadata, 'tools');
  const list = isJsonObject(tools) ? objects(tools, 'components') : objects(metadata, 'tools');
  return { name: text(list[0], 'name') ?? 'unknown', version: text(list[0], 'version') ?? '' };
}

function readSpdx(json: JsonObject): Sbom {
  const version = text(json, 'spdxVersion');
  if (version !== 'SPDX-2.3' && version !== 'SPDX-2.2') {
    throw fail(R.sbom, { expected: 'SPDX 2.2 or 2.3', actual: version ?? 'none' });
  }
  const described = new Set(
    objects(json, 'relationships')
      .filter((one) => text(one, 'relationshipType') === 'DESCRIBES')
      .map((one) => text(one, 'relatedSpdxElement')),
  );
  const packages: SbomPackage[] = [];
  let subject: SbomSubject = { name: text(json, 'name') ?? 'unnamed' };
  for (const one of objects(json, 'packages')) {
    const found = readSpdxPackage(one);
    if (described.has(text(one, 'SPDXID'))) subject = spdxSubject(one, found);
    else if (found !== undefined) packages.push(found);
  }
  const distro = distroOfPurls(packages);
  const creators = object(json, 'creationInfo');
  const list = creators === undefined ? undefined : own(creators, 'creators');
  const tool = Array.isArray(list) ? list.find((one) => String(one).startsWith('Tool: ')) : undefined;
  return {
    subject,
    ...(distro === undefined ? {} : { distro }),
    packages: packages.sort(comparePackages),
    layers: [],
    unknowns: [],
    tool: { name: typeof tool === 'string' ? tool.slice(6) : 'unknown', version: '' },
  };
}

function readSpdxPackage(one: JsonObject): SbomPackage | undefined {
  const references = objects(one, 'externalRefs');
  const purlRef = references.find((ref) => text(ref, 'referenceType') === 'purl');
  const purl = text(purlRef, 'referenceLocator');
  const component: JsonObject = {
    ...(text(one, 'name') === undefined ? {} : { name: text(one, 'name') as string }),
    ...(text(one, 'versionInfo') === undefined ? {} : { version: text(one, 'versionInfo') as string }),
    ...(purl === undefined ? {} : { purl }),
  };
  const license = text(one, 'licenseDeclared');
  const found = readComponent(component);
  if (found === undefined || license === undefined || license === 'NOASSERTION') return found;
  return { ...found, licenses: [license] };
}

function spdxSubject(one: JsonObject, found: SbomPackage | undefined): SbomSubject {
  const sums = objects(one, 'checksums').map((sum) =>
    digestOrNone(`${(text(sum, 'algorithm') ?? '').toLowerCase()}:${text(sum, 'checksumValue') ?? ''}`),
  );
  const digest = sums.find((sum) => sum !== undefined) ?? digestOrNone(found?.version);
  return { name: text(one, 'name') ?? 'unnamed', ...(digest === undefined ? {} : { digest }) };
}
