/** Ways to read the same image: on threads, from a cache, from a folder, all layers, parts left out. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WaybillError } from '#base/reason';
import {
  type CatalogueOptions,
  catalogueFolder,
  catalogueLayers,
  excluder,
  layerCache,
  parseScope,
  parseThreads,
  selectCataloguers,
  threadedReader,
} from '#sbom';
import { elf, goProgram, zip } from './binaries.ts';
import { type Entry, type FixtureImage, image, options } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'sbom-reading-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const npm = (path: string, name: string, version = '1.0.0'): Entry => ({
  path: `${path}/package.json`,
  text: JSON.stringify({ name, version }),
});
const modules = 'path\texample.com/t\nmod\texample.com/t\tv1.0.0\t\ndep\tgolang.org/x/text\tv0.3.0\th1:x\n';
const layers: readonly (readonly Entry[])[] = [
  [
    npm('a', 'a'),
    npm('b', 'b'),
    { path: 'usr/bin/old', text: goProgram('go1.17.1', modules, true), mode: 0o755 },
  ],
  [
    { path: 'a/.wh.package.json', text: '' },
    npm('b', 'b', '2.0.0'),
    {
      path: 'c.jar',
      text: zip({ 'META-INF/maven/g/x/pom.properties': 'groupId=g\nartifactId=x\nversion=1\n' }),
    },
    {
      path: 'usr/bin/new',
      text: elf([{ name: '.rodata', bytes: Buffer.from('node.js/v1.2.3') }]),
      mode: 0o755,
    },
  ],
];

async function names(made: FixtureImage, more: Partial<CatalogueOptions> = {}): Promise<string[]> {
  const { sbom } = await catalogueLayers(made.input, { ...options, ...more });
  assert.deepEqual(sbom.unknowns, []);
  return sbom.packages.map((one) => `${one.name}@${one.version}`);
}

const squashed = ['example.com/t@v1.0.0', 'golang.org/x/text@v0.3.0', 'stdlib@1.17.1', 'g:x@1', 'b@2.0.0'];

test('threads read the same as one does', async () => {
  const made = await image(...layers);
  const reader = threadedReader(
    selectCataloguers([], 'image').map((one) => one.name),
    2,
  );
  try {
    assert.deepEqual(await names(made, { reader }), squashed);
    assert.deepEqual(await names(made), squashed);
  } finally {
    await reader.close();
  }
});

test('a refusal on a thread comes back with its code, and the thread can go on', async () => {
  const made = await image(...layers);
  const reader = threadedReader(['npm'], 1);
  const broken = { ...made.input, openLayer: () => made.input.openLayer(made.manifest.layers[1] as never) };
  try {
    await assert.rejects(catalogueLayers(broken, { ...options, reader }), /WB-841/);
    assert.equal((await names(made, { reader })).includes('b@2.0.0'), true);
  } finally {
    await reader.close();
  }
});

test('a layer that was read before is not opened again, and the SBOM is the same', async () => {
  const made = await image(...layers);
  const chosen = selectCataloguers([], 'image');
  const cold = await catalogueLayers(made.input, { ...options, scope: 'all-layers' });
  // The old Go program asks for a second look, which is kept as well.
  for (const shared of [0, 1, 2]) {
    const cache = layerCache(join(folder, `cache-${shared}`), chosen, '1');
    if (shared === 1) await names(await image(layers[0] as readonly Entry[]), { cache });
    if (shared === 2) await names(made, { cache });
    const opened: string[] = [];
    const openLayer: typeof made.input.openLayer = (layer) => {
      opened.push(layer.digest);
      return made.input.openLayer(layer);
    };
    const asked: string[] = [];
    const readerFor = (unread: readonly { readonly digest: string }[]): undefined => {
      asked.push(...unread.map((one) => one.digest));
    };
    const more = { cache, readerFor, scope: 'all-layers' as const };
    const again = await catalogueLayers({ ...made.input, openLayer }, { ...options, ...more });
    assert.deepEqual(again, cold);
    const unread = made.manifest.layers.slice(shared).map((one) => one.digest);
    assert.deepEqual(asked, unread);
    assert.deepEqual([...new Set(opened)], unread);
  }
});

test('a layer whose inside was not compared with its diffID is not kept for it', async () => {
  const made = await image([npm('a', 'a')]);
  const place = join(folder, 'unchecked');
  const cache = layerCache(place, selectCataloguers([], 'image'), '1');
  assert.deepEqual(await names(made, { cache, skipDiffIds: true }), ['a@1.0.0']);
  assert.equal(existsSync(place), false);
});

test('a damaged record and one of another version are as good as none', async () => {
  const made = await image([npm('a', 'a')]);
  const place = join(folder, 'damaged');
  const all = selectCataloguers([], 'image');
  await names(made, { cache: layerCache(place, all, '1') });
  const [file = ''] = readdirSync(place);
  writeFileSync(join(place, file), 'not a record');
  assert.deepEqual(await names(made, { cache: layerCache(place, all, '1') }), ['a@1.0.0']);
  assert.deepEqual(await names(made, { cache: layerCache(place, all, '2') }), ['a@1.0.0']);
  assert.equal(readdirSync(place).filter((name) => name.endsWith('.layer')).length, 2);
});

test('a cache that cannot be used is told once, and the layers are read', async () => {
  const made = await image([npm('a', 'a')], [npm('b', 'b')]);
  const all = selectCataloguers([], 'image');
  const outcome = async (place: string): Promise<string[]> => {
    const told: string[] = [];
    const cache = layerCache(place, all, '1', (why) => void told.push(why));
    assert.deepEqual(await names(made, { cache }), ['a@1.0.0', 'b@1.0.0']);
    return told;
  };
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  assert.match((await outcome(join(file, 'cache'))).join('|'), /^a file is in the way/);
  assert.match((await outcome('/proc/no-such-folder/cache')).join('|'), /^no such file or folder/);
  const place = join(folder, 'odd');
  assert.deepEqual(await outcome(place), []);
  const records = readdirSync(place);
  // Folders where records should be: none is read, none can be written.
  for (const one of records) rmSync(join(place, one));
  for (const one of records) mkdirSync(join(place, one));
  assert.equal((await outcome(place)).length, 1);
  assert.deepEqual(readdirSync(place).sort(), records.sort());
});

test('all layers: what a later layer removed or replaced is listed too, with its layer', async () => {
  const made = await image(...layers);
  const found = await names(made, { scope: 'all-layers' });
  for (const name of ['a@1.0.0', 'b@1.0.0', 'b@2.0.0']) assert.ok(found.includes(name), name);
});

test('paths that are left out are not catalogued', async () => {
  const made = await image([npm('srv/app', 'app'), npm('srv/app/test/x', 'x'), npm('opt/y', 'y')]);
  const without = async (...patterns: string[]): Promise<string[]> => {
    const isExcluded = excluder(patterns);
    return names(made, isExcluded === undefined ? {} : { isExcluded });
  };
  assert.deepEqual(await without(), ['app@1.0.0', 'x@1.0.0', 'y@1.0.0']);
  assert.deepEqual(await without('./srv/app/test/**'), ['app@1.0.0', 'y@1.0.0']);
  assert.deepEqual(await without('**/x/package.json', '/opt/**'), ['app@1.0.0']);
  // A folder stands for all in it, in an image as in a folder of this machine.
  for (const pattern of ['/srv', './srv/', '**/srv', './s?v', './srv/app'])
    assert.deepEqual(await without(pattern), ['y@1.0.0'], pattern);
  assert.deepEqual(await without('./sr', './srv/ap', '/app'), ['app@1.0.0', 'x@1.0.0', 'y@1.0.0']);
  assert.throws(() => excluder(['opt/**']), /WB-851/);
  assert.throws(() => excluder(['./']), /WB-851/);
});

