import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

interface LockEntry {
  readonly version: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}

interface Manifest {
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Readonly<Record<string, LockEntry>>;
};

/** What a user of the published package gets: neither development tools nor the pinned Node. */
const runtime = Object.entries(lock.packages).filter(
  ([path, entry]) =>
    path !== '' && entry.dev !== true && entry.devOptional !== true && entry.optional !== true,
);

/** Raised on purpose, with a look at what came. */
const PACKAGES_MAX = 130;

const allowed = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'MPL-2.0',
  'MIT AND CC-BY-3.0',
  'CC0-1.0',
  'CC-BY-3.0',
  '0BSD',
]);

const manifestOf = (path: string): Manifest =>
  JSON.parse(readFileSync(`${path}/package.json`, 'utf8')) as Manifest;

test('the run-time tree is bounded', (t) => {
  t.diagnostic(`${runtime.length} packages at run time`);
  assert.ok(runtime.length <= PACKAGES_MAX, `${runtime.length} packages`);
});

test('every run-time package has a permissive licence', () => {
  const others = runtime.flatMap(([path]) => {
    const { license = 'none' } = manifestOf(path);
    return allowed.has(license) ? [] : [`${path}: ${license}`];
  });
  assert.deepEqual(others, []);
});

test('no run-time package has an install script or a native add-on', () => {
  assert.deepEqual(
    runtime.filter(([, entry]) => entry.hasInstallScript === true).map(([path]) => path),
    [],
  );
  const native = runtime.flatMap(([path]) => (existsSync(path) ? globSync(`${path}/**/*.node`) : []));
  assert.deepEqual(native, []);
});

test('every version is exact', () => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, Record<string, string>>;
  const loose = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
    Object.entries(manifest[kind] ?? {}).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
  );
  assert.deepEqual(loose, []);
});

test('every dependency is used', () => {
  const sources = globSync('src/**/*.ts')
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const { dependencies = {} } = manifestOf('.');
  const unused = Object.keys(dependencies).filter(
    (name) => !new RegExp(`['"]${name}(?:/|['"])`).test(sources),
  );
  assert.deepEqual(unused, []);
});
