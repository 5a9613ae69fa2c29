/** Every cataloguer with what it finds, what breaks it, and what it must not take for its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { limits } from '#base/limits';
import type { Sbom } from '#formats/sbom';
import { catalogueLayers, cataloguers } from '#sbom';
import { elf, goProgram, zip } from './binaries.ts';
import { type Entry, image, options } from './fixture.ts';

interface Row {
  readonly good: readonly Entry[];
  readonly purls: readonly string[];
  /** Becomes an unknown of this cataloguer. */
  readonly broken?: Entry;
  /** Looks like one of its files and is none. */
  readonly decoy: Entry;
}

const file = (path: string, text: string | Uint8Array): Entry => ({ path, text });
const json = (path: string, value: unknown): Entry => file(path, JSON.stringify(value));
const program = (path: string, text: string): Entry =>
  file(path, elf([{ name: '.rodata', bytes: Buffer.from(text) }]));

const goModules = [
  'path\texample.com/tool',
  'mod\texample.com/tool\tv1.2.3\t',
  'dep\tgolang.org/x/text\tv0.3.0\th1:x',
  '',
].join('\n');
const rustAudit = deflateSync(
  JSON.stringify({
    packages: [
      { name: 'app', version: '0.1.0', source: 'local', root: true, dependencies: [1, 2] },
      { name: 'serde', version: '1.0.200', source: 'crates.io' },
      { name: 'cc', version: '1.0.0', source: 'crates.io', kind: 'build' },
    ],
  }),
);
const maven = (group: string, artifact: string, version: string): Record<string, string> => ({
  [`META-INF/maven/${group}/${artifact}/pom.properties`]: `groupId=${group}\nartifactId=${artifact}\nversion=${version}\n`,
});
const manifest = { 'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\nImplementation-Version: 9.9\n' };

