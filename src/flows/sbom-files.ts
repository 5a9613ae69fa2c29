/** Documents in, documents out: read an SBOM file, compare two, make one of several, say how good one is. */
import { type Reason, reason } from '#base/reason';
import type { Sbom } from '#formats/sbom';
import { diffSboms, isSame, type SbomDiff } from '#formats/sbom-diff';
import { mergeSboms } from '#formats/sbom-merge';
import { type Quality, sbomQuality } from '#formats/sbom-quality';
import { sbomReasons as R } from '#sbom';
import { printable } from './sbom-document.ts';
import { readSbomFile, type Tell } from './sbom-file.ts';

export { readSbomFile };

/** One document of several, under the subject of the first unless a name is given. */
export async function mergeFiles(
  paths: readonly string[],
  name: string | undefined,
  version: string,
  tell: Tell,
): Promise<Sbom> {
  const sboms = await Promise.all(paths.map((path) => readSbomFile(path, tell)));
  const first = sboms[0]?.subject ?? { name: 'merged' };
  const subject = name === undefined ? first : { ...first, name };
  return mergeSboms(sboms, { subject, tool: { name: 'waybill', version } });
}

export interface DiffedFiles {
  readonly diff: SbomDiff;
  /** Why they are not the same; undefined when they are. */
  readonly why?: Reason;
}

export async function diffFiles(from: string, to: string, tell: Tell): Promise<DiffedFiles> {
  const diff = diffSboms(await readSbomFile(from, tell), await readSbomFile(to, tell));
  if (isSame(diff)) return { diff };
  const { added, removed, changed } = diff;
  const actual = `${added.length} added, ${removed.length} removed, ${changed.length} with another version`;
  return { diff, why: reason(R.differ, { expected: 'the same packages', actual }) };
}

/** One line a difference, `+`, `-` or `~` first. */
export function diffLines({ added, removed, changed, oneSided }: SbomDiff): string[] {
  const line = (sign: string, type: string, name: string, version: string): string =>
    printable(`${sign} ${type} ${name} ${version}`);
  return [
    ...removed.map((one) => line('-', one.type, one.name, one.version)),
    ...added.map((one) => line('+', one.type, one.name, one.version)),
    ...changed.map((one) =>
      line('~', one.type, one.name, `${one.from.join(', ') || 'none'} -> ${one.to.join(', ') || 'none'}`),
    ),
    ...(oneSided.length === 0 ? [] : [`only one of them has packages of type ${oneSided.join(', ')}`]),
  ];
}

export async function scoreFile(path: string, tell: Tell): Promise<Quality> {
  return sbomQuality(await readSbomFile(path, tell));
}

/** The elements with their counts, then the score. */
export function qualityLines({ score, elements }: Quality): string[] {
  const rows = elements.map(({ name, of, have, total }) => {
    const part = total === 0 ? '-' : total === 1 ? (have === 1 ? 'yes' : 'no') : `${have} of ${total}`;
    return `${of}  ${name.padEnd(26)} ${part}`;
  });
  return [...rows, `score ${score.toFixed(1)} of 10`];
}

/** Why a score is too low; undefined when it is not, or when none is asked for. WB-854 for what is no score. */
export function requireScore({ score }: Quality, atLeast: string | undefined): Reason | undefined {
  if (atLeast === undefined) return undefined;
  const wanted = /^(?:10|\d(?:\.\d+)?)$/.test(atLeast) ? Number(atLeast) : Number.NaN;
  if (score >= wanted) return undefined;
  const expected = Number.isNaN(wanted) ? 'a score of 0 to 10' : `a score of at least ${wanted}`;
  const actual = Number.isNaN(wanted) ? JSON.stringify(atLeast) : String(score);
  return reason(R.score, { expected, actual });
}
