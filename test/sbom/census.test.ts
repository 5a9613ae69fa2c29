/** Every cataloguer with what it finds, what breaks it, and what it must not take for its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#base/limits';
import type { Sbom } from '#formats/sbom';
import { catalogueLayers, cataloguers } from '#sbom';
import { zip } from './binaries.ts';
import { declaredRows } from './census-declared.ts';
import { installedRows, maven } from './census-installed.ts';
import { type CensusRow, type CensusRows, file, json, releaseOf } from './census-rows.ts';
import { type Entry, image, imageOf, options, sparseTar } from './fixture.ts';

const rows: CensusRows = { ...installedRows, ...declaredRows };

async function catalogue(entries: readonly Entry[], of: Pick<CensusRow, 'release'> = {}): Promise<Sbom> {
  const made = await image([releaseOf(of), ...entries]);
  return (await catalogueLayers(made.input, { ...options, cataloguers })).sbom;
}

test('every cataloguer has its row here', () => {
  assert.deepEqual(Object.keys(rows).sort(), cataloguers.map((one) => one.name).sort());
});

for (const [name, row] of Object.entries(rows)) {
  test(`${name}: finds its own, with purls as others write them`, async () => {
    const { packages, unknowns } = await catalogue(row.good, row);
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
    const { packages } = await catalogue([row.decoy], row);
    assert.deepEqual(
      packages.filter((one) => one.foundBy === name),
      [],
    );
  });

  test(`${name}: names a file it cannot read`, async () => {
    const { broken, isSparse = false } = row;
    const made = isSparse
      ? imageOf([{ tar: await sparseTar(broken) }])
      : await image([releaseOf(row), broken]);
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

test('the platform of a gem is no part of its version', async () => {
  const { packages } = await catalogue([
    file('srv/Gemfile.lock', 'GEM\n  specs:\n    b (2.1-x86_64-linux)\n'),
  ]);
  assert.deepEqual(
    packages.map((one) => one.purl),
    ['pkg:gem/b@2.1?platform=x86_64-linux'],
  );
});

test('a requirement that is not pinned is listed without a version, and named; what is none is only named', async () => {
  const lines = [
    'pinned[extra] == 1.0 ; python_version > "3"',
    'bare',
    'range >=1, <2  # why',
    'star==2.*',
    'there @ https://example.com/there.whl',
    '-e git+https://example.com/a.git#egg=a',
    '-r others.txt',
    '--index-url https://example.com',
    'cut==',
    'two words',
  ];
  const { packages, unknowns } = await catalogue([file('srv/requirements.txt', lines.join('\n'))]);
  assert.deepEqual(
    packages.map((one) => `${one.name} ${one.version}`),
    ['bare ', 'pinned 1.0', 'range ', 'star ', 'there '],
  );
  assert.deepEqual(
    unknowns.map(({ reason }) => reason).filter((reason) => reason.startsWith('without')),
    [
      'without an exact version: bare, range, star, there, -e git+https://example.com/a.git#egg=a, cut==, two words',
    ],
  );
});

test('a line of a lock file that says nothing takes no package away', async () => {
  const { packages, unknowns } = await catalogue([
    file('srv/gradle.lockfile', 'g:a:1=x\ng:b=x\nempty=y\n'),
    file('srv/Gemfile.lock', 'GEM\n  specs:\n    a (1.0)\n    b\n    c (2.0)\n'),
    file(
      'srv/mix.lock',
      '%{\n  "a": {:git, "https://example.com/a.git", "0123", []},\n  "b": {:path, "b"},\n}\n',
    ),
    file(
      'srv/rebar.lock',
      '[{<<"r">>,{git,"https://example.com/r.git",{ref,"4567"}},0},\n {<<"s">>,{hg,"x"},0}].\n',
    ),
  ]);
  assert.deepEqual(packages.map((one) => `${one.foundBy} ${one.name} ${one.version}`).sort(), [
    'gemfile-lock a 1.0',
    'gemfile-lock c 2.0',
    'gradle-lock g:a 1',
    'mix-lock a 0123',
    'rebar-lock r 4567',
  ]);
  assert.deepEqual(
    unknowns.filter(({ path }) => path !== '').map(({ reason }) => reason),
    [
      'a gem "b" without a version',
      'a line "g:b=x" that locks nothing',
      'a package "b" without a version',
      'a package "s" without a version',
    ],
  );
});

test('what has no version is listed without one, and told where it should have one', async () => {
  const { packages, unknowns } = await catalogue([
    json('srv/package.json', { name: 'own' }),
    json('srv/node_modules/a/package.json', { name: 'a' }),
    file('srv/thing.jar', zip({ 'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\nCreated-By: x\n' })),
    json('srv/vendor/composer/installed.json', [{ name: 'c/d' }]),
    file(
      'srv/pom.xml',
      '<project><artifactId>p</artifactId><version>1</version><dependencies><dependency><groupId>g</groupId><artifactId>managed</artifactId></dependency></dependencies></project>',
    ),
  ]);
  assert.deepEqual(
    packages.map((one) => [one.purl, one.version]),
    [
      ['pkg:composer/c/d', ''],
      ['pkg:maven/g/managed', ''],
      ['pkg:maven/p/p@1', '1'],
      ['pkg:maven/thing/thing', ''],
      ['pkg:npm/a', ''],
      ['pkg:npm/own', ''],
    ],
  );
  assert.deepEqual(
    unknowns.flatMap(({ path, reason }) => (path === '' ? [] : [`${path}: ${reason}`])),
    [
      'srv/node_modules/a/package.json: an installed package without a version',
      'srv/pom.xml: without an exact version: g:managed',
      'srv/thing.jar: an archive without a version',
      'srv/vendor/composer/installed.json: a package "c/d" without a version',
    ],
  );
});

test('the group of an archive is the one its bundle names, before that of its module', async () => {
  const { packages } = await catalogue([
    file(
      'srv/guice-4.2.3.jar',
      zip({
        'META-INF/MANIFEST.MF':
          'Manifest-Version: 1.0\nAutomatic-Module-Name: com.google.guice\nBundle-SymbolicName: com.google.inject\n',
      }),
    ),
  ]);
  assert.deepEqual(
    packages.map((one) => one.purl),
    ['pkg:maven/com.google.inject/guice@4.2.3'],
  );
});

test('what a lock file takes from a folder or an address is listed without a version', async () => {
  const { packages, unknowns } = await catalogue([
    json('srv/a/package-lock.json', {
      name: 'root',
      lockfileVersion: 3,
      packages: { '': { name: 'root' }, 'packages/x': { name: 'x' }, 'node_modules/y': {} },
    }),
    json('srv/b/package-lock.json', {
      lockfileVersion: 1,
      dependencies: {
        g: { version: 'git+https://example.com/g.git#abc' },
        f: { version: 'file:../f' },
        n: {},
      },
    }),
    file(
      'srv/gradle/verification-metadata.xml',
      '<verification-metadata><components><component name="b" version="2"/></components></verification-metadata>',
    ),
  ]);
  assert.deepEqual(
    packages.map((one) => `${one.name} ${one.version}`),
    ['f ', 'g ', 'n ', 'x ', 'y '],
  );
  assert.deepEqual(
    unknowns.filter(({ path }) => path !== '').map(({ path, reason }) => `${path}: ${reason}`),
    [
      'srv/a/package-lock.json: a package "y" without a version',
      'srv/b/package-lock.json: a package "n" without a version',
      'srv/gradle/verification-metadata.xml: a component ":b:2" without all of its parts',
    ],
  );
});