test('words choose cataloguers', () => {
  const chosen = (...list: string[]): string[] => selectCataloguers(list, 'image').map((one) => one.name);
  assert.deepEqual(chosen('dpkg', 'npm'), ['dpkg', 'npm']);
  assert.deepEqual(chosen('deb'), ['dpkg']);
  assert.equal(chosen().includes('cargo-lock'), false);
  assert.equal(chosen('+cargo-lock').includes('cargo-lock'), true);
  assert.equal(chosen('-binary').includes('binary'), false);
  assert.equal(
    selectCataloguers([], 'folder').some((one) => one.name === 'cargo-lock'),
    true,
  );
  for (const [call, code] of [
    [() => chosen('rpms'), 'WB-850'],
    [() => chosen('-all'), 'WB-850'],
    [() => chosen('npm', '-npm'), 'WB-850'],
    [() => parseScope('squash'), 'WB-855'],
    [() => parseThreads('many'), 'WB-856'],
  ] as const) {
    assert.throws(call, (error) => error instanceof WaybillError && error.reason.code === code);
  }
});

test('a folder tells what is installed and what is declared, and links are not followed', async () => {
  const root = join(folder, 'tree');
  mkdirSync(join(root, 'node_modules/a'), { recursive: true });
  writeFileSync(join(root, 'node_modules/a/package.json'), '{"name":"a","version":"1.0.0"}');
  writeFileSync(join(root, 'Cargo.lock'), '[[package]]\nname = "serde"\nversion = "1.0.0"\n');
  writeFileSync(join(root, 'old'), goProgram('go1.17.1', modules, true), { mode: 0o755 });
  symlinkSync('/', join(root, 'everything'));
  const { sbom } = await catalogueFolder(root, { ...options, name: 'tree' });
  assert.deepEqual(
    sbom.packages.map((one) => one.name),
    ['serde', 'example.com/t', 'golang.org/x/text', 'stdlib', 'a'],
  );
  assert.equal(sbom.subject.kind, 'folder');
  await assert.rejects(catalogueFolder(join(root, 'nowhere'), { ...options, name: 'x' }), /WB-848/);
});
