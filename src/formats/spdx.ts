/** SPDX 2.3 JSON out: the image, its packages, CONTAINS and DEPENDS_ON edges. Equal input gives equal bytes. */
import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { sha256 } from '#base/crypto';
import { digestHex } from '#base/digest';
import type { JsonObject } from './json.ts';
import { classifyLicense } from './licenses.ts';
import type { Sbom, SbomPackage } from './sbom.ts';

export interface SpdxOptions {
  /** Milliseconds; goes into creationInfo.created. */
  readonly createdMs: number;
}

/** The bytes of an SPDX 2.3 document, ending in a newline. */
export function spdxBytes(sbom: Sbom, options: SpdxOptions): Uint8Array {
  const packages = [imagePackage(sbom), ...sbom.packages.map(packageJson)];
  const seed = toHex(sha256(utf8(JSON.stringify(packages))));
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: sbom.subject.name,
    documentNamespace: `https://waybill.dev/spdx/${encodeURIComponent(sbom.subject.name)}-${seed.slice(0, 32)}`,
    creationInfo: {
      created: rfc3339(options.createdMs),
      creators: [`Tool: ${sbom.tool.name}-${sbom.tool.version}`],
    },
    packages,
    relationships: [
      edge('SPDXRef-DOCUMENT', 'DESCRIBES', 'SPDXRef-Image'),
      ...sbom.packages.map((one) => edge('SPDXRef-Image', 'CONTAINS', idOf(one.id))),
      ...sbom.packages.flatMap((one) =>
        one.dependsOn.map((need) => edge(idOf(one.id), 'DEPENDS_ON', idOf(need))),
      ),
    ],
  };
  return utf8(`${JSON.stringify(document)}\n`);
}

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
    primaryPackagePurpose: 'CONTAINER',
  };
}

function packageJson(one: SbomPackage): JsonObject {
  const references = [
    ...(one.cpes ?? []).map((cpe) => reference('SECURITY', 'cpe23Type', cpe)),
    ...(one.purl === undefined ? [] : [reference('PACKAGE-MANAGER', 'purl', one.purl)]),
  ];
  const places = one.locations.map(({ path }) => `/${path}`).join(', ');
  return {
    SPDXID: idOf(one.id),
    name: one.name,
    versionInfo: one.version,
    supplier: one.supplier === undefined ? 'NOASSERTION' : `Organization: ${one.supplier}`,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    sourceInfo: `found by ${one.foundBy} in ${places}`,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: declared(one.licenses),
    copyrightText: 'NOASSERTION',
    ...(references.length === 0 ? {} : { externalRefs: references }),
  };
}

const reference = (category: string, type: string, locator: string): JsonObject => ({
  referenceCategory: category,
  referenceType: type,
  referenceLocator: locator,
});

/** SPDX takes expressions of known ids only; what is no such expression is not asserted. */
function declared(licenses: readonly string[]): string {
  const kinds = licenses.map(classifyLicense);
  if (kinds.length === 0 || kinds.some((one) => one.kind === 'name')) return 'NOASSERTION';
  const terms = kinds.map((one) =>
    one.kind === 'id' ? one.id : `(${(one as { expression: string }).expression})`,
  );
  return terms.length === 1 ? (terms[0] as string).replace(/^\((.*)\)$/, '$1') : terms.join(' AND ');
}
