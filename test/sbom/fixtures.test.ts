/** The package databases, metadata and lock files of others, with what their own tests expect of them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import type { Sbom } from '#formats/sbom';
import { catalogueLayers, cataloguers } from '#sbom';
import { prove } from './census-record.ts';
import { type Entry, image, options } from './fixture.ts';

interface Expected {
  readonly name: string;
  readonly version: string;
  readonly epoch?: number | null;
  readonly release?: string;
  readonly arch?: string;
  readonly sourceRpm?: string;
  readonly purl?: string;
  readonly licenses?: readonly string[];
}

interface FixtureCase {
  readonly name: string;
  readonly file?: string;
  readonly dir?: string;
  readonly packages?: readonly Expected[];
  readonly licenses?: readonly string[];
  readonly isOpkg?: boolean;
  readonly error?: boolean;
  readonly options?: { readonly includeDev?: boolean };
}

const shared = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'vectors/packages');

/**
 * Which cataloguer a form of fixture is for, and where such a file would lie in an image; cases of folders keep their
 * places.
 */
const places: Readonly<Record<string, readonly [cataloguer: string, place: (file: string) => string]>> = {
  'os/dpkg': ['dpkg', () => 'var/lib/dpkg/status'],
  'os/apk': ['apk', () => 'lib/apk/db/installed'],
  'os/pacman': ['alpm', () => 'var/lib/pacman/local/some-1/desc'],
  'os/rpm': ['rpm', (file) => `var/lib/rpm/${basename(file)}`],
  'installed/npm-package-json': ['npm', () => 'srv/app/package.json'],
  'installed/python-metadata': ['python', () => 'usr/lib/python3/dist-packages/some.egg-info'],
  'installed/composer-installed': ['composer', () => 'srv/vendor/composer/installed.json'],
  'installed/conda-meta': ['conda', () => 'opt/conda/conda-meta/some.json'],
  'installed/jvm-release': ['jvm', () => 'usr/lib/jvm/some/release'],
  'installed/php-pear': ['pear', () => 'usr/share/php/.registry/some.reg'],
  'lockfiles/bun': ['bun-lock', () => 'srv/bun.lock'],
  'lockfiles/cargo-lock': ['cargo-lock', () => 'srv/Cargo.lock'],
  'lockfiles/composer-lock': ['composer-lock', () => 'srv/composer.lock'],
  'lockfiles/deno': ['deno-lock', () => 'srv/deno.lock'],
  'lockfiles/gemfile-lock': ['gemfile-lock', () => 'srv/Gemfile.lock'],
  'lockfiles/go-mod': ['go-mod', () => 'srv/go.mod'],
  'lockfiles/gradle-lockfile': ['gradle-lock', () => 'srv/gradle.lockfile'],
  'lockfiles/gradle-verification-metadata': [
    'gradle-verification',
    () => 'srv/gradle/verification-metadata.xml',
  ],
  'lockfiles/npm-package-lock': ['npm-lock', () => 'srv/package-lock.json'],
  'lockfiles/pdm': ['python-lock', () => 'srv/pdm.lock'],
  'lockfiles/pipfile': ['pipfile-lock', () => 'srv/Pipfile.lock'],
  'lockfiles/pnpm': ['pnpm-lock', () => 'srv/pnpm-lock.yaml'],
  'lockfiles/poetry': ['python-lock', () => 'srv/poetry.lock'],
  'lockfiles/pom-xml': ['pom', () => 'srv/pom.xml'],
  'lockfiles/pylock': ['python-lock', () => 'srv/pylock.toml'],
  'lockfiles/requirements': ['requirements', () => 'srv/requirements.txt'],
  'lockfiles/uv': ['python-lock', () => 'srv/uv.lock'],
  'lockfiles/yarn': ['yarn-lock', () => 'srv/yarn.lock'],
};

/** Case → why our answer is another one. Everything else has to agree. */
const knownDifferences: Readonly<Record<string, string>> = {
  'os/dpkg osv-scalibr: statusfield':
    'half-installed packages have files on disk: listed, as dpkg-query lists them',
  ...Object.fromEntries(
    ['os/dpkg syft: multiple entries', 'installed/python-metadata syft: egg-file-no-version'].map((name) => [
      name,
      'the record of an installed package that says no version is an unknown',
    ]),
  ),
  'installed/npm-package-json osv-scalibr: empty version': 'listed without a version, as Syft does',
  'lockfiles/pipfile osv-scalibr: package without version': 'listed with its commit',
  'lockfiles/go-mod osv-scalibr: replacements_ local':
    'a module is listed under its own name, not under the folder that stands for it',
  'lockfiles/deno syft: ParseDenoLock': 'addresses of single modules are no packages',
  ...Object.fromEntries(
    ['two packages', 'toolchain', 'indirect packages', 'test extractor for go > 1.16'].map((name) => [
      `lockfiles/go-mod osv-scalibr: ${name}`,
      'the go directive is a lower bound, not the library that runs',
    ]),
  ),
  'lockfiles/go-mod osv-scalibr: test extractor for go <=1.16':
    'go.sum lists what was looked at, not what is used',
  'lockfiles/gradle-verification-metadata osv-scalibr: missing attribute':
    'a component without a group is none',
  ...Object.fromEntries(
    [
      ...['JavascriptCataloger', 'ParsePackageLock', 'ParsePackageLockV1NestedDependencies'],
      ...['ParsePackageLockV2', 'ParsePackageLockV3'],
    ].map((name) => [
      `lockfiles/npm-package-lock syft: ${name}`,
      'development dependencies are declared too',
    ]),
  ),
  'lockfiles/pnpm syft: ParsePnpmLock': 'cut by hand: a real one lists every package under packages',
  'lockfiles/pipfile syft: ParsePipFileLock': 'development dependencies are declared too',
  'lockfiles/npm-package-lock osv-scalibr: commits': 'the project itself is listed when it has a version',
  'lockfiles/npm-package-lock osv-scalibr: bundled_dependencies_are_grouped': 'the project itself is listed',
  'lockfiles/npm-package-lock osv-scalibr: files': 'a folder of the project without a name is no package',
  'lockfiles/pom-xml osv-scalibr: interpolation': 'the project itself is listed, a range is no version',
  'lockfiles/pom-xml osv-scalibr: with parent': 'only what the file itself says: no parent is fetched',
  'lockfiles/pom-xml osv-scalibr: transitive dependencies': 'the project itself is listed',
  'lockfiles/pom-xml osv-scalibr: profiles': 'a profile may not be active',
  'lockfiles/requirements osv-scalibr: invalid': 'a requirement by address is listed, without a version',
  'lockfiles/requirements osv-scalibr: pip_example': 'a range is no version',
  'lockfiles/uv syft: ParseUvLock': 'the project of a lock file is not locked by it',
  'lockfiles/yarn syft: ParseYarnBerry': 'the root workspace is the project itself',
};

