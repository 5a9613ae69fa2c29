/** Census of the cataloguers of installed packages. */
import { deflateSync } from 'node:zlib';
import { elf, goProgram, zip } from './binaries.ts';
import { type CensusRows, file, json } from './census-rows.ts';
import type { Entry } from './fixture.ts';
import { bzImage, kernelModule } from './kernels.ts';

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
export const maven = (group: string, artifact: string, version: string): Record<string, string> => ({
  [`META-INF/maven/${group}/${artifact}/pom.properties`]: `groupId=${group}\nartifactId=${artifact}\nversion=${version}\n`,
});
const manifest = { 'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\nImplementation-Version: 9.9\n' };

export const installedRows: CensusRows = {
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
    release: 'ID=alpine\nVERSION_ID=3.20.1\n',
    good: [file('lib/apk/db/installed', 'P:musl\nV:1.2.4-r1\nA:x86_64\no:musl\n\n')],
    purls: ['pkg:apk/alpine/musl@1.2.4-r1?arch=x86_64&distro=alpine-3.20.1'],
    broken: file('lib/apk/db/installed', 'P:musl\nA:x86_64\n\n'),
    decoy: file('srv/installed', 'P:musl\nV:1.2.4-r1\n\n'),
  },
  rpm: {
    release: 'ID=rhel\nVERSION_ID="9.4"\n',
    good: [
      file(
        'var/lib/rpmmanifest/container-manifest-2',
        'zlib\t1.2.11-5.cm2\t1\t2\tVendor\t(none)\t10\tx86_64\t0\tzlib-1.2.11-5.cm2.src.rpm\n',
      ),
    ],
    purls: [
      'pkg:rpm/redhat/zlib@1.2.11-5.cm2?arch=x86_64&distro=rhel-9.4&upstream=zlib-1.2.11-5.cm2.src.rpm',
    ],
    broken: file('var/lib/rpm/rpmdb.sqlite', 'SQLite format 3\0 and no more'),
    decoy: file('srv/Packages', 'a list'),
  },
  alpm: {
    release: 'ID=arch\n',
    good: [
      file('var/lib/pacman/local/gmp-6.2.1-2/desc', '%NAME%\ngmp\n\n%VERSION%\n6.2.1-2\n\n%ARCH%\nx86_64\n'),
    ],
    purls: ['pkg:alpm/arch/gmp@6.2.1-2?arch=x86_64&distro=arch'],
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
        'a:3:{s:4:"name";s:1:"x";s:7:"channel";s:12:"pecl.php.net";s:7:"version";a:2:{s:7:"release";s:5:"1.2.3";s:3:"api";s:5:"1.2.0";}}',
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
    broken: file('srv/conaninfo.txt', '[full_requires]\n    zlib\n'),
    decoy: file('srv/conaninfo.txt', 'notes of a person'),
  },
  conda: {
    good: [
      json('opt/conda/conda-meta/a-1.json', {
        name: 'a',
        version: '1',
        build: 'py_0',
        subdir: 'noarch',
        channel: 'https://conda.example/conda-forge/',
      }),
    ],
    purls: ['pkg:conda/a@1?build=py_0&channel=conda-forge&subdir=noarch'],
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
    broken: file('var/www/wp-content/plugins/old/old.php', '<?php\n/* Plugin Name: Old */\n'),
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
    broken: file('usr/lib/jvm/java-17/release', 'IMPLEMENTOR="Debian"\nJAVA_VERSI'),
    decoy: file('usr/lib/jvm/notes/release', 'the release of something\n'),
  },
  binary: {
    good: [
      program('opt/bin/node', 'xx node.js/v20.11.1 yy'),
      program('usr/local/bin/python3.11', 'a\x003.11.4\x00b'.padEnd(200)),
    ],
    purls: ['pkg:generic/node@20.11.1', 'pkg:generic/python@3.11.4'],
    broken: { ...program('opt/bin/tool', 'x'.repeat(512)), mode: 0o755 },
    isSparse: true,
    decoy: file('opt/bin/node', `#!/bin/sh\necho node.js/v20.11.1 ${'x'.repeat(100)}\n`),
  },
  'linux-kernel': {
    good: [
      file('boot/vmlinuz-6.1.0-9', bzImage('6.1.0-9 (builder@example.com) #1 SMP')),
      file(
        'lib/modules/6.1.0-9/kernel/drivers/drv.ko',
        kernelModule(['name=drv', 'version=1.2', 'license=GPL', 'vermagic=6.1.0-9 SMP mod_unload ']),
      ),
    ],
    purls: ['pkg:generic/drv@1.2', 'pkg:generic/linux-kernel@6.1.0-9'],
    broken: file('lib/modules/6.1.0-9/kernel/drivers/drv.ko', elf([])),
    decoy: file('srv/src/drv.ko', kernelModule(['name=drv', 'vermagic=6.1.0-9 SMP'])),
  },
};
