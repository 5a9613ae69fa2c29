/** What the lower layers of an image come to is kept, and an image on the same layers goes on from there. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  type Cataloguer,
  catalogueLayers,
  type LayerCache,
  layerCache,
  scopes,
  selectCataloguers,
} from '#sbom';
import { goProgram } from './binaries.ts';
import { type Entry, type FixtureImage, image, imageOf, options, tar } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-base-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let places = 0;
const place = (): string => join(folder, String(places++));

const stanza = (name: string, more = ''): string =>
  `Package: ${name}\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n${more}\n`;
const copyright = (license: string): string =>
  `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: ${license}\n`;
const npm = (path: string, name: string): Entry => ({
  path: `${path}/package.json`,
  text: JSON.stringify({ name, version: '1.0.0', dependencies: { b: '*' } }),
});
const modules = 'path\texample.com/t\nmod\texample.com/t\tv1.0.0\t\n';

/** A distribution, an application, and a program that asks for a second look. */
const lower: readonly (readonly Entry[])[] = [
  [
    { path: 'etc/os-release', text: 'ID=debian\nVERSION_ID=12\n' },
    { path: 'var/lib/dpkg/status', text: stanza('a', 'Depends: b\n') + stanza('b') },
    {
      path: 'var/lib/dpkg/info/a.list',
      text: '/.\n/opt\n/opt/a\n/opt/a/package.json\n/usr/lib/py/METADATA\n',
    },
    { path: 'usr/share/doc/a/copyright', text: copyright('MIT') },
    { path: 'usr/share/doc/b', symlink: 'a' },
    { path: 'lib', symlink: 'usr/lib' },
    npm('opt/a', 'a'),
  ],
  [
    npm('srv/node_modules/b', 'b'),
    npm('srv', 'srv'),
    { path: 'usr/share/doc/c/copyright', text: copyright('0BSD') },
  ],
  [
    { path: 'srv/old', text: goProgram('go1.17.1', modules, true), mode: 0o755 },
    { path: 'x/.wh.none', text: '' },
    // Two that cannot be read: one for a cataloguer, one for the layer.
    { path: 'opt/broken/package.json', text: '{"name":"cut' },
    { path: 'x/.wh.', text: '' },
  ],
];

/** Each touches what a cataloguer of the lower layers has seen, or nothing of it. */
const tops: Readonly<Record<string, readonly Entry[]>> = {
  'another language': [
    { path: 'usr/lib/p.dist-info/METADATA', text: 'Metadata-Version: 2.1\nName: p\nVersion: 1\n' },
  ],
  'a whiteout of the package database': [{ path: 'var/lib/dpkg/.wh.status', text: '' }],
  'a whiteout of the folder above it': [{ path: 'var/lib/.wh.dpkg', text: '' }],
  'an opaque folder in its place': [{ path: 'var/lib/dpkg/.wh..wh..opq', text: '' }],
  'another package database': [{ path: 'var/lib/dpkg/status', text: stanza('b') + stanza('c') }],
  'another copyright file': [{ path: 'usr/share/doc/a/copyright', text: copyright('ISC') }],
  'a link to another copyright file': [
    { path: 'usr/share/doc/.wh.b', text: '' },
    { path: 'usr/share/doc/b', symlink: 'c' },
  ],
  'a link in place of a folder that was looked into': [{ path: 'usr/share/doc/a', symlink: 'c' }],
  'a whiteout of a link': [{ path: 'usr/share/doc/.wh.b', text: '' }],
  'another distribution': [{ path: 'etc/os-release', text: 'ID=ubuntu\nVERSION_ID=24.04\n' }],
  'a list for a package that had none': [
    { path: 'var/lib/dpkg/info/b:amd64.list', text: '/srv/package.json\n/srv/node_modules/b/package.json\n' },
  ],
  'a hard link to a lower file': [{ path: 'etc/package.json', hardlink: 'srv/package.json' }],
  'a file below a lower link': [npm('lib/node_modules/d', 'd')],
  'a package removed': [{ path: 'srv/node_modules/.wh.b', text: '' }],
  'a program replaced': [{ path: 'srv/old', text: 'x' }],
  'a file in place of a folder': [{ path: 'srv', text: 'x' }],
};

const bases = (at: string): string[] => readdirSync(at).filter((name) => name.endsWith('.base'));
const all = selectCataloguers([], 'image');

async function bytesOf(made: FixtureImage, more: object = {}): Promise<string> {
  return JSON.stringify(await catalogueLayers(made.input, { ...options, ...more }));
}

for (const [what, top] of Object.entries(tops)) {
  test(`whatever is shared, the SBOM is that of a cold run: ${what}`, async () => {
    const made = await image(...lower, top);
    for (const scope of scopes) {
      const cold = await bytesOf(made, { scope });
      for (const gap of [
        '"path":"opt/broken/package.json","wantedBy":"npm"',
        'a whiteout that names nothing',
      ])
        assert.ok(cold.includes(gap), gap);
      for (let shared = 0; shared <= lower.length + 1; shared++) {
        const cache = layerCache(place(), all, '1');
        const below = [...lower, top].slice(0, shared);
        // A top of its own keeps those below, the second time all of them.
        if (shared > 0) await bytesOf(await image(...below, [npm('z', 'z')]), { cache });
        for (let again = 0; again < 3; again++) {
          assert.equal(await bytesOf(made, { scope, cache }), cold, `${scope}, ${shared} shared, ${again}`);
        }
      }
    }
  });
}

/** Cataloguers that say when they run. */
function counted(ran: string[]): Cataloguer[] {
  return all.map((one) => ({
    ...one,
    catalogue: (files, context) => {
      ran.push(one.name);
      return one.catalogue(files, context);
    },
  }));
}

