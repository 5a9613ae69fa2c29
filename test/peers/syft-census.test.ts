/** The rows of the census of cataloguers as real Syft reads them: what it makes of each has to be what we do. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { declaredRows } from '../sbom/census-declared.ts';
import { installedRows } from '../sbom/census-installed.ts';
import { prove } from '../sbom/census-record.ts';
import { type CensusRows, releaseOf } from '../sbom/census-rows.ts';
import type { Entry } from '../sbom/fixture.ts';
import { syftArtifacts } from './syft-purls.ts';

const rows: CensusRows = { ...installedRows, ...declaredRows };

test('Syft writes the purls of the census, and no others', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-syft-census-'));
  const counts: Record<string, number> = {};
  try {
    const theirs = await syftPurls(folder);
    for (const [name, { purls }] of Object.entries(rows)) {
      const found = [...new Set(theirs.get(name))].sort();
      if (JSON.stringify(found) === JSON.stringify(purls)) counts[name] = purls.length;
      else console.log(`${name}: Syft writes ${found.join(', ') || 'none'}; here ${purls.join(', ')}`);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  prove('purls', counts);
});

/** Each row in a folder of its own, below a root for each release: what Syft finds there, by the name of the row. */
async function syftPurls(folder: string): Promise<ReadonlyMap<string, string[]>> {
  const found = new Map<string, string[]>();
  const releases = Map.groupBy(Object.entries(rows), ([, row]) => row.release);
  for (const [at, group] of [...releases.values()].entries()) {
    const root = join(folder, String(at));
    await put(root, releaseOf(group[0]?.[1] ?? {}));
    for (const [name, { good }] of group) for (const one of good) await put(join(root, name), one);
    for (const { purl, type, name, locations } of await syftArtifacts(root)) {
      const row = locations[0]?.path.split('/')[1] ?? '';
      const text = purl === '' ? `${type} ${name} without a purl` : purl;
      found.set(row, [...(found.get(row) ?? []), text]);
    }
  }
  return found;
}

async function put(root: string, entry: Entry): Promise<void> {
  if (!('text' in entry)) throw new Error(`${entry.path} is no file`);
  const path = join(root, entry.path);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, entry.text);
}
