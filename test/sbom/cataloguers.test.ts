import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sbom } from '#formats/sbom';
import { catalogueLayers } from '#sbom';
import { type Entry, image, options } from './fixture.ts';

const osRelease: Entry = {
  path: 'etc/os-release',
  text: 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
};

async function catalogue(...entries: readonly Entry[]): Promise<Sbom> {
  const made = await image(entries);
  return (await catalogueLayers(made.input, options)).sbom;
}

const key = (one: { readonly name: string; readonly version: string }): string =>
  `${one.name} ${one.version}`;

const stanza = (name: string, extra = ''): string =>
  `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:2.0-3+b1\n${extra}\n`;

test('a deb carries architecture, distribution and its source with version', async () => {
  const status =
    stanza('libfoo1', 'Source: foo (1:2.0-3)\n') + stanza('foo-bin', 'Depends: libfoo1 (>= 1), x | y\n');
  const sbom = await catalogue(osRelease, { path: 'var/lib/dpkg/status', text: status });
  assert.deepEqual(
    sbom.packages.map((one) => one.purl),
    [
      'pkg:deb/debian/foo-bin@1:2.0-3%2Bb1?arch=amd64&distro=debian-12',
      'pkg:deb/debian/libfoo1@1:2.0-3%2Bb1?arch=amd64&distro=debian-12&upstream=foo%401:2.0-3',
    ],
  );
  assert.deepEqual(sbom.packages[0]?.dependsOn, [sbom.packages[1]?.id]);
  assert.deepEqual(sbom.packages[1]?.source, { name: 'foo', version: '1:2.0-3' });
  assert.deepEqual(sbom.unknowns, []);
});

test('distroless status.d stanzas without a Status are installed packages', async () => {
  const text = 'Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all\n';
  const sums = { path: 'var/lib/dpkg/status.d/tzdata.md5sums', text: 'abc usr/share/zoneinfo/UTC\n' };
  const sbom = await catalogue(osRelease, { path: 'var/lib/dpkg/status.d/tzdata', text }, sums);
  assert.deepEqual(sbom.packages.map(key), ['tzdata 2024a-0+deb12u1']);
});

test('a stanza that cannot be read is an unknown and its neighbours stay', async () => {
  const status = `${stanza('good')}Package: bad\nVersion 1\nno colon here\n\n${stanza('fine')}`;
  const sbom = await catalogue(osRelease, { path: 'var/lib/dpkg/status', text: status });
  assert.deepEqual(
    sbom.packages.map((one) => one.name),
    ['fine', 'good'],
  );
  assert.equal(sbom.unknowns.length, 1);
  assert.match(sbom.unknowns[0]?.reason ?? '', /stanza at line 6/);
});

test('a removed package whose configuration stayed is not installed', async () => {
  const status = 'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n';
  const sbom = await catalogue(osRelease, { path: 'var/lib/dpkg/status', text: status + stanza('here') });
  assert.deepEqual(
    sbom.packages.map((one) => one.name),
    ['here'],
  );
});

test('without os-release system packages get no purl and the gap is reported', async () => {
  const sbom = await catalogue({ path: 'var/lib/dpkg/status', text: stanza('foo') });
  assert.equal(sbom.packages[0]?.purl, undefined);
  assert.deepEqual(
    sbom.unknowns.map((one) => one.wantedBy),
    ['distro'],
  );
});

test('a distribution without its package database is reported, never an empty success', async () => {
  const sbom = await catalogue(osRelease, { path: 'usr/bin/app', text: 'x' });
  assert.deepEqual(sbom.packages, []);
  assert.match(sbom.unknowns[0]?.reason ?? '', /debian without a package database/);
});

const manifest = (path: string, json: object): Entry => ({ path, text: JSON.stringify(json) });

test('npm trees give scoped purls, licences and the edges Node would resolve', async () => {
  const sbom = await catalogue(
    manifest('app/package.json', { name: 'app', version: '1.0.0', dependencies: { a: '*', '@s/b': '*' } }),
    manifest('app/node_modules/a/package.json', { name: 'a', version: '1.0.0', dependencies: { c: '*' } }),
    manifest('app/node_modules/a/node_modules/c/package.json', {
      name: 'c',
      version: '1.0.0',
      license: 'MIT',
    }),
    manifest('app/node_modules/c/package.json', { name: 'c', version: '2.0.0', licenses: [{ type: 'ISC' }] }),
    manifest('app/node_modules/@s/b/package.json', { name: '@s/b', version: '3.0.0' }),
    manifest('app/node_modules/a/esm/package.json', { type: 'module' }),
  );
  const byRef = new Map(sbom.packages.map((one) => [one.id, `${one.name}@${one.version}`]));
  const edges = Object.fromEntries(
    sbom.packages.map((one) => [
      `${one.name}@${one.version}`,
      one.dependsOn.map((id) => String(byRef.get(id))).sort(),
    ]),
  );
  assert.deepEqual(edges, {
    '@s/b@3.0.0': [],
    'a@1.0.0': ['c@1.0.0'],
    'app@1.0.0': ['@s/b@3.0.0', 'a@1.0.0'],
    'c@1.0.0': [],
    'c@2.0.0': [],
  });
  assert.equal(sbom.packages[0]?.purl, 'pkg:npm/%40s/b@3.0.0');
  assert.deepEqual(sbom.packages.find((one) => one.version === '2.0.0')?.licenses, ['ISC']);
  assert.deepEqual(sbom.unknowns, []);
});

