/** SPDX 3.0.1 JSON-LD out: a graph of the image, its packages and how they hang together. */
import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { sha256 } from '#base/crypto';
import { digestAlgorithm, digestHex } from '#base/digest';
import type { JsonObject } from './json.ts';
import type { Sbom, SbomPackage } from './sbom.ts';
import { imageNote, OWNERSHIP, packageNote, unknownNote } from './sbom-notes.ts';
import { declaredLicense, LicenseRefs, type SpdxOptions } from './spdx.ts';

const CREATION = '_:creationInfo';

/** The bytes of an SPDX 3.0.1 document, ending in a newline. Equal input gives equal bytes. */
export function spdx3Bytes(sbom: Sbom, options: SpdxOptions): Uint8Array {
  const seed = toHex(sha256(utf8(JSON.stringify(seedOf(sbom))))).slice(0, 32);
  const base = `https://waybill.dev/spdx3/${encodeURIComponent(sbom.subject.name)}-${seed}#`;
  const refs = new LicenseRefs();
  const elements = elementsOf(sbom, base, refs);
  const document = {
    '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld',
    '@graph': [
      {
        type: 'CreationInfo',
        '@id': CREATION,
        specVersion: '3.0.1',
        created: rfc3339(options.createdMs),
        createdBy: [`${base}agent`],
        createdUsing: [`${base}tool`],
      },
      ...elements,
      {
        ...head('SpdxDocument', `${base}document`),
        name: sbom.subject.name,
        dataLicense: licenseId(base, 'CC0-1.0'),
        profileConformance: ['core', 'software', 'simpleLicensing'],
        rootElement: [`${base}sbom`],
        element: [...elements.map((one) => one['spdxId'] as string), `${base}sbom`],
      },
    ],
  };
  return utf8(`${JSON.stringify(document)}\n`);
}

const seedOf = ({ subject, packages, unknowns }: Sbom): readonly unknown[] =>
  unknowns.length === 0 ? [subject, packages] : [subject, packages, unknowns];

const head = (type: string, id: string): JsonObject => ({ type, spdxId: id, creationInfo: CREATION });

const licenseId = (base: string, text: string): string =>
  `${base}license-${toHex(sha256(utf8(text))).slice(0, 16)}`;

function elementsOf(sbom: Sbom, base: string, refs: LicenseRefs): JsonObject[] {
  const { tool } = sbom;
  const image = `${base}image`;
  const packages = sbom.packages.map((one) => packageJson(one, base));
  const licenses = new Map([['CC0-1.0', licenseId(base, 'CC0-1.0')]]);
  const stated: JsonObject[] = [];
  const suppliers = new Set(sbom.packages.flatMap((one) => one.supplier ?? []));
  for (const one of sbom.packages) {
    const expression = declaredLicense(one.licenses, refs);
    if (expression === 'NOASSERTION') continue;
    const to = licenseId(base, expression);
    licenses.set(expression, to);
    stated.push(edge(base, `declared-${one.id}`, `${base}package-${one.id}`, 'hasDeclaredLicense', [to]));
  }
  const needs = sbom.packages
    .filter((one) => one.dependsOn.length > 0)
    .map((one) => {
      const targets = one.dependsOn.map((id) => `${base}package-${id}`);
      return edge(base, `needs-${one.id}`, `${base}package-${one.id}`, 'dependsOn', targets);
    });
  const all = sbom.packages.map((one) => `${base}package-${one.id}`);
  return [
    { ...head('SoftwareAgent', `${base}agent`), name: tool.name },
    { ...head('Tool', `${base}tool`), name: `${tool.name}-${tool.version}` },
    ...[...suppliers].sort().map((name) => ({ ...head('Organization', supplierId(base, name)), name })),
    imageJson(sbom, image),
    ...packages,
    ...[...licenses].sort(byFirst).map(([expression, id]) => licenseJson(id, expression, refs)),
    ...(all.length === 0 ? [] : [edge(base, 'contains', image, 'contains', all)]),
    ...needs,
    ...stated,
    ...owned(sbom, base),
    ...sbom.unknowns.map((one, i) => annotation(`${base}unknown-${i}`, image, unknownNote(one))),
    ...[imageNote(sbom)]
      .filter((note) => note !== undefined)
      .map((note) => annotation(`${base}note-image`, image, note)),
    ...sbom.packages.flatMap((one) => {
      const note = packageNote(one);
      return note === undefined
        ? []
        : [annotation(`${base}note-${one.id}`, `${base}package-${one.id}`, note)];
    }),
    {
      ...head('software_Sbom', `${base}sbom`),
      rootElement: [image],
      element: [image, ...all],
      software_sbomType: ['analyzed'],
    },
  ];
}

