/** Every cataloguer with what it finds, what breaks it, and what it must not take for its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#base/limits';
import type { Sbom } from '#formats/sbom';
import { catalogueLayers, cataloguers } from '#sbom';
import { zip } from './binaries.ts';
import { declaredRows } from './census-declared.ts';
import { installedRows, maven } from './census-installed.ts';
import { type CensusRows, file, osRelease } from './census-rows.ts';
import { type Entry, image, imageOf, options, sparseTar } from './fixture.ts';

const rows: CensusRows = { ...installedRows, ...declaredRows };

async function catalogue(entries: readonly Entry[]): Promise<Sbom> {
  const made = await image([osRelease, ...entries]);
  return (await catalogueLayers(made.input, { ...options, cataloguers })).sbom;
}

test('every cataloguer has its row here', () => {
  assert.deepEqual(Object.keys(rows).sort(), cataloguers.map((one) => one.name).sort());
});

for (const [name, row] of Object.entries(rows)) {
  test(`${name}: finds its own, with purls as others write them`, async () => {
    const { packages, unknowns } = await catalogue(row.good);
    const purls = packages.map((one) => one.purl ?? `${one.type} ${one.name} without a purl`);
    assert.deepEqual([...new Set(purls)].sort(), row.purls);
    assert.ok(packages.every((one) => one.foundBy === name));
    assert.deepEqual(
      unknowns.filter((one) => one.wantedBy === name),
      [],
    );
    const types = cataloguers.find((one) => one.name === name)?.types;
    assert.ok(
      packages.every((one) => types?.includes(one.type)),
      'only types it states',
    );
  });

  test(`${name}: leaves a decoy alone`, async () => {
    const { packages } = await catalogue([row.decoy]);
    assert.deepEqual(
      packages.filter((one) => one.foundBy === name),
      [],
    );
  });

  test(`${name}: names a file it cannot read`, async () => {
    const { broken, isSparse = false } = row;
    const made = isSparse ? imageOf([{ tar: await sparseTar(broken) }]) : await image([osRelease, broken]);
    const { unknowns } = (await catalogueLayers(made.input, { ...options, cataloguers })).sbom;
    assert.deepEqual(
      unknowns.filter((one) => one.wantedBy === name).map((one) => one.path),
      [broken.path],
    );
  });
}

test('archives inside each other are read to the limit, one deeper is named', async () => {
  const nest = (depth: number): Uint8Array => {
    let inner = zip(maven('g', 'core', '1'));
    for (let i = 0; i < depth; i++) inner = zip({ 'x.jar': inner });
    return inner;
  };
  const fits = await catalogue([file('srv/a.jar', nest(limits.archiveDepth))]);
  assert.deepEqual(
    fits.packages.map((one) => one.name),
    ['g:core'],
  );
  const deeper = await catalogue([file('srv/a.jar', nest(limits.archiveDepth + 1))]);
  assert.deepEqual(deeper.packages, []);
  assert.match(deeper.unknowns.find((one) => one.wantedBy === 'java')?.reason ?? '', /more than 8 deep/);
  // What lies above it stays.
  const outer = zip({
    ...maven('g', 'outer', '1'),
    'x.jar': nest(limits.archiveDepth),
    'y.jar': zip(maven('g', 'y', '1')),
  });
  const above = await catalogue([file('srv/a.jar', outer)]);
  assert.deepEqual(above.packages.map((one) => one.name).sort(), ['g:outer', 'g:y']);
  assert.equal(above.unknowns.filter((one) => one.wantedBy === 'java').length, 1);
});

test('an archive that says less than it holds is named, not unpacked without end', async () => {
  const bytes = Buffer.from(zip({ 'META-INF/MANIFEST.MF': Buffer.alloc(1024 * 1024) }));
  const directory = bytes.indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
  bytes.writeUInt32LE(10, directory + 24);
  const { unknowns } = await catalogue([file('srv/bomb.jar', bytes)]);
  assert.deepEqual(
    unknowns.filter((one) => one.wantedBy === 'java').map((one) => one.path),
    ['srv/bomb.jar'],
  );
});