test('layers below a new one are neither opened nor looked up, and only whom it concerns looks again', async () => {
  const at = place();
  const cache = layerCache(at, all, '1');
  await bytesOf(await image(...lower, [npm('z', 'z')]), { cache });
  for (const name of readdirSync(at)) if (!name.endsWith('.base')) rmSync(join(at, name));
  assert.equal(bases(at).length, 1);
  const ran: string[] = [];
  for (const [what, expected] of [
    ['another language', ['python']],
    ['another copyright file', ['dpkg']],
    ['a link to another copyright file', ['dpkg']],
    ['a list for a package that had none', ['dpkg']],
    ['a package removed', ['npm']],
    ['a program replaced', ['go']],
    ['another distribution', all.map((one) => one.name)],
  ] as const) {
    ran.length = 0;
    const made = await image(...lower, tops[what] ?? []);
    const opened: string[] = [];
    const openLayer: typeof made.input.openLayer = (layer) => {
      opened.push(layer.digest);
      return made.input.openLayer(layer);
    };
    const read: LayerCache = { ...cache, put: () => Promise.resolve(), putBase: () => Promise.resolve() };
    await bytesOf(
      { ...made, input: { ...made.input, openLayer } },
      { cache: read, cataloguers: counted(ran) },
    );
    assert.deepEqual(ran, expected, what);
    assert.deepEqual(opened, [made.manifest.layers.at(-1)?.digest]);
  }
});

test('layers that another image stored in another form are not said to be of the wrong type', async () => {
  const bytes = await tar([npm('a', 'a')]);
  const other = await tar([npm('b', 'b')]);
  const oci = 'application/vnd.oci.image.layer.v1.tar';
  const forms = {
    gzip: { stored: gzipSync(bytes), mediaType: `${oci}+gzip` },
    zstd: { stored: zstdCompressSync(bytes), mediaType: `${oci}+zstd` },
    none: { stored: bytes, mediaType: oci },
    lying: { stored: gzipSync(bytes), mediaType: oci },
  };
  const imageIn = (form: keyof typeof forms): FixtureImage =>
    imageOf([{ tar: bytes, ...forms[form] }, { tar: other }]);
  const gapsIn = async (form: keyof typeof forms, cache: LayerCache): Promise<string[]> => {
    const { sbom } = await catalogueLayers(imageIn(form).input, { ...options, cache });
    assert.equal(sbom.packages.length, 2);
    return sbom.unknowns.map(({ reason }) => reason.replace(/^layer \S+ /, ''));
  };
  const cache = layerCache(place(), all, '1');
  for (const form of ['gzip', 'zstd', 'none', 'gzip'] as const)
    assert.deepEqual(await gapsIn(form, cache), [], form);
  // What was opened once is told as often as it is asked for.
  const lied = layerCache(place(), all, '1');
  for (let again = 0; again < 3; again++)
    assert.deepEqual(await gapsIn('lying', lied), ['is gzip, its media type says none']);
  assert.deepEqual(await gapsIn('zstd', lied), []);
});

test('one that is cut, changed or of another version is as good as none, and is made again', async () => {
  const at = place();
  const made = await image(...lower, tops['another language'] ?? []);
  const cold = await bytesOf(made);
  const cache = layerCache(at, all, '1');
  await bytesOf(made, { cache });
  const [name = ''] = bases(at);
  const file = join(at, name);
  const whole = readFileSync(file);
  const changed = Buffer.from(whole);
  changed[changed.length >> 1] = (changed[changed.length >> 1] as number) ^ 1;
  for (const bytes of [whole.subarray(0, -1), whole.subarray(0, 20), Buffer.alloc(0), changed]) {
    for (const one of readdirSync(at)) rmSync(join(at, one));
    writeFileSync(file, bytes);
    assert.equal(await bytesOf(made, { cache }), cold);
    assert.deepEqual(readFileSync(file), whole);
  }
  assert.equal(await bytesOf(made, { cache: layerCache(at, all, '2') }), cold);
  assert.equal(bases(at).length, 2);
});

test('what was not compared with its diffIDs, or is not all of the image, is not kept', async () => {
  const made = await image(...lower);
  const cache = (at: string): LayerCache => layerCache(at, all, '1');
  const [unchecked, partly, each] = [place(), place(), place()];
  await bytesOf(made, { cache: cache(each), scope: 'all-layers' });
  await bytesOf(made, { cache: cache(partly), isExcluded: (path: string) => path.startsWith('srv') });
  assert.deepEqual([bases(each), bases(partly)], [[], []]);
  // Not even where the layers themselves are known.
  await bytesOf(made, { cache: cache(each), skipDiffIds: true });
  await bytesOf(made, { cache: cache(unchecked), skipDiffIds: true });
  assert.deepEqual(bases(each), []);
  assert.throws(() => readdirSync(unchecked), /ENOENT/);
});

test('only the newest are kept, and two processes may use one folder', async () => {
  const at = place();
  const chains = await Promise.all(
    Array.from({ length: 40 }, (_, i) => image([npm(`a${i}`, 'a')], [npm('b', 'b')])),
  );
  const caches = [layerCache(at, all, '1'), layerCache(at, all, '1')];
  const found = await Promise.all(
    chains.map((made) => Promise.all(caches.map((cache) => bytesOf(made, { cache })))),
  );
  for (const [one, other] of found) assert.equal(one, other);
  const last = chains[0] as FixtureImage;
  await bytesOf(last, { cache: caches[0] });
  assert.ok(bases(at).length <= 32, `${bases(at).length}`);
  assert.deepEqual(
    readdirSync(at).filter((name) => name.endsWith('.part')),
    [],
  );
});
