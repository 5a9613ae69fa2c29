/** SPDX 2.3 JSON out: the image, its packages and how they hang together. Equal input gives equal bytes. */
import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { sha256 } from '#base/crypto';
import { digestHex } from '#base/digest';
import type { JsonObject } from './json.ts';
import { classifyLicense } from './licenses.ts';
import type { Sbom, SbomPackage } from './sbom.ts';
import { imageNote, OWNERSHIP, packageNote, unknownNote } from './sbom-notes.ts';

export interface SpdxOptions {
  /** Milliseconds; goes into creationInfo.created. */
  readonly createdMs: number;
}

/** The bytes of an SPDX 2.3 document, ending in a newline. */
export function spdxBytes(sbom: Sbom, options: SpdxOptions): Uint8Array {
  const refs = new LicenseRefs();
  const annotator = `Tool: ${sbom.tool.name}-${sbom.tool.version}`;
  const annotationDate = rfc3339(options.createdMs);
  const annotated = (notes: readonly (string | undefined)[]): JsonObject => {
    const texts = notes.filter((note) => note !== undefined);
    if (texts.length === 0) return {};
    const head = { annotationDate, annotationType: 'OTHER', annotator };
    return { annotations: texts.map((comment) => ({ ...head, comment })) };
  };
  const notes = [...sbom.unknowns.map(unknownNote), imageNote(sbom)];
  const packages = [
    imagePackage(sbom),
    ...systemPackage(sbom),
    ...sbom.packages.map((one) => packageJson(one, refs)),
  ];
  const packageNotes = sbom.packages.map(packageNote);
  const seed = toHex(sha256(utf8(JSON.stringify([...packages, ...packageNotes, ...notes]))));
  const first = packages.length - packageNotes.length;
  packageNotes.forEach((note, i) => {
    Object.assign(packages[first + i] as JsonObject, annotated([note]));
  });
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: sbom.subject.name,
    documentNamespace: `https://waybill.dev/spdx/${encodeURIComponent(sbom.subject.name)}-${seed.slice(0, 32)}`,
    creationInfo: { created: annotationDate, creators: [annotator] },
    ...annotated(notes),
    packages,
    ...(refs.all.length === 0 ? {} : { hasExtractedLicensingInfos: refs.all.map(extractedJson) }),
    relationships: [
      edge('SPDXRef-DOCUMENT', 'DESCRIBES', 'SPDXRef-Image'),
      ...systemPackage(sbom).map(() => edge('SPDXRef-Image', 'CONTAINS', SYSTEM)),
      ...sbom.packages.map((one) => edge('SPDXRef-Image', 'CONTAINS', idOf(one.id))),
      ...sbom.packages.flatMap((one) =>
        one.dependsOn.map((need) => edge(idOf(one.id), 'DEPENDS_ON', idOf(need))),
      ),
      ...sbom.packages.flatMap((one) =>
        one.ownedBy === undefined
          ? []
          : [{ ...edge(idOf(one.ownedBy), 'OTHER', idOf(one.id)), comment: OWNERSHIP }],
      ),
    ],
  };
  return utf8(`${JSON.stringify(document)}\n`);
}

const SYSTEM = 'SPDXRef-OperatingSystem';

function systemPackage({ distro }: Sbom): JsonObject[] {
  if (distro === undefined) return [];
  return [
    {
      SPDXID: SYSTEM,
      name: distro.id,
      ...(distro.versionId === undefined ? {} : { versionInfo: distro.versionId }),
      downloadLocation: 'NOASSERTION',
      filesAnalyzed: false,
      primaryPackagePurpose: 'OPERATING_SYSTEM',
    },
  ];
}

/** Names of licences that are no SPDX ids, each with the reference a document gives it. */
export class LicenseRefs {
  readonly #names = new Map<string, string>();

  refOf(name: string): string {
    const ref = `LicenseRef-${toHex(sha256(utf8(name))).slice(0, 16)}`;
    this.#names.set(ref, name);
    return ref;
  }

  /** Sorted by reference. */
  get all(): readonly (readonly [ref: string, name: string])[] {
    return [...this.#names].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }

  /** Those an expression uses. */
  used(expression: string): readonly (readonly [ref: string, name: string])[] {
    return this.all.filter(([ref]) => expression.includes(ref));
  }
}

const extractedJson = ([licenseId, name]: readonly [string, string]): JsonObject => ({
  licenseId,
  name,
  extractedText: name,
});

const idOf = (id: string): string => `SPDXRef-Package-${id}`;

const edge = (from: string, type: string, to: string): JsonObject => ({
  spdxElementId: from,
  relationshipType: type,
  relatedSpdxElement: to,
});

function imagePackage({ subject }: Sbom): JsonObject {
  return {
    SPDXID: 'SPDXRef-Image',
    name: subject.name,
    ...(subject.digest === undefined ? {} : { versionInfo: subject.digest }),
    ...(subject.digest?.startsWith('sha256:')
      ? { checksums: [{ algorithm: 'SHA256', checksumValue: digestHex(subject.digest) }] }
      : {}),
    supplier: 'NOASSERTION',
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    primaryPackagePurpose: subject.kind === 'folder' ? 'APPLICATION' : 'CONTAINER',
  };
}

function packageJson(one: SbomPackage, refs: LicenseRefs): JsonObject {
  const references = [
    ...(one.cpes ?? []).map((cpe) => reference('SECURITY', 'cpe23Type', cpe)),
    ...(one.purl === undefined ? [] : [reference('PACKAGE-MANAGER', 'purl', one.purl)]),
  ];
  const places = one.locations.map(({ path }) => `/${path}`).join(', ');
  return {
    SPDXID: idOf(one.id),
    name: one.name,
    ...(one.version === '' ? {} : { versionInfo: one.version }),
    supplier: one.supplier === undefined ? 'NOASSERTION' : `Organization: ${one.supplier}`,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    sourceInfo: `found by ${one.foundBy} in ${places}`,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: declaredLicense(one.licenses, refs),
    copyrightText: 'NOASSERTION',
    ...(one.homepage === undefined || !URL.canParse(one.homepage) ? {} : { homepage: one.homepage }),
    ...(one.description === undefined ? {} : { summary: one.description }),
    ...checksums(one.hashes),
    ...(references.length === 0 ? {} : { externalRefs: references }),
    primaryPackagePurpose: one.type === 'generic' ? 'APPLICATION' : 'LIBRARY',
  };
}

const reference = (category: string, type: string, locator: string): JsonObject => ({
  referenceCategory: category,
  referenceType: type,
  referenceLocator: locator,
});

function checksums(hashes: readonly string[] = []): JsonObject {
  const list = hashes.map((hash) => {
    const [algorithm = '', checksumValue = ''] = hash.split(':');
    return { algorithm: algorithm.toUpperCase(), checksumValue };
  });
  return list.length === 0 ? {} : { checksums: list };
}

/** One expression of all declared licences; what is no SPDX id gets a reference. */
export function declaredLicense(licenses: readonly string[], refs: LicenseRefs): string {
  const terms = licenses
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .map((name) => {
      const kind = classifyLicense(name);
      if (kind.kind === 'id') return kind.id;
      return kind.kind === 'expression' ? `(${kind.expression})` : refs.refOf(name);
    });
  if (terms.length === 0) return 'NOASSERTION';
  return terms.length === 1 ? (terms[0] as string).replace(/^\((.*)\)$/, '$1') : terms.join(' AND ');
}