const osRelease: Entry = { path: 'etc/os-release', text: 'ID=debian\nVERSION_ID="12"\n' };
const rpmRelease: Entry = { path: 'etc/os-release', text: 'ID=rhel\nVERSION_ID="8"\n' };

function filesOf(folder: string, one: FixtureCase, place: (file: string) => string): Entry[] {
  const base = join(folder, 'files', (one.file ?? one.dir) as string);
  if (!statSync(base).isDirectory()) {
    return [{ path: place(one.file as string), text: new Uint8Array(readFileSync(base)) }];
  }
  const names = readdirSync(base, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(join(base, name)).isFile());
  return files.map((name) => ({
    path: /(?:^|\/)installed$/.test(name) ? 'lib/apk/db/installed' : `site-packages/${name}`,
    text: new Uint8Array(readFileSync(join(base, name))),
  }));
}

async function catalogue(entries: readonly Entry[]): Promise<Sbom> {
  const made = await image(entries);
  return (await catalogueLayers(made.input, { ...options, cataloguers })).sbom;
}

/** Names are compared as registries compare them, Go versions without their letter. */
function keyOf({ name, version }: { readonly name: string; readonly version: string }): string {
  const artifact = name.includes(':') ? name.slice(name.lastIndexOf(':') + 1) : name;
  return `${artifact.toLowerCase().replace(/[-_.]+/g, '-')} ${version.replace(/^v(?=\d)/, '')}`;
}

const versionOf = ({ epoch, version, release }: Expected): string =>
  release === undefined ? version : `${typeof epoch === 'number' ? `${epoch}:` : ''}${version}-${release}`;

/** What has no version is listed without, a commit stands for one; our list has each entry once. */
const wantedKeys = (list: readonly Expected[]): string[] => {
  const real = list.filter((one) => one.name !== '' && !one.name.endsWith(':'));
  return [...new Set(real.map((one) => keyOf({ name: one.name, version: versionOf(one) })))].sort();
};

function runCase(label: string, folder: string, one: FixtureCase, place: (file: string) => string): void {
  test(label, async () => {
    const isRpm = label.startsWith('os/rpm');
    const sbom = await catalogue([isRpm ? rpmRelease : osRelease, ...filesOf(folder, one, place)]);
    const found = [...new Set(sbom.packages.map(keyOf))].sort();
    // A file with an error somewhere: what its readers took before they stopped is not the point.
    if (one.error === true) assert.notEqual(sbom.unknowns.length, 0);
    else assert.deepEqual(found, wantedKeys(one.packages ?? []));
    for (const expected of one.error === true ? [] : (one.packages ?? [])) {
      const key = keyOf({ name: expected.name, version: versionOf(expected) });
      const match = sbom.packages.find((candidate) => keyOf(candidate) === key);
      if (match === undefined) continue;
      if (expected.licenses !== undefined && expected.licenses.length > 0) {
        assert.deepEqual([...match.licenses].sort(), [...expected.licenses].sort(), key);
      }
      if (expected.arch !== undefined) assert.equal(match.architecture, expected.arch);
      if (expected.sourceRpm !== undefined)
        assert.ok(match.purl?.includes(`upstream=${encodeURIComponent(expected.sourceRpm)}`), match.purl);
      if (expected.purl) assert.equal(match.purl?.split('?')[0], expected.purl.split('?')[0]);
    }
  });
}

if (existsSync(shared)) {
  const counts: Record<string, number> = {};
  for (const [format, [cataloguer, place]] of Object.entries(places)) {
    const sources = format === 'os/rpm' ? [''] : ['syft', 'osv-scalibr'];
    for (const source of sources) {
      const folder = join(shared, format, source);
      if (!existsSync(join(folder, 'expected.json'))) continue;
      const { cases } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as {
        cases: FixtureCase[];
      };
      for (const one of cases) {
        const label = `${format} ${source}: ${one.name ?? one.file}`;
        const isOther =
          one.isOpkg === true || /opkg|md5sums/.test(one.file ?? '') || one.options?.includeDev === false;
        if (one.packages === undefined || isOther || label in knownDifferences) continue;
        runCase(label, folder, one, place);
        counts[cataloguer] = (counts[cataloguer] ?? 0) + 1;
      }
    }
  }
  test('the census counts the cases of each cataloguer', () => prove('fixtures', counts));
} else {
  console.log(`package fixtures did not run: ${shared} is absent`);
}
