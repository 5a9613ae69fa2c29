/** Published records at their bounds, through the whole matcher: pairs of a version and a record of its package. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { boundariesOf } from '../scan/boundaries.ts';
import type { VectorCount } from './versions.ts';

/** Of a file with hundreds of records of each package, one of so many packages. */
const files: readonly (readonly [name: string, share: number])[] = [
  ['almalinux', 20],
  ['bitnami', 1],
  ['friendsofphp', 1],
  ['golang-vulndb', 1],
  ['pypa', 1],
  ['retirejs-npm', 1],
  ['rustsec', 1],
];

export async function advisoryVectors(shared: string): Promise<readonly VectorCount[] | undefined> {
  const folder = join(shared, 'advisories');
  if (!existsSync(folder)) return undefined;
  const counts: VectorCount[] = [];
  for (const [file, share] of files) {
    const found = await boundariesOf(join(folder, `${file}.jsonl.zst`), share);
    const { records, right, negatives, wrong, missed, undetermined, contradictory, examples } = found;
    const left = `${undetermined} open, ${contradictory} records that contradict themselves`;
    const failed = wrong + missed;
    const failures = Array.from({ length: failed }, (_, i) => examples[i] ?? 'one more');
    const part = share === 1 ? '' : `, every ${share}th package`;
    const name = `advisories/${file} (${records} records${part}, ${right} affected, ${left})`;
    counts.push({ name, rows: right + negatives + failed, failures });
  }
  return counts;
}