test('an installed npm package that hides its version or breaks its JSON is an unknown', async () => {
  const sbom = await catalogue(
    manifest('app/node_modules/quiet/package.json', { name: 'quiet' }),
    { path: 'app/node_modules/broken/package.json', text: '{"name":"broken","version":"1' },
    { path: 'app/node_modules/twice/package.json', text: '{"name":"a","name":"b","version":"1.0.0"}' },
  );
  assert.deepEqual(sbom.packages.map(key), ['quiet ']);
  assert.deepEqual(
    sbom.unknowns.map((one) => one.path),
    ['broken', 'quiet', 'twice'].map((name) => `app/node_modules/${name}/package.json`),
  );
});

test('hostile npm names stay data and the purl is encoded', async () => {
  const sbom = await catalogue(
    manifest('n/node_modules/x/package.json', { name: 'constructor', version: '<script>\u001b[2J' }),
  );
  assert.equal(sbom.packages[0]?.name, 'constructor');
  assert.equal(sbom.packages[0]?.purl, 'pkg:npm/constructor@%3Cscript%3E%1B%5B2J');
});

/** A program file: ELF magic, then `body` at a 16-byte boundary. */
function program(...body: readonly Uint8Array[]): Uint8Array {
  const head = Buffer.alloc(128);
  head.write('\x7fELF', 'latin1');
  return new Uint8Array(Buffer.concat([head, ...body, Buffer.alloc(4096)]));
}

function varintText(text: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(text);
  const length: number[] = [];
  for (let rest = bytes.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest < 128 ? rest : (rest % 128) + 128);
    if (rest < 128) break;
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

function goProgram(lines: readonly string[]): Uint8Array {
  const header = Buffer.alloc(32);
  header.write('\xff Go buildinf:', 'latin1');
  header[14] = 8;
  header[15] = 2;
  const sentinel = Buffer.alloc(16, 0x30);
  const info = Buffer.concat([sentinel, Buffer.from(`${lines.join('\n')}\n`), sentinel]);
  return program(header, varintText('go1.22.3'), varintText(info));
}

test('a Go program gives its modules, replacements and the standard library', async () => {
  const bytes = goProgram([
    'path\texample.org/tool/cmd',
    'mod\texample.org/tool\t(devel)\t',
    'dep\tgolang.org/x/net\tv0.17.0\th1:abc=',
    'dep\texample.org/old\tv1.0.0',
    '=>\texample.org/new\tv1.2.0\th1:def=',
    'dep\texample.org/local\tv0.1.0',
    '=>\t./vendored\t(devel)\t',
    'build\tvcs.revision=0123456789abcdef',
    'build\tvcs.time=2024-05-06T07:08:09Z',
  ]);
  const sbom = await catalogue({ path: 'app/tool', text: bytes, mode: 0o755 });
  assert.deepEqual(
    sbom.packages.map((one) => one.purl),
    [
      'pkg:golang/example.org/local',
      'pkg:golang/example.org/new@v1.2.0',
      'pkg:golang/example.org/tool@v0.0.0-20240506070809-0123456789ab',
      'pkg:golang/golang.org/x/net@v0.17.0',
      'pkg:golang/stdlib@1.22.3',
    ],
  );
});

test('a Go program without inline build information is an unknown', async () => {
  const header = Buffer.alloc(32);
  header.write('\xff Go buildinf:', 'latin1');
  header[14] = 8;
  const sbom = await catalogue({ path: 'app/old', text: program(header), mode: 0o755 });
  assert.deepEqual(sbom.packages, []);
  assert.match(sbom.unknowns[0]?.reason ?? '', /before Go 1\.18/);
});

test('the node program is known by its text, and not again when a package brought it', async () => {
  const node = program(Buffer.from('xx node.js/v20.11.1 yy'));
  const free = await catalogue({ path: 'usr/local/bin/node', text: node, mode: 0o755 });
  assert.deepEqual(
    free.packages.map((one) => one.purl),
    ['pkg:generic/node@20.11.1'],
  );
  const owned = await catalogue(
    osRelease,
    { path: 'bin', symlink: 'usr/bin' },
    { path: 'usr/bin/node', text: node, mode: 0o755 },
    { path: 'var/lib/dpkg/status', text: stanza('nodejs') },
    { path: 'var/lib/dpkg/info/nodejs.list', text: '/.\n/bin\n/bin/node\n' },
  );
  assert.deepEqual(
    owned.packages.map((one) => one.name),
    ['nodejs'],
  );
  // No package of a distribution puts a program there: the list is the word of whoever made the image.
  const claimed = await catalogue(
    osRelease,
    { path: 'usr/local/bin/node', text: node, mode: 0o755 },
    { path: 'var/lib/dpkg/status', text: stanza('nodejs') },
    { path: 'var/lib/dpkg/info/nodejs.list', text: '/usr/local/bin/node\n' },
  );
  assert.deepEqual(
    claimed.packages.map((one) => [one.name, one.ownedBy]),
    [
      ['nodejs', undefined],
      ['node', claimed.packages[0]?.id],
    ],
  );
});

test('a language package that a system package brought names its owner', async () => {
  const sbom = await catalogue(
    osRelease,
    { path: 'var/lib/dpkg/status', text: stanza('node-semver') },
    { path: 'var/lib/dpkg/info/node-semver.list', text: '/usr/share/nodejs/semver/package.json\n' },
    manifest('usr/share/nodejs/semver/package.json', { name: 'semver', version: '7.3.5' }),
  );
  assert.deepEqual(
    sbom.packages.map((one) => one.name),
    ['node-semver', 'semver'],
  );
  assert.equal(sbom.packages[1]?.ownedBy, sbom.packages[0]?.id);
});
