/** The same image and the same folder are the same bytes in every format, wherever, whenever and however they are read. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { before, test } from 'node:test';
import { sbomFormats } from '#flows/sbom-document';
import { run } from '#platform/process';
import { compiledCode } from '../compiled.ts';
import { type Entry, type FixtureImage, image } from '../sbom/fixture.ts';
import { folder, good, inFolder, layers, writeLayout } from './scan-world.ts';

/** Names that other locales order or fold otherwise. */
const odd = [
  'Item',
  'item',
  'z-last',
  'zz',
  'a_b',
  'a-b',
  'a.b',
  'ä-first',
  'İstanbul',
  'ılık',
  'ch',
  'cz',
  '10',
  '9',
];
const packages: readonly Entry[] = odd.flatMap((name, i) => [
  {
    path: `srv/${name}/node_modules/${name}/package.json`,
    text: JSON.stringify({
      name,
      version: `1.0.${i}`,
      license: i % 2 === 0 ? 'MIT' : 'ISC',
      dependencies: { zz: '*' },
    }),
  },
  {
    path: `usr/local/lib/python3/site-packages/p${i}-1.0.dist-info/METADATA`,
    text: `Metadata-Version: 2.1\nName: Pack_${name}\nVersion: 1.0\nLicense: MIT\n`,
  },
]);
const broken: readonly Entry[] = ['b', 'a', 'c'].map((name) => ({
  path: `n/node_modules/${name}/package.json`,
  text: '{"name":',
}));
const locks: readonly Entry[] = [
  { path: 'Cargo.lock', text: '[[package]]\nname = "serde"\nversion = "1.0.0"\n' },
  { path: 'sub/requirements.txt', text: 'six==1.16.0\nDjango==4.2\n' },
  { path: 'sub/Gemfile.lock', text: 'GEM\n  specs:\n    rake (13.0.6)\n' },
];

let made: FixtureImage;
before(async () => {
  made = await image(...layers, packages.toReversed(), broken, [...packages.slice(0, 6), ...locks]);
});

let runs = 0;
const outputs = (): { readonly words: string[]; readonly digests: () => Record<string, string> } => {
  runs += 1;
  const at = inFolder(`out${runs}`);
  mkdirSync(at);
  const files = sbomFormats.map((format, i) => [format, join(at, `${i}`)] as const);
  return {
    words: files.flatMap(([format, file]) => ['-o', `${format}=${file}`]),
    digests: () =>
      Object.fromEntries(
        files.map(([format, file]) => {
          const bytes = readFileSync(file);
          assert.ok(bytes.length > 100, format);
          return [format, createHash('sha256').update(bytes).digest('hex')];
        }),
      ),
  };
};

async function sbom(source: string, ...words: readonly string[]): Promise<Record<string, string>> {
  const { words: out, digests } = outputs();
  await good(['sbom', source, ...out, ...words]);
  return digests();
}

/** In a process of its own: its zone and its language are those of its start. */
async function sbomIn(
  env: Readonly<Record<string, string>>,
  source: string,
): Promise<Record<string, string>> {
  const { words, digests } = outputs();
  const result = await run(resolve('bin/waybill'), ['sbom', source, ...words, '--quiet'], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      SOURCE_DATE_EPOCH: '1790000000',
      ...compiledCode,
      ...env,
    },
  });
  assert.equal(result.code, 0, result.stderr);
  return digests();
}

const elsewhere = { TZ: 'Pacific/Auckland', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' };

const layoutAt = (place: string, isReversed = false): string => {
  mkdirSync(inFolder(place), { recursive: true });
  return writeLayout(`${place}/image`, made, isReversed);
};

test('an image: run twice, blobs laid down in another order, read by any number of threads, with and without a cache', async () => {
  const layout = layoutAt('one');
  const first = await sbom(layout);
  assert.equal(Object.keys(first).length, sbomFormats.length);
  assert.deepEqual(await sbom(layout), first, 'twice');
  assert.deepEqual(await sbom(layoutAt('two', true)), first, 'another order of blobs');
  for (const count of ['0', '3']) {
    assert.deepEqual(await sbom(layout, '--threads', count), first, `${count} threads`);
  }
  assert.deepEqual(await sbom(layout, '--skip-diff-id'), first, 'without diffIDs');
  const cache = ['--layer-cache', inFolder('cache')];
  assert.deepEqual(await sbom(layout, ...cache), first, 'into a cache');
  assert.deepEqual(await sbom(layout, ...cache), first, 'from a cache');
  const all = await sbom(layout, '--scope', 'all-layers');
  assert.notDeepEqual(all, first);
  assert.deepEqual(await sbom(layout, '--scope', 'all-layers', ...cache), all);
});

function folderAt(place: string, entries: readonly Entry[]): string {
  const root = inFolder(`${place}/tree`);
  for (const entry of entries) {
    if (!('text' in entry)) continue;
    mkdirSync(dirname(join(root, entry.path)), { recursive: true });
    writeFileSync(join(root, entry.path), entry.text);
  }
  return `dir:${root}`;
}

test('a folder: run twice, its entries made in another order', async () => {
  const entries = [...packages, ...broken, ...locks];
  const tree = folderAt('three', entries);
  const first = await sbom(tree);
  assert.deepEqual(await sbom(tree), first, 'twice');
  assert.deepEqual(await sbom(folderAt('four', entries.toReversed())), first, 'another order of entries');
});

test('an image and a folder: in another time zone and language', async () => {
  const layout = layoutAt('five');
  const tree = folderAt('five', [...packages, ...locks]);
  assert.deepEqual(await sbomIn(elsewhere, layout), await sbom(layout));
  assert.deepEqual(await sbomIn(elsewhere, tree), await sbom(tree));
});

test('convert and merge: the same bytes from the same documents, in another order of components too', async () => {
  const layout = layoutAt('six');
  const file = inFolder('six.json');
  await good(['sbom', layout, '-o', `cyclonedx-json=${file}`]);
  const json = JSON.parse(readFileSync(file, 'utf8')) as { components: unknown[]; dependencies: unknown[] };
  const other = inFolder('other.json');
  const { components, dependencies } = json;
  writeFileSync(
    other,
    JSON.stringify({ ...json, components: components.toReversed(), dependencies: dependencies.toReversed() }),
  );
  const written = async (verb: string, ...files: readonly string[]): Promise<Record<string, string>> => {
    const { words, digests } = outputs();
    await good(['sbom', verb, ...files, ...words]);
    return digests();
  };
  const converted = await written('convert', file);
  assert.deepEqual(await written('convert', file), converted);
  assert.deepEqual(await written('convert', other), converted);
  assert.deepEqual(await written('merge', file, other), await written('merge', other, file));
});
