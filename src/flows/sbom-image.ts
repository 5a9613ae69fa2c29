/** An image by name → what is inside it, as a document. */
import type { Digest } from '#base/brand';
import { fail, type Reason, reason } from '#base/reason';
import { cycloneDxBytes } from '#formats/cyclonedx';
import type { Platform } from '#formats/oci';
import { repositoryText } from '#formats/reference';
import type { Sbom } from '#formats/sbom';
import { spdxBytes } from '#formats/spdx';
import { type Registry, selectImage } from '#oci';
import { catalogueImage, sbomReasons as R } from '#sbom';
import { type ResolvedImage, resolveImage } from './resolve.ts';

export const sbomFormats = ['cyclonedx-json', 'spdx-json', 'purls', 'table'] as const;
export type SbomFormat = (typeof sbomFormats)[number];

export interface SbomImageOptions {
  /** Version of waybill, for the document. */
  readonly version: string;
  readonly platform?: Platform;
  /** The name in the document instead of the repository or the folder. */
  readonly name?: string;
  readonly onLayer?: (done: number, of: number) => void;
}

export interface SbomImage {
  readonly sbom: Sbom;
  readonly resolved: ResolvedImage;
  /** The image that was catalogued: of an index, the one for the platform. */
  readonly digest: Digest;
  readonly bytes: number;
  readonly entries: number;
}

/** Resolves, reads every layer once, catalogues. */
export async function sbomImage(
  registry: Registry,
  image: string,
  options: SbomImageOptions,
): Promise<SbomImage> {
  const resolved = await resolveImage(registry, image);
  const { manifest } = await selectImage(resolved.source, { digest: resolved.digest }, options.platform);
  const tag = resolved.reference?.tag;
  const { sbom, bytes, entries } = await catalogueImage(resolved.source, manifest, {
    tool: { name: 'waybill', version: options.version },
    name: options.name ?? subjectName(resolved),
    ...(tag === undefined ? {} : { tag }),
    ...(options.onLayer === undefined ? {} : { onLayer: options.onLayer }),
  });
  return { sbom, resolved, digest: manifest.digest, bytes, entries };
}

/** The repository; of a layout or archive its last path part, since the rest belongs to one machine. */
function subjectName({ reference, name }: ResolvedImage): string {
  if (reference !== undefined) return repositoryText(reference);
  const path = name.replace(/^[a-z-]+:/, '').replace(/@sha256:[0-9a-f]+$/, '');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.' && part !== '..');
  return parts.at(-1) ?? 'image';
}

export function parseSbomFormat(text: string): SbomFormat {
  const found = sbomFormats.find((format) => format === text);
  if (found !== undefined) return found;
  throw fail(R.sbomFormat, { expected: sbomFormats.join(', '), actual: JSON.stringify(text) });
}

/** The document. `createdMs` is the time it states: SOURCE_DATE_EPOCH where given, else now. */
export function sbomDocument(sbom: Sbom, format: SbomFormat, createdMs: number): Uint8Array {
  switch (format) {
    case 'cyclonedx-json':
      return cycloneDxBytes(sbom, { createdMs });
    case 'spdx-json':
      return spdxBytes(sbom, { createdMs });
    case 'purls':
      return lines(sbom.packages.map((one) => one.purl).filter((purl) => purl !== undefined));
    case 'table':
      return lines(table(sbom));
  }
}

const lines = (list: readonly string[]): Uint8Array => new TextEncoder().encode(`${list.join('\n')}\n`);

function table(sbom: Sbom): string[] {
  const rows = sbom.packages.map((one) => [one.type, one.name, one.version].map(printable));
  const widths = [0, 1].map((column) => Math.max(4, ...rows.map((row) => (row[column] as string).length)));
  const render = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [render(['TYPE', 'NAME', 'VERSION']), ...rows.map(render)];
}

/** Why an SBOM with gaps is refused where gaps are not accepted; undefined when everything was read. */
export function judgeUnknowns({ unknowns }: Sbom): Reason | undefined {
  if (unknowns.length === 0) return undefined;
  const first = unknowns.slice(0, 3).map((one) => `${one.path === '' ? 'image' : one.path}: ${one.reason}`);
  const more = unknowns.length > first.length ? ` and ${unknowns.length - first.length} more` : '';
  return reason(R.unknowns, { expected: 'everything read', actual: `${first.join('; ')}${more}` });
}

/** Text from an image may carry terminal escapes; they are shown, not obeyed. */
export const printable = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');

/** SOURCE_DATE_EPOCH in milliseconds; undefined when it is not set. */
export function sourceDateEpochMs(env: Readonly<Record<string, string | undefined>>): number | undefined {
  const text = env['SOURCE_DATE_EPOCH'];
  return text !== undefined && /^\d{1,11}$/.test(text) ? Number(text) * 1000 : undefined;
}