const annotation = (id: string, subject: string, statement: string): JsonObject => ({
  ...head('Annotation', id),
  annotationType: 'other',
  subject,
  statement,
});

/** From each owner to what came with its files. */
function owned({ packages }: Sbom, base: string): JsonObject[] {
  const groups = Map.groupBy(packages, ({ ownedBy }) => ownedBy);
  return [...groups].flatMap(([owner, list]) => {
    if (owner === undefined) return [];
    const targets = list.map((one) => `${base}package-${one.id}`);
    return [
      { ...edge(base, `owns-${owner}`, `${base}package-${owner}`, 'other', targets), comment: OWNERSHIP },
    ];
  });
}

const byFirst = (a: readonly [string, string], b: readonly [string, string]): number =>
  a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;

const supplierId = (base: string, name: string): string =>
  `${base}supplier-${toHex(sha256(utf8(name))).slice(0, 16)}`;

function licenseJson(id: string, expression: string, refs: LicenseRefs): JsonObject {
  const customs = refs.used(expression).map(([ref, name]) => ({
    type: 'DictionaryEntry',
    key: ref,
    value: `https://waybill.dev/spdx3/license/${encodeURIComponent(name)}`,
  }));
  return {
    ...head('simplelicensing_LicenseExpression', id),
    simplelicensing_licenseExpression: expression,
    ...(customs.length === 0 ? {} : { simplelicensing_customIdToUri: customs }),
  };
}

function imageJson({ subject }: Sbom, id: string): JsonObject {
  const { digest } = subject;
  return {
    ...head('software_Package', id),
    name: subject.name,
    ...(digest === undefined
      ? {}
      : {
          software_packageVersion: digest,
          verifiedUsing: [{ type: 'Hash', algorithm: digestAlgorithm(digest), hashValue: digestHex(digest) }],
        }),
    software_primaryPurpose: subject.kind === 'folder' ? 'application' : 'container',
  };
}

function packageJson(one: SbomPackage, base: string): JsonObject {
  const identifiers = [
    ...(one.purl === undefined ? [] : [identifier('packageUrl', one.purl)]),
    ...(one.cpes ?? []).map((cpe) => identifier('cpe23', cpe)),
  ];
  const hashes = (one.hashes ?? []).map((hash) => {
    const [algorithm = '', hashValue = ''] = hash.split(':');
    return { type: 'Hash', algorithm, hashValue };
  });
  const places = one.locations.map(({ path }) => `/${path}`).join(', ');
  return {
    ...head('software_Package', `${base}package-${one.id}`),
    name: one.name,
    ...(one.version === '' ? {} : { software_packageVersion: one.version }),
    ...(one.purl === undefined ? {} : { software_packageUrl: one.purl }),
    ...(one.description === undefined ? {} : { summary: one.description }),
    ...(one.homepage === undefined || !URL.canParse(one.homepage) ? {} : { software_homePage: one.homepage }),
    ...(one.supplier === undefined ? {} : { suppliedBy: supplierId(base, one.supplier) }),
    software_sourceInfo: `found by ${one.foundBy} in ${places}`,
    ...(identifiers.length === 0 ? {} : { externalIdentifier: identifiers }),
    ...(hashes.length === 0 ? {} : { verifiedUsing: hashes }),
    software_primaryPurpose: one.type === 'generic' ? 'application' : 'library',
  };
}

const identifier = (type: string, value: string): JsonObject => ({
  type: 'ExternalIdentifier',
  externalIdentifierType: type,
  identifier: value,
});

function edge(base: string, name: string, from: string, type: string, to: readonly string[]): JsonObject {
  return { ...head('Relationship', `${base}edge-${name}`), from, relationshipType: type, to: [...to] };
}