const rows: Readonly<Record<string, Row>> = {
  dpkg: {
    good: [
      file(
        'var/lib/dpkg/status',
        'Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n',
      ),
    ],
    purls: ['pkg:deb/debian/a@1?arch=all&distro=debian-12'],
    broken: file('var/lib/dpkg/status', 'Package: a\nVersion 1\n'),
    decoy: file('srv/status', 'Package: a\nStatus: install ok installed\nVersion: 1\n'),
  },
  apk: {
    good: [file('lib/apk/db/installed', 'P:musl\nV:1.2.4-r1\nA:x86_64\no:musl\n\n')],
    purls: ['pkg:apk/debian/musl@1.2.4-r1?arch=x86_64&distro=debian-12'],
    broken: file('lib/apk/db/installed', 'P:musl\nA:x86_64\n\n'),
    decoy: file('srv/installed', 'P:musl\nV:1.2.4-r1\n\n'),
  },
  rpm: {
    good: [
      file(
        'var/lib/rpmmanifest/container-manifest-2',
        'zlib\t1.2.11-5.cm2\t1\t2\tVendor\t(none)\t10\tx86_64\t0\tzlib-1.2.11-5.cm2.src.rpm\n',
      ),
    ],
    purls: [
      'pkg:rpm/debian/zlib@1.2.11-5.cm2?arch=x86_64&distro=debian-12&upstream=zlib-1.2.11-5.cm2.src.rpm',
    ],
    broken: file('var/lib/rpm/rpmdb.sqlite', 'SQLite format 3\0 and no more'),
    decoy: file('srv/Packages', 'a list'),
  },
  alpm: {
    good: [
      file('var/lib/pacman/local/gmp-6.2.1-2/desc', '%NAME%\ngmp\n\n%VERSION%\n6.2.1-2\n\n%ARCH%\nx86_64\n'),
    ],
    purls: ['pkg:alpm/debian/gmp@6.2.1-2?arch=x86_64&distro=debian-12'],
    broken: file('var/lib/pacman/local/x-1/desc', '%NAME%\nx\n'),
    decoy: file('srv/desc', '%NAME%\ngmp\n\n%VERSION%\n1\n'),
  },
  portage: {
    good: [
      file(
        'var/db/pkg/app-shells/bash-5.2_p15-r6/CONTENTS',
        'obj /bin/bash 0123456789abcdef0123456789abcdef 1\n',
      ),
    ],
    purls: ['pkg:ebuild/app-shells/bash@5.2_p15-r6'],
    broken: file('var/db/pkg/app-shells/bash/CONTENTS', ''),
    decoy: file('srv/CONTENTS', 'obj /a'),
  },
  npm: {
    good: [json('srv/node_modules/@s/a/package.json', { name: '@s/a', version: '1.0.0' })],
    purls: ['pkg:npm/%40s/a@1.0.0'],
    broken: file('srv/node_modules/a/package.json', '{"name":'),
    decoy: json('srv/x/package.json', { name: 'com.unity.thing', version: '1.0.0', unity: '2020' }),
  },
  python: {
    good: [
      file(
        'usr/lib/python3/dist-packages/Flask-2.0.dist-info/METADATA',
        'Metadata-Version: 2.1\nName: Flask\nVersion: 2.0\n',
      ),
    ],
    purls: ['pkg:pypi/flask@2.0'],
    broken: file('usr/lib/python3/dist-packages/x.dist-info/METADATA', 'Metadata-Version: 2.1\n'),
    decoy: file('srv/METADATA', 'Name: x\nVersion: 1\n'),
  },
  gem: {
    good: [
      file(
        'var/lib/gems/3.1.0/specifications/rack-2.2.4.gemspec',
        '# stub: rack 2.2.4 ruby lib\nGem::Specification.new do |s|\n  s.name = "rack".freeze\n  s.version = "2.2.4"\n  s.licenses = ["MIT".freeze]\nend\n',
      ),
    ],
    purls: ['pkg:gem/rack@2.2.4'],
    broken: file('var/lib/gems/3.1.0/specifications/x.gemspec', 'Gem::Specification.new'),
    decoy: file('srv/rack/rack.gemspec', 's.name = "rack"\ns.version = "1"\n'),
  },
  java: {
    good: [
      file(
        'srv/app.war',
        zip({
          ...manifest,
          ...maven('org.example', 'app', '1.0'),
          ...maven('org.shaded', 'inner', '2.0'),
          'WEB-INF/lib/commons-io-2.11.0.jar': zip({
            ...manifest,
            ...maven('commons-io', 'commons-io', '2.11.0'),
          }),
        }),
      ),
    ],
    purls: [
      'pkg:maven/commons-io/commons-io@2.11.0',
      'pkg:maven/org.example/app@1.0',
      'pkg:maven/org.shaded/inner@2.0',
    ],
    broken: file('srv/broken.jar', 'PK and nothing of an archive'),
    decoy: file('srv/without-manifest.jar', zip({ 'a.class': 'x' })),
  },
  go: {
    good: [
      file('usr/bin/tool', goProgram('go1.21.3', goModules, false)),
      file('usr/bin/old', goProgram('go1.17.1', goModules, true)),
    ],
    purls: [
      'pkg:golang/example.com/tool@v1.2.3',
      'pkg:golang/golang.org/x/text@v0.3.0',
      'pkg:golang/stdlib@1.17.1',
      'pkg:golang/stdlib@1.21.3',
    ],
    broken: file('usr/bin/cut', goProgram('go1.17.1', goModules, true).subarray(0, -280)),
    decoy: program('usr/bin/other', 'talks about Go buildinf: in a text'),
  },
  rust: {
    good: [file('usr/bin/app', elf([{ name: '.dep-v0', bytes: rustAudit }]))],
    purls: ['pkg:cargo/app@0.1.0', 'pkg:cargo/serde@1.0.200'],
    broken: file('usr/bin/app', elf([{ name: '.dep-v0', bytes: Buffer.from('not compressed') }])),
    decoy: program('usr/bin/plain', '.dep-v0 in a text'),
  },
  composer: {
    good: [
      json('srv/vendor/composer/installed.json', {
        packages: [{ name: 'a/b', version: '1.0.0', license: ['MIT'] }],
      }),
    ],
    purls: ['pkg:composer/a/b@1.0.0'],
    broken: file('srv/vendor/composer/installed.json', '[{'),
    decoy: json('srv/installed.json', { something: 'else' }),
  },
  pear: {
    good: [
      file(
        'usr/share/php/.registry/.channel.pecl.php.net/x.reg',
        'a:3:{s:4:"name";s:1:"x";s:7:"channel";s:12:"pecl.php.net";s:7:"release";s:5:"1.2.3";}',
      ),
    ],
    purls: ['pkg:pear/pecl.php.net/x@1.2.3'],
    broken: file('usr/share/php/.registry/x.reg', 'a:0:{}'),
    decoy: file('srv/x.reg', 's:4:"name";s:1:"x";s:7:"release";s:1:"1";'),
  },
  dotnet: {
    good: [
      json('app/app.deps.json', {
        runtimeTarget: { name: '.NETCoreApp,Version=v8.0' },
        targets: {
          '.NETCoreApp,Version=v8.0': { 'app/1.0.0': { dependencies: { 'Newtonsoft.Json': '13.0.1' } } },
        },
        libraries: {
          'app/1.0.0': { type: 'project' },
          'Newtonsoft.Json/13.0.1': { type: 'package', sha512: 'sha512-AAAA' },
        },
      }),
    ],
    purls: ['pkg:nuget/Newtonsoft.Json@13.0.1', 'pkg:nuget/app@1.0.0'],
    broken: json('app/app.deps.json', { libraries: { nameless: {} } }),
    decoy: json('app/deps.json', { libraries: { 'a/1': {} } }),
  },
  conan: {
    good: [
      file(
        'root/.conan/data/zlib/1.2.11/_/_/package/0123456789abcdef0123456789abcdef01234567/conaninfo.txt',
        '[full_requires]\n    bzip2/1.0.8:abc\n',
      ),
    ],
    purls: ['pkg:conan/bzip2@1.0.8', 'pkg:conan/zlib@1.2.11'],
    decoy: file('srv/conaninfo.txt', 'notes of a person'),
  },
  conda: {
    good: [
      json('opt/conda/conda-meta/a-1.json', { name: 'a', version: '1', build: 'py_0', subdir: 'noarch' }),
    ],
    purls: ['pkg:conda/a@1?build=py_0&subdir=noarch'],
    broken: file('opt/conda/conda-meta/a.json', '{}'),
    decoy: json('srv/a.json', { name: 'a', version: '1' }),
  },
  r: {
    good: [
      file('usr/lib/R/library/zoo/DESCRIPTION', 'Package: zoo\nVersion: 1.8-12\nLicense: GPL-2 | GPL-3\n'),
    ],
    purls: ['pkg:cran/zoo@1.8-12'],
    broken: file('usr/lib/R/library/x/DESCRIPTION', 'Title: nothing else\n'),
    decoy: file('srv/DESCRIPTION', 'Package: zoo\nVersion: 1\n'),
  },
  wordpress: {
    good: [
      file(
        'var/www/wp-content/plugins/akismet/akismet.php',
        '<?php\n/**\n * Plugin Name: Akismet\n * Version: 5.3\n */\n',
      ),
    ],
    purls: ['pkg:generic/akismet@5.3'],
    decoy: file('var/www/wp-content/plugins/akismet/class.php', '<?php // Version: 9\n'),
  },
  jvm: {
    good: [
      file(
        'usr/lib/jvm/java-17/release',
        'IMPLEMENTOR="Debian"\nJAVA_VERSION="17.0.9"\nJAVA_RUNTIME_VERSION="17.0.9+9-Debian-1"\n',
      ),
    ],
    purls: ['pkg:generic/oracle/openjdk@17.0.9%2B9-Debian-1'],
    decoy: file('usr/lib/jvm/notes/release', 'the release of something\n'),
  },
  binary: {
    good: [
      program('opt/bin/node', 'xx node.js/v20.11.1 yy'),
      program('usr/local/bin/python3.11', 'a\x003.11.4\x00b'.padEnd(200)),
    ],
    purls: ['pkg:generic/node@20.11.1', 'pkg:generic/python@3.11.4'],
    decoy: file('opt/bin/node', `#!/bin/sh\necho node.js/v20.11.1 ${'x'.repeat(100)}\n`),
  },
  'npm-lock': {
    good: [
      json('srv/package-lock.json', {
        lockfileVersion: 3,
        packages: { 'node_modules/a': { version: '1.0.0' } },
      }),
    ],
    purls: ['pkg:npm/a@1.0.0'],
    broken: file('srv/package-lock.json', '{'),
    decoy: json('srv/package-lock.json', { name: 'empty', lockfileVersion: 3, packages: {} }),
  },
  'yarn-lock': {
    good: [file('srv/yarn.lock', '# yarn lockfile v1\n\n"@s/a@^1.0.0":\n  version "1.0.1"\n')],
    purls: ['pkg:npm/%40s/a@1.0.1'],
    broken: file('srv/yarn.lock', 'a@^1:\n  resolved "x"\n'),
    decoy: file('srv/yarn.lock', '# yarn lockfile v1\n'),
  },
  'pnpm-lock': {
    good: [
      file(
        'srv/pnpm-lock.yaml',
        "lockfileVersion: '9.0'\npackages:\n  a@1.0.0:\n    resolution: {integrity: x}\n",
      ),
    ],
    purls: ['pkg:npm/a@1.0.0'],
    broken: file('srv/pnpm-lock.yaml', 'packages: [\n'),
    decoy: file('srv/pnpm-lock.yaml', "lockfileVersion: '9.0'\n"),
  },
  'bun-lock': {
    good: [
      file(
        'srv/bun.lock',
        '{ "lockfileVersion": 1, "packages": { "a": ["a@1.0.0", "", {}, "sha512-AAAA"], }, }',
      ),
    ],
    purls: ['pkg:npm/a@1.0.0'],
    broken: file('srv/bun.lock', '{ "packages": { "a": [] } }'),
    decoy: file('srv/bun.lock', '{ "lockfileVersion": 1 }'),
  },
  'deno-lock': {
    good: [json('srv/deno.lock', { version: '4', npm: { 'chalk@5.3.0': {} } })],
    purls: ['pkg:npm/chalk@5.3.0'],
    broken: json('srv/deno.lock', { npm: { chalk: {} } }),
    decoy: json('srv/deno.lock', { version: '4' }),
  },
  'python-lock': {
    good: [
      file('srv/poetry.lock', '[[package]]\nname = "Flask"\nversion = "2.0"\n'),
      file('srv/uv.lock', '[[package]]\nname = "idna"\nversion = "3.10"\n'),
    ],
    purls: ['pkg:pypi/flask@2.0', 'pkg:pypi/idna@3.10'],
    broken: file('srv/poetry.lock', '[[package\n'),
    decoy: file('srv/other.lock', '[[package]]\nname = "x"\nversion = "1"\n'),
  },
  'pipfile-lock': {
    good: [json('srv/Pipfile.lock', { default: { idna: { version: '==3.10' } }, develop: {} })],
    purls: ['pkg:pypi/idna@3.10'],
    broken: file('srv/Pipfile.lock', '{'),
    decoy: json('srv/Pipfile.lock', { _meta: {} }),
  },
  requirements: {
    good: [file('srv/requirements-dev.txt', '# c\nFlask==2.0 \\\n  --hash=sha256:1\nidna>=3\n')],
    purls: ['pkg:pypi/flask@2.0'],
    decoy: file('srv/notes.txt', 'flask==2.0\n'),
  },
  pom: {
    good: [
      file(
        'srv/pom.xml',
        '<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version></project>',
      ),
    ],
    purls: ['pkg:maven/g/a@1'],
    broken: file('srv/pom.xml', '<html></html>'),
    decoy: file('srv/other.xml', '<project><artifactId>a</artifactId><version>1</version></project>'),
  },
  'gradle-lock': {
    good: [file('srv/gradle.lockfile', '# c\ng:a:1=runtimeClasspath\nempty=x\n')],
    purls: ['pkg:maven/g/a@1'],
    decoy: file('srv/gradle.properties', 'g:a:1=x\n'),
  },
  'gradle-verification': {
    good: [
      file(
        'srv/gradle/verification-metadata.xml',
        '<verification-metadata><components><component group="g" name="a" version="1"/></components></verification-metadata>',
      ),
    ],
    purls: ['pkg:maven/g/a@1'],
    broken: file('srv/gradle/verification-metadata.xml', '<x/>'),
    decoy: file('srv/metadata.xml', '<verification-metadata/>'),
  },
  'cargo-lock': {
    good: [file('srv/Cargo.lock', '[[package]]\nname = "a"\nversion = "1.0.0"\n')],
    purls: ['pkg:cargo/a@1.0.0'],
    broken: file('srv/Cargo.lock', '[[package]]\nname = "a"\n'),
    decoy: file('srv/Cargo.toml', '[[package]]\nname = "a"\nversion = "1.0.0"\n'),
  },
  'composer-lock': {
    good: [json('srv/composer.lock', { packages: [{ name: 'a/b', version: '1.0.0' }], 'packages-dev': [] })],
    purls: ['pkg:composer/a/b@1.0.0'],
    broken: file('srv/composer.lock', 'null'),
    decoy: json('srv/composer.json', { packages: [{ name: 'a/b', version: '1' }] }),
  },
  'gemfile-lock': {
    good: [
      file(
        'srv/Gemfile.lock',
        'GEM\n  remote: x\n  specs:\n    a (1.0)\n      b (~> 2)\n    b (2.1-x86_64-linux)\n\nPLATFORMS\n  ruby\n',
      ),
    ],
    purls: ['pkg:gem/a@1.0', 'pkg:gem/b@2.1?platform=x86_64-linux'],
    decoy: file('srv/Gemfile', "gem 'a', '1.0'\n"),
  },
  'go-mod': {
    good: [
      file(
        'srv/go.mod',
        'module m\nrequire (\n\ta.b/c v1.0.0 // indirect\n\td.e/f v2.0.0\n)\nreplace d.e/f => ../f\n',
      ),
    ],
    purls: ['pkg:golang/a.b/c@v1.0.0'],
    broken: file('srv/go.mod', 'this is something else'),
    decoy: file('srv/go.sum', 'a.b/c v1.0.0 h1:x\n'),
  },
  'nuget-lock': {
    good: [
      json('srv/packages.lock.json', {
        version: 1,
        dependencies: { net8: { A: { resolved: '1.0.0' }, P: { type: 'Project' } } },
      }),
    ],
    purls: ['pkg:nuget/A@1.0.0'],
    broken: file('srv/packages.lock.json', '{'),
    decoy: json('srv/packages.json', { dependencies: { net8: { A: { resolved: '1' } } } }),
  },
  'conan-lock': {
    good: [
      json('srv/conan.lock', { version: '0.5', requires: ['zlib/1.2.11#abc%1', 'mylib/1.0@user/channel#a'] }),
    ],
    purls: ['pkg:conan/user/mylib@1.0?channel=channel', 'pkg:conan/zlib@1.2.11'],
    broken: file('srv/conan.lock', 'x'),
    decoy: json('srv/conan.json', { requires: ['zlib/1.2.11'] }),
  },
  'mix-lock': {
    good: [
      file(
        'srv/mix.lock',
        '%{\n  "jason": {:hex, :jason, "1.4.0", "e855647bc964a44e2f67df589ccf49105ae039d4179db7f6271dfd3843dc27e6", [:mix], [], "hexpm", "x"},\n}\n',
      ),
    ],
    purls: ['pkg:hex/jason@1.4.0'],
    decoy: file('srv/mix.exs', '"jason": {:hex, :jason, "1.4.0", "e8"}'),
  },
  'rebar-lock': {
    good: [file('srv/rebar.lock', '{"1.2.0",\n[{<<"cowlib">>,{pkg,<<"cowlib">>,<<"2.11.0">>},1}]}.\n')],
    purls: ['pkg:hex/cowlib@2.11.0'],
    decoy: file('srv/rebar.config', '{<<"cowlib">>,{pkg,<<"cowlib">>,<<"2.11.0">>},1}'),
  },
  'pub-lock': {
    good: [
      file(
        'srv/pubspec.lock',
        'packages:\n  path:\n    dependency: transitive\n    description:\n      name: path\n      url: "https://pub.dev"\n    source: hosted\n    version: "1.8.3"\n',
      ),
    ],
    purls: ['pkg:pub/path@1.8.3'],
    broken: file('srv/pubspec.lock', 'packages:\n  path: {}\n'),
    decoy: file('srv/pubspec.yaml', 'name: path\nversion: 1.8.3\n'),
  },
  'swift-lock': {
    good: [
      json('srv/Package.resolved', {
        version: 2,
        pins: [
          {
            identity: 'swift-nio',
            location: 'https://github.com/apple/swift-nio.git',
            state: { version: '2.40.0' },
          },
        ],
      }),
    ],
    purls: ['pkg:swift/github.com/apple/swift-nio@2.40.0'],
    broken: json('srv/Package.resolved', { pins: [{ location: 'https://github.com/apple/swift-nio.git' }] }),
    decoy: json('srv/Package.json', { pins: [] }),
  },
  'pod-lock': {
    good: [
      file(
        'srv/Podfile.lock',
        'PODS:\n  - Firebase/Core (10.0.0):\n    - FirebaseCore\n  - FirebaseCore (10.1.0)\n',
      ),
    ],
    purls: ['pkg:cocoapods/Firebase@10.0.0#Core', 'pkg:cocoapods/FirebaseCore@10.1.0'],
    broken: file('srv/Podfile.lock', 'PODS:\n  - Firebase\n'),
    decoy: file('srv/Podfile', "pod 'Firebase', '10.0.0'\n"),
  },
};

const osRelease: Entry = file('etc/os-release', 'ID=debian\nVERSION_ID="12"\n');

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

  const { broken } = row;
  if (broken === undefined) continue;
  test(`${name}: names a file it cannot read`, async () => {
    const { unknowns } = await catalogue([broken]);
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
