/**
 * CycloneDX 1.5, 1.6 or 1.7 JSON out. The output is a function of the SBOM and the time given: the serial
 * number is derived from the content, everything is sorted, so equal input gives equal bytes.
 */
import type { Digest } from '#base/brand';
import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { sha256 } from '#base/crypto';
import { digestHex } from '#base/digest';
import type { JsonObject } from './json.ts';
import { classifyLicense } from './licenses.ts';
import { buildPurl } from './purl.ts';
import type { Sbom, SbomPackage, SbomSubject } from './sbom.ts';
import { unknownText } from './sbom-parts.ts';
import { syftWords } from './sbom-syft-words.ts';

export const cycloneDxVersions = ['1.5', '1.6', '1.7'] as const;
export type CycloneDxVersion = (typeof cycloneDxVersions)[number];

export interface CycloneDxOptions {
  /** Default 1.6. */
  readonly version?: CycloneDxVersion;
  /** Milliseconds; goes into metadata.timestamp. */
  readonly createdMs: number;
  /** Line breaks and indentation for people. */
  readonly isPretty?: boolean;
}

interface Property {
  readonly name: string;
  readonly value: string;
}

/** The bytes of a CycloneDX document, ending in a newline. */
export function cycloneDxBytes(sbom: Sbom, options: CycloneDxOptions): Uint8Array {
  const body = documentBody(sbom, options);
  const seed = toHex(sha256(utf8(JSON.stringify(body))));
  const version = options.version ?? '1.6';
  const document = {
    $schema: `http://cyclonedx.org/schema/bom-${version}.schema.json`,
    bomFormat: 'CycloneDX',
    specVersion: version,
    serialNumber: `urn:uuid:${uuidFrom(seed)}`,
    version: 1,
    ...body,
  };
  return utf8(`${JSON.stringify(document, null, options.isPretty === true ? 2 : undefined)}\n`);
}

