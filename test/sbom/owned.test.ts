/** Files that packages brought: found by name in lists that are grouped by folder, as they are in the lists of dpkg. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogueLayers, cataloguers, groupedList, NameSet, ownedLines } from '#sbom';
import { type Entry, image, options } from './fixture.ts';

const list = [
  '/.',
  '/usr',
  '/usr/bin',
  '/usr/bin/a',
  '/usr/bin/b',
  '/usr/bin2',
  '/usr/share/empty-folder',
  '/usr/share/caf\u00e9',
  '/usr/share/odd/',
  '/usr/share/odd/..',
  '/x',
  'no path',
  '',
  '/usr/bin/c',
  '/usr/lib/a',
];
const bytes = (lines: readonly string[]): Uint8Array => new TextEncoder().encode(lines.join('\n'));

function named(text: Uint8Array, ...wanted: readonly string[]): string[] {
  const names = new NameSet();
  for (const name of wanted) names.add(name);
  return [...ownedLines(text).named(names)].sort();
}

test('a grouped list gives what the list gives, for every name in it', () => {
  const plain = bytes(list);
  const grouped = groupedList(plain);
  const words = list.flatMap((line) => line.split('/')).concat('none', 'usr/bin');
  for (const word of words) assert.deepEqual(named(grouped, word), named(plain, word), word);
  assert.deepEqual(named(grouped, ...words), named(plain, ...words));
  // A path with an unusual end is always among them.
  const odd = ['usr/share/odd/', 'usr/share/odd/..'];
  assert.deepEqual(
    named(grouped, 'a', 'caf\u00e9', 'bin', 'bin2').filter((path) => !odd.includes(path)),
    ['usr/bin/a', 'usr/bin2', 'usr/lib/a', 'usr/share/caf\u00e9'],
  );
  assert.deepEqual(named(groupedList(bytes([])), 'a'), []);
  assert.deepEqual(named(groupedList(bytes(['/a', ''])), 'a'), ['a']);
});

test('of names in ASCII a filter tells most that are not there, and none that is', () => {
  for (const count of [0, 1, 3, 40, 2000]) {
    const paths = Array.from({ length: count }, (_, i) => `/usr/share/folder-${i % 7}/name-${i}`);
    const grouped = groupedList(bytes(paths));
    for (const path of paths.slice(0, 100)) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      assert.deepEqual(named(grouped, 'other', name), [path.slice(1)]);
    }
    const others = Array.from({ length: 300 }, (_, i) => `other-${i}`);
    assert.deepEqual(named(grouped, ...others), []);
  }
  // Bytes of other names say something else than their text.
  const caf = groupedList(bytes(['/usr/caf\u00e9', '/usr/w', '/usr/ps']));
  assert.deepEqual(named(caf, 'caf\u00e9'), ['usr/caf\u00e9']);
  assert.deepEqual([named(caf, 'w'), named(caf, 'ps'), named(caf, 'x')], [['usr/w'], ['usr/ps'], []]);
});

test('what a package brought is told apart through linked folders and linked names', async () => {
  const status = 'Package: p\nStatus: install ok installed\nVersion: 1\n';
  const manifest = (name: string): string => JSON.stringify({ name, version: '1.0.0' });
  const entries: Entry[] = [
    { path: 'etc/os-release', text: 'ID=debian\nVERSION_ID=12\n' },
    { path: 'var/lib/dpkg/status', text: status },
    {
      path: 'var/lib/dpkg/info/p.list',
      text: '/.\n/lib\n/lib/one\n/lib/one/package.json\n/usr/lib/two\n/usr/lib/two/manifest\n',
    },
    { path: 'lib', symlink: 'usr/lib' },
    { path: 'usr/lib/one/package.json', text: manifest('one') },
    { path: 'usr/lib/two/manifest', symlink: 'package.json' },
    { path: 'usr/lib/two/package.json', text: manifest('two') },
    { path: 'usr/lib/three/package.json', text: manifest('three') },
  ];
  const chosen = cataloguers.filter(({ name }) => name === 'npm' || name === 'dpkg');
  const { sbom } = await catalogueLayers((await image(entries)).input, { ...options, cataloguers: chosen });
  const owner = sbom.packages.find(({ name }) => name === 'p')?.id;
  const owners = sbom.packages.filter(({ type }) => type === 'npm').map((one) => [one.name, one.ownedBy]);
  assert.deepEqual(owners, [
    ['one', owner],
    ['three', undefined],
    ['two', owner],
  ]);
});
