/** An SBOM as a document in any of the formats, and back. */
import { fail } from '#base/reason';
import { type CycloneDxVersion, cycloneDxBytes, cycloneDxVersions } from '#formats/cyclonedx';
import type { Sbom } from '#formats/sbom';
import { syftBytes } from '#formats/sbom-syft';
import { spdxBytes } from '#formats/spdx';
import { spdx3Bytes } from '#formats/spdx3';
import { sbomReasons as R } from '#sbom';
import { R as flowReasons } from './sbom-reasons.ts';

export interface SbomFormat {
  readonly name: 'cyclonedx-json' | 'spdx-json' | 'syft-json' | 'purls' | 'table';
  readonly version?: string;
}

/** Every word for a format; a name without a version means the first. */
export const sbomFormats: readonly string[] = [
  'cyclonedx-json',
  ...cycloneDxVersions.map((version) => `cyclonedx-json@${version}`),
  'spdx-json',
  'spdx-json@2.3',
  'spdx-json@3.0',
  'syft-json',
  'purls',
  'table',
];

/** WB-847 for a word that is none of `sbomFormats`. */
export function parseSbomFormat(text: string): SbomFormat {
  if (!sbomFormats.includes(text)) {
    throw fail(R.sbomFormat, { expected: sbomFormats.join(', '), actual: JSON.stringify(text) });
  }
  const [name, version] = text.split('@') as [SbomFormat['name'], string | undefined];
  return { name, ...(version === undefined ? {} : { version }) };
}

/** The document. `createdMs` is the time it states: SOURCE_DATE_EPOCH where given, else now. */
export function sbomDocument(sbom: Sbom, { name, version }: SbomFormat, createdMs: number): Uint8Array {
  switch (name) {
    case 'cyclonedx-json': {
      const chosen = version === undefined ? {} : { version: version as CycloneDxVersion };
      return cycloneDxBytes(sbom, { createdMs, ...chosen });
    }
    case 'spdx-json':
      return version === '3.0' ? spdx3Bytes(sbom, { createdMs }) : spdxBytes(sbom, { createdMs });
    case 'syft-json':
      return syftBytes(sbom);
    case 'purls':
      return lines(sbom.packages.map((one) => one.purl).filter((purl) => purl !== undefined));
    case 'table':
      return lines(table(sbom));
  }
}

const lines = (list: readonly string[]): Uint8Array =>
  new TextEncoder().encode(list.map((line) => `${line}\n`).join(''));

function table(sbom: Sbom): string[] {
  const rows = sbom.packages.map((one) => [one.type, one.name, one.version].map(printable));
  let widths = [4, 4];
  for (const row of rows) widths = widths.map((width, i) => Math.max(width, (row[i] as string).length));
  const render = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [render(['TYPE', 'NAME', 'VERSION']), ...rows.map(render)];
}

/** Text from an image may carry terminal escapes; they are shown, not obeyed. */
export const printable = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');

/** SOURCE_DATE_EPOCH in milliseconds; undefined when it is not set or empty. Throws WB-982 for any other text. */
export function sourceDateEpochMs(env: Readonly<Record<string, string | undefined>>): number | undefined {
  const text = env['SOURCE_DATE_EPOCH'];
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,11}$/.test(text)) return Number(text) * 1000;
  throw fail(flowReasons.epoch, {
    expected: 'seconds since 1970',
    actual: JSON.stringify(text.slice(0, 40)),
  });
}
