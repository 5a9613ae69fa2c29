/** Census of the cataloguers of lock files and project files. */
import { type CensusRows, file, json } from './census-rows.ts';

export const declaredRows: CensusRows = {
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
    good: [file('srv/requirements-dev.txt', '# c\n-r other.txt\nFlask==2.0 \\\n  --hash=sha256:1\n')],
    purls: ['pkg:pypi/flask@2.0'],
    broken: file('srv/requirements.txt', 'Flask==2.0\nidna==\n'),
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
    broken: file('srv/gradle.lockfile', 'g:a:1=runtimeClasspath\ng:b\n'),
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
        'GEM\n  remote: x\n  specs:\n    a (1.0)\n      b (~> 2)\n    b (2.1)\n\nPLATFORMS\n  ruby\n',
      ),
    ],
    purls: ['pkg:gem/a@1.0', 'pkg:gem/b@2.1'],
    broken: file('srv/Gemfile.lock', 'GEM\n  specs:\n    a (1.0)\n    b\n'),
    decoy: file('srv/Gemfile', "gem 'a', '1.0'\n"),
  },
  'go-mod': {
    good: [
      file(
        'srv/go.mod',
        'module m\nrequire (\n\ta.b/c v1.0.0 // indirect\n\td.e/f v0.2.0\n)\nreplace d.e/f => ../f\n',
      ),
    ],
    purls: ['pkg:golang/a.b/c@v1.0.0', 'pkg:golang/d.e/f'],
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
    purls: ['pkg:nuget/A@1.0.0', 'pkg:nuget/P'],
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
    broken: file('srv/mix.lock', '%{\n  "jason": {:hex, :jason},\n}\n'),
    decoy: file('srv/mix.exs', '"jason": {:hex, :jason, "1.4.0", "e8"}'),
  },
  'rebar-lock': {
    good: [file('srv/rebar.lock', '{"1.2.0",\n[{<<"cowlib">>,{pkg,<<"cowlib">>,<<"2.11.0">>},1}]}.\n')],
    purls: ['pkg:hex/cowlib@2.11.0'],
    broken: file('srv/rebar.lock', '{"1.2.0",\n[{<<"cowlib">>,{pkg,<<"cowlib">>},1}]}.\n'),
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
        'PODS:\n  - Firebase/Core (10.0.0):\n    - FirebaseCore\n  - FirebaseCore (10.1.0)\n\nSPEC CHECKSUMS:\n  Firebase: 0123\n  FirebaseCore: 4567\n',
      ),
    ],
    purls: ['pkg:cocoapods/Firebase@10.0.0#Core', 'pkg:cocoapods/FirebaseCore@10.1.0'],
    broken: file('srv/Podfile.lock', 'PODS:\n  - Firebase\n'),
    decoy: file('srv/Podfile', "pod 'Firebase', '10.0.0'\n"),
  },
};