/** A version 8 UUID (RFC 9562: free form) over hash bits. */
function uuidFrom(hex: string): string {
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  const tail = `${variant}${hex.slice(17, 20)}`;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${tail}-${hex.slice(20, 32)}`;
}

function documentBody(sbom: Sbom, options: CycloneDxOptions): JsonObject {
  const refs = new Map(sbom.packages.map((one) => [one.id, refOf(one)]));
  const root = rootComponent(sbom);
  const system = systemComponent(sbom);
  return {
    metadata: {
      timestamp: rfc3339(options.createdMs),
      lifecycles: [{ phase: 'post-build' }],
      tools: {
        components: [{ type: 'application', name: sbom.tool.name, version: sbom.tool.version }],
      },
      component: root,
      ...withProperties(metadataProperties(sbom)),
    },
    components: [...sbom.packages.map((one) => packageComponent(one)), ...system],
    dependencies: dependencies(sbom, root['bom-ref'] as string, refs),
    ...compositions(sbom, root['bom-ref'] as string),
  };
}

/**
 * Where something could not be read, the image has more than its components. Nothing is said otherwise: whether what
 * was found is all there is, nobody knows (`unknown` would be a doubt, `complete` a promise).
 */
const compositions = ({ unknowns }: Sbom, root: string): JsonObject =>
  unknowns.length === 0 ? {} : { compositions: [{ aggregate: 'incomplete', assemblies: [root] }] };

function rootComponent(sbom: Sbom): JsonObject {
  const { subject } = sbom;
  const purl = subjectPurl(subject);
  return {
    type: subject.kind === 'folder' ? 'file' : 'container',
    'bom-ref': purl ?? `image:${subject.digest ?? subject.name}`,
    name: subject.name,
    ...(subject.digest === undefined ? {} : { version: subject.digest }),
    ...(subject.digest === undefined ? {} : { hashes: [hashOf(subject.digest)] }),
    ...(purl === undefined ? {} : { purl }),
  };
}

const hashOf = (digest: Digest): JsonObject => ({
  alg: digest.startsWith('sha512:') ? 'SHA-512' : digest.startsWith('sha384:') ? 'SHA-384' : 'SHA-256',
  content: digestHex(digest),
});

function subjectPurl(subject: SbomSubject): string | undefined {
  if (subject.digest === undefined) return undefined;
  const name = subject.name.slice(subject.name.lastIndexOf('/') + 1);
  const qualifiers = new Map<string, string>();
  if (subject.name.includes('/') && !subject.name.startsWith('oci:')) {
    qualifiers.set('repository_url', subject.name);
  }
  if (subject.architecture !== undefined) qualifiers.set('arch', subject.architecture);
  if (subject.tag !== undefined) qualifiers.set('tag', subject.tag);
  const built = buildPurl({ type: 'oci', name, version: subject.digest, qualifiers });
  return built.ok ? built.value : undefined;
}

function systemComponent({ distro }: Sbom): JsonObject[] {
  if (distro === undefined) return [];
  const version = distro.versionId ?? '';
  return [
    {
      type: 'operating-system',
      'bom-ref': version === '' ? `os:${distro.id}` : `os:${distro.id}@${version}`,
      name: distro.id,
      ...(version === '' ? {} : { version }),
      ...(distro.prettyName === undefined ? {} : { description: distro.prettyName }),
      ...withProperties([
        { name: 'syft:distro:id', value: distro.id },
        ...distro.idLike.map((id, i) => ({ name: `syft:distro:idLike:${i}`, value: id })),
        ...(distro.prettyName === undefined
          ? []
          : [{ name: 'syft:distro:prettyName', value: distro.prettyName }]),
        ...(version === '' ? [] : [{ name: 'syft:distro:versionID', value: version }]),
      ]),
    },
  ];
}

/** As Syft writes it: the purl with the id of the package, unique in the document. */
function refOf(one: SbomPackage): string {
  if (one.purl === undefined) return `package-id=${one.id}`;
  return `${one.purl}${one.purl.includes('?') ? '&' : '?'}package-id=${one.id}`;
}

function packageComponent(one: SbomPackage): JsonObject {
  const [firstCpe, ...moreCpes] = one.cpes ?? [];
  return {
    type: one.type === 'generic' ? 'application' : 'library',
    'bom-ref': refOf(one),
    ...(one.supplier === undefined ? {} : { supplier: { name: one.supplier }, publisher: one.supplier }),
    ...named(one),
    version: one.version,
    ...(one.description === undefined ? {} : { description: one.description }),
    ...hashesField(one.hashes),
    ...licensesField(one.licenses),
    ...(firstCpe === undefined ? {} : { cpe: firstCpe }),
    ...(one.purl === undefined ? {} : { purl: one.purl }),
    ...(one.homepage === undefined || !URL.canParse(one.homepage)
      ? {}
      : { externalReferences: [{ type: 'website', url: new URL(one.homepage).href }] }),
    ...withProperties(packageProperties(one, moreCpes)),
  };
}

/** Maven has a field for its groups; scopes and paths of others stay in the name. */
function named({ type, name }: SbomPackage): JsonObject {
  const colon = type === 'maven' ? name.indexOf(':') : -1;
  return colon < 0 ? { name } : { group: name.slice(0, colon), name: name.slice(colon + 1) };
}

const hashNames: ReadonlyMap<string, string> = new Map([
  ['sha1', 'SHA-1'],
  ['sha256', 'SHA-256'],
  ['sha384', 'SHA-384'],
  ['sha512', 'SHA-512'],
]);
const hexChars: ReadonlyMap<string, number> = new Map([
  ['sha1', 40],
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
]);

/** A value of another length is no hash of its name, whatever the package says. */
function hashesField(hashes: readonly string[] = []): JsonObject {
  const list = hashes.flatMap((hash) => {
    const [name = '', content = ''] = hash.split(':');
    const alg = hashNames.get(name);
    return alg === undefined || content.length !== hexChars.get(name) ? [] : [{ alg, content }];
  });
  return list.length === 0 ? {} : { hashes: list };
}

/** Either a list of ids and names or exactly one expression: the schema forbids a mixture. */
function licensesField(declared: readonly string[]): JsonObject {
  if (declared.length === 0) return {};
  const kinds = declared.map(classifyLicense);
  const [first] = kinds;
  if (kinds.length === 1 && first?.kind === 'expression') {
    return { licenses: [{ expression: first.expression }] };
  }
  const licenses = kinds.map((one, i) => ({
    license: one.kind === 'id' ? { id: one.id } : { name: declared[i] as string },
  }));
  return { licenses };
}

/** Properties under the names Syft gave them, because scanners read those; our own for the rest. */
function packageProperties(one: SbomPackage, moreCpes: readonly string[]): Property[] {
  const { language, type, metadataType: metadata } = syftWords(one.type);
  const list: Property[] = [
    { name: 'syft:package:foundBy', value: one.foundBy },
    { name: 'syft:package:type', value: type },
    ...(language === undefined ? [] : [{ name: 'syft:package:language', value: language }]),
    ...(metadata === undefined ? [] : [{ name: 'syft:package:metadataType', value: metadata }]),
    ...moreCpes.map((value) => ({ name: 'syft:cpe23', value })),
  ];
  one.locations.forEach(({ path, layer }, i) => {
    if (layer !== undefined) list.push({ name: `syft:location:${i}:layerID`, value: layer });
    list.push({ name: `syft:location:${i}:path`, value: `/${path}` });
  });
  if (one.source !== undefined) list.push({ name: 'syft:metadata:source', value: one.source.name });
  if (one.source?.version !== undefined) {
    list.push({ name: 'syft:metadata:sourceVersion', value: one.source.version });
  }
  if (one.architecture !== undefined) {
    list.push({ name: 'syft:metadata:architecture', value: one.architecture });
  }
  list.push({ name: 'waybill:id', value: one.id });
  if (one.ownedBy !== undefined) list.push({ name: 'waybill:ownedBy', value: one.ownedBy });
  return list;
}

function metadataProperties(sbom: Sbom): Property[] {
  const list: Property[] = [];
  sbom.layers.forEach((layer, i) => {
    list.push({ name: `waybill:layer:${i}:digest`, value: layer.digest });
    list.push({ name: `waybill:layer:${i}:diffId`, value: layer.diffId });
    list.push({ name: `waybill:layer:${i}:mediaType`, value: layer.mediaType });
    list.push({ name: `waybill:layer:${i}:size`, value: String(layer.size) });
  });
  if (sbom.subject.os !== undefined) list.push({ name: 'waybill:image:os', value: sbom.subject.os });
  if (sbom.subject.architecture !== undefined) {
    list.push({ name: 'waybill:image:architecture', value: sbom.subject.architecture });
  }
  sbom.unknowns.forEach((one, i) => {
    list.push({ name: `waybill:unknown:${i}`, value: unknownText(one) });
  });
  return list;
}

const withProperties = (list: readonly Property[]): JsonObject =>
  list.length === 0 ? {} : { properties: list.map(({ name, value }) => ({ name, value })) };

/** The image depends on what nothing else needs; every other edge is one package needing another. */
function dependencies(sbom: Sbom, root: string, refs: ReadonlyMap<string, string>): JsonObject[] {
  const needed = new Set(sbom.packages.flatMap((one) => one.dependsOn));
  const top = sbom.packages.filter((one) => !needed.has(one.id)).map((one) => refOf(one));
  const edges = sbom.packages
    .filter((one) => one.dependsOn.length > 0)
    .map((one) => {
      const targets = one.dependsOn.map((id) => refs.get(id)).filter((ref) => ref !== undefined);
      return { ref: refOf(one), dependsOn: targets.sort() };
    });
  return [{ ref: root, dependsOn: top }, ...edges];
}
