/** Images made to deceive or to exhaust whoever reads them: rows SCN of the attack specification. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { limits } from '#base/limits';
import { WaybillError } from '#base/reason';
import type { Sbom } from '#formats/sbom';
import { catalogueLayers, cataloguers } from '#sbom';
import { goProgram, zip } from './binaries.ts';
import { type Entry, image, imageOf, options, tar } from './fixture.ts';

const npm = (path: string, name: string): Entry => ({
  path,
  text: JSON.stringify({ name, version: '1.0.0' }),
});

async function sbomOf(...layers: readonly (readonly Entry[])[]): Promise<Sbom> {
  return (await catalogueLayers((await image(...layers)).input, options)).sbom;
}

const places = ({ packages }: Sbom): string[] =>
  packages.flatMap((one) => one.locations.map(({ path }) => `${one.name} ${path}`)).sort();

const reasons = ({ unknowns }: Sbom): string =>
  unknowns.map((one) => `${one.path} (${one.wantedBy}): ${one.reason}`).join('\n');

async function refuses(code: string, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => error instanceof WaybillError && error.reason.code === code);
}

/** Archives other programs would not write: one header, checksum right, everything else as given. */
function header(name: Uint8Array, size: number, flag: string): Buffer {
  const block = Buffer.alloc(512);
  block.set(name.subarray(0, 100), 0);
  block.write('0000644\0', 100, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write(flag, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function member(name: Uint8Array | string, content: string, flag = '0'): Buffer {
  const bytes = Buffer.from(content);
  const pad = Buffer.alloc((512 - (bytes.length % 512)) % 512);
  return Buffer.concat([header(Buffer.from(name as string), bytes.length, flag), bytes, pad]);
}

function paxMember(key: string, value: string, flag = 'x'): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (String(length).length + Buffer.byteLength(rest) !== length) {
    length = String(length).length + Buffer.byteLength(rest);
  }
  return member('pax', `${length}${rest}`, flag);
}

const manifest = '{"name":"x","version":"1.0.0"}';
const archive = (...members: readonly Buffer[]): Uint8Array =>
  new Uint8Array(Buffer.concat([...members, Buffer.alloc(1024)]));
const read = async (bytes: Uint8Array): Promise<Sbom> =>
  (await catalogueLayers(imageOf([{ tar: bytes }]).input, options)).sbom;

test('SCN-01: no name leaves the image, whatever it holds, and nothing appears outside', async () => {
  const before = readdirSync('.');
  const sbom = await sbomOf([
    npm('../a/package.json', 'up'),
    npm('/b/package.json', 'absolute'),
    npm('C:c/package.json', 'drive'),
    npm('d/../../d/package.json', 'around'),
  ]);
  assert.deepEqual(places(sbom), [
    'absolute b/package.json',
    'around d/package.json',
    'drive C:c/package.json',
    'up a/package.json',
  ]);
  const raw = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('/package.json')]);
  assert.equal((await read(archive(member(raw, manifest)))).packages.length, 1);
  await refuses(
    'WB-845',
    read(archive(paxMember('path', `${'n'.repeat(10_000)}/package.json`), member('x', manifest))),
  );
  assert.deepEqual(readdirSync('.'), before);
});

test('SCN-02: chains and loops of links end, inside the image only', async () => {
  const chain = Array.from({ length: 100 }, (_, i): Entry => ({ path: `l${i}`, symlink: `l${i + 1}` }));
  const status = 'Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n';
  const system: Entry[] = [
    { path: 'usr/lib/os-release', text: 'ID=debian\nVERSION_ID=12\n' },
    { path: 'var/lib/dpkg/status', text: status },
  ];
  const long = await sbomOf([...system, ...chain, { path: 'etc/os-release', symlink: '/l0' }]);
  assert.equal(long.distro?.id, 'debian', 'the other place of os-release still counts');
  const outside = await sbomOf([
    { path: 'etc/os-release', symlink: '../../../../../../etc/os-release' },
    ...system.slice(1),
  ]);
  assert.equal(outside.distro, undefined);
  assert.match(reasons(outside), /no os-release/);
});

test('SCN-02: folders deeper than the limit are named, however links lead there, and cost no more than others', async () => {
  const { pathFolders, entriesNamed } = limits;
  const folders = (count: number): string => 'a/'.repeat(count);
  const at = await sbomOf([npm(`${folders(pathFolders)}package.json`, 'deep')]);
  assert.deepEqual([at.packages.length, reasons(at)], [1, '']);
  const below = await sbomOf([npm(`${folders(pathFolders + 1)}package.json`, 'deep')]);
  assert.equal(below.packages.length, 0);
  assert.match(reasons(below), /\(layer\): in more than 256 folders$/);
  const led = await sbomOf([
    { path: 'l', symlink: folders(pathFolders) },
    npm('l/b/c/package.json', 'led'),
    npm('l/package.json', 'near'),
  ]);
  assert.deepEqual(
    led.packages.map((one) => one.name),
    ['near'],
  );
  assert.equal(
    reasons(led),
    'l/b/c/package.json (layer): its folder is a loop of symbolic links, or too deep',
  );
  const many = await sbomOf([
    { path: 'l', symlink: 'l' },
    ...Array.from({ length: entriesNamed + 3 }, (_, i) => npm(`l/${i}/package.json`, 'lost')),
  ]);
  assert.equal(many.unknowns.length, entriesNamed + 1);
  assert.match(reasons(many), /^ \(layer\): 3 more entries in folders that are loops/);
});

test('SCN-02: a link that comes late changes where every folder leads that was reached through its place', async () => {
  const sbom = await sbomOf([
    { path: 'x', symlink: 'y/z' },
    npm('x/one/package.json', 'one'),
    { path: 'y', symlink: 'w' },
    npm('x/two/package.json', 'two'),
  ]);
  assert.deepEqual(places(sbom), ['two w/z/two/package.json']);
});

test('SCN-02: files in the place of folders cost as much as what they remove', async () => {
  const pairs = Array.from({ length: 300 }, (_, i) => i);
  const sbom = await sbomOf([
    ...pairs.map((i) => npm(`d${i}/in/package.json`, `p${i}`)),
    ...pairs.slice(1).map((i): Entry => ({ path: `d${i}`, text: 'x' })),
    npm('d7/in/package.json', 'again'),
  ]);
  assert.deepEqual(places(sbom), ['again d7/in/package.json', 'p0 d0/in/package.json']);
});

test('SCN-03: a hard link gives only what the image holds', async () => {
  const sbom = await sbomOf([
    { path: 'a/package.json', hardlink: '../../etc/passwd' },
    { path: 'b/package.json', hardlink: 'later/file' },
    { path: 'later/file', text: manifest },
    { path: 'folder', folder: true },
    { path: 'c/package.json', hardlink: 'folder' },
  ]);
  assert.deepEqual(places(sbom), []);
  assert.match(reasons(sbom), /a\/package\.json[\s\S]*b\/package\.json[\s\S]*c\/package\.json/);
});

test('SCN-07: names of extended headers are data: numbers, global ones, and none with a zero byte', async () => {
  assert.equal(
    (await read(archive(paxMember('path', '7/package.json'), member('x', manifest)))).packages.length,
    1,
  );
  const named = archive(paxMember('path', 'g/package.json', 'g'), member('a/package.json', manifest));
  const sbom = await read(named).catch((error: unknown) => error as WaybillError);
  assert.ok(sbom instanceof WaybillError ? sbom.reason.code === 'WB-844' : places(sbom).length === 1);
  const zero = read(archive(paxMember('path', 'a/package.json\0.txt'), member('x', manifest)));
  const answer = await zero.catch((error: unknown) => error as WaybillError);
  if (!(answer instanceof WaybillError)) assert.deepEqual(places(answer), []);
});

test('SCN-09: what is compressed twice, cut in members, or followed by something else is no way around the checks', async () => {
  const bytes = await tar([npm('package.json', 'x')]);
  const gzip = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const of = (stored: Uint8Array, mediaType = gzip): Promise<unknown> =>
    catalogueLayers(imageOf([{ tar: bytes, stored, mediaType }]).input, options);
  await refuses('WB-844', of(gzipSync(gzipSync(bytes))));
  await assert.rejects(
    of(Buffer.concat([gzipSync(bytes), Buffer.from('garbage that is no member')])),
    WaybillError,
  );
  // A frame that asks for a window of 2 GiB gets none.
  const frame = Buffer.from(zstdCompressSync(bytes));
  frame[4] = 0x00;
  frame.writeUInt8(0xa8, 5);
  await assert.rejects(of(frame, `${gzip.replace('gzip', 'zstd')}`), WaybillError);
});

const rpmFile = (text: Uint8Array, base = 'rpmdb.sqlite'): Entry => ({ path: `var/lib/rpm/${base}`, text });

function sqlite(sql: string): Uint8Array {
  const database = new DatabaseSync(':memory:');
  database.exec(sql);
  const made = new Uint8Array(database.serialize());
  database.close();
  return made;
}

test('SCN-11: a package database cannot run, repeat itself without end, or hide that it is broken', async () => {
  const endless =
    'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS hnum, zeroblob(1000) AS blob FROM c';
  for (const sql of [
    `CREATE VIEW Packages AS ${endless}`,
    'CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB AS (zeroblob(900000000)) STORED)',
    'CREATE TABLE Packages (hnum TEXT, blob BLOB)',
    'CREATE TABLE Other (x)',
  ]) {
    assert.match(reasons(await sbomOf([rpmFile(sqlite(sql))])), /rpmdb\.sqlite \(rpm\): .*plain table/, sql);
  }
  // Ten thousand slots of one blob, each honest by itself.
  const slots = Buffer.alloc(4096 * 40 + 2048);
  slots.write('RpmP', 0);
  slots.writeUInt32LE(40, 12);
  for (let at = 32; at < 4096 * 40; at += 16) {
    slots.write('Slot', at);
    slots.writeUInt32LE(7, at + 4);
    slots.writeUInt32LE((4096 * 40) / 16, at + 8);
  }
  slots.write('BlbS', 4096 * 40);
  slots.writeUInt32LE(7, 4096 * 40 + 4);
  slots.writeUInt32LE(1500, 4096 * 40 + 12);
  assert.match(reasons(await sbomOf([rpmFile(slots, 'Packages.db')])), /longer together than the database/);
  const fields = Array.from({ length: 100_000 }, (_, i) => `F${i}: x\n folded\n`).join('');
  const dpkg = `Package: a\nStatus: install ok installed\nVersion: 1\n${fields}\nPackage: b\nStatus: install ok installed\nVersion: 2\n`;
  const sbom = await sbomOf([
    { path: 'etc/os-release', text: 'ID=debian\nVERSION_ID=12\n' },
    { path: 'var/lib/dpkg/status', text: dpkg },
    { path: 'lib/apk/db/installed', text: 'P:musl\nV:1' },
    npm('package.json', 'x'),
  ]);
  const names = sbom.packages.map((one) => one.name);
  assert.ok(names.includes('x') && names.includes('b') && names.includes('musl'), names.join());
});

test('SCN-12: fields of a manifest stay data, however large, doubled or marked', async () => {
  const sbom = await sbomOf([
    { path: 'a/package.json', text: '\ufeff{"name":"bom","version":"1.0.0"}' },
    { path: 'b/package.json', text: '{"name":"twice","name":"other","version":"1.0.0"}' },
    {
      path: 'c/package.json',
      text: JSON.stringify({ name: 'large', version: '1.0.0', description: 'x'.repeat(10e6) }),
    },
    { path: 'd/package.json', text: '{"name":"__proto__","version":"constructor"}' },
  ]);
  const names = sbom.packages.map((one) => one.name);
  for (const name of ['bom', 'large']) assert.ok(names.includes(name), name);
  assert.ok(names.includes('other') || /b\/package\.json/.test(reasons(sbom)), 'read or named, never silent');
  assert.equal(({} as Record<string, unknown>)['version'], undefined);
});

/** A stored entry whose two names differ. */
function twoNames(): Uint8Array {
  const made = Buffer.from(
    zip({ 'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\nImplementation-Version: 1.0\n' }),
  );
  made.write('XXXX-INF', made.indexOf('META-INF'), 'latin1');
  return new Uint8Array(made);
}

test('SCN-14: an archive whose parts contradict each other is named, and never unpacked without end', async () => {
  const twice = await sbomOf([{ path: 'a.jar', text: twoNames() }]);
  assert.match(reasons(twice), /called META-INF\/MANIFEST\.MF by the directory and XXXX-INF/);
  // Two of each at every level, ten levels deep.
  let nested = zip({ 'x.txt': 'x' });
  for (let depth = 0; depth < 10; depth++) nested = zip({ 'a.jar': nested, 'b.jar': nested });
  assert.match(reasons(await sbomOf([{ path: 'deep.jar', text: nested }])), /more than \d+ deep/);
  const zip64 = Buffer.from(zip({ a: 'b' }));
  zip64.writeUInt32LE(0xffffffff, zip64.length - 6);
  assert.match(reasons(await sbomOf([{ path: 'z.jar', text: zip64 }])), /zip64/);
  assert.match(
    reasons(await sbomOf([{ path: 'bomb.jar', text: zip({ 'in.jar': Buffer.alloc(110_000_000) }) }])),
    /bomb\.jar \(java\)/,
  );
});

/** What readers look for, again and again without the end they wait for. */
const units = [
  ...[
    'a',
    ' ',
    '\n',
    '\n ',
    '\t',
    '"',
    "'",
    '\\\\',
    '-',
    '{',
    '[',
    '<',
    '<a>',
    'a: ',
    ',',
    '=',
    '@',
    '0.',
    '^1 || ',
    '#',
    '/*',
    ':',
  ],
  ...[
    'Package: a\n',
    'P:a\n',
    's.name = "',
    's.authors = [',
    'require (',
    '"a": {:hex, ',
    'Name: a\n',
    '%NAME%\n',
    'a==1 \\\n',
  ],
];

/** Milliseconds of work to catalogue so many bytes of a repeated unit. */
function workOf(one: (typeof cataloguers)[number], base: string, unit: string, size: number): number {
  const context = { distro: { id: 'debian', versionId: '12', idLike: [] } };
  const bytes = new TextEncoder().encode(unit.repeat(Math.ceil(size / unit.length)));
  const file = { path: pathFor(one.name, base), layer: 0, bytes, findings: new Map([[one.name, bytes]]) };
  const imageFiles = { files: [file], links: [], find: () => file, real: (at: string) => at };
  const before = process.cpuUsage();
  try {
    one.extractor?.extract(bytes, base);
    one.catalogue(imageFiles, context);
  } catch (error) {
    assert.ok(error instanceof Error);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

test('SCN-23: twice the text takes no more than about twice the work, whatever it repeats', () => {
  const slow: string[] = [];
  for (const one of cataloguers) {
    const [rule] = one.files;
    if (rule === undefined) continue;
    const base = rule.names?.[0] ?? `x${rule.endings?.[0] ?? ''}`;
    // The reader of YAML takes a hundred times longer for each byte, but no more for each further one.
    const size = ['pnpm-lock', 'pod-lock', 'pub-lock'].includes(one.name) ? 4_000 : 24_000;
    for (const unit of units) {
      if (workOf(one, base, unit, size) < 750) continue;
      // A slow machine, or a search that starts anew at every place: four times the text tells, 4 against 16.
      const least = (bytes: number): number =>
        Math.min(...Array.from({ length: 3 }, () => workOf(one, base, unit, bytes)));
      const [quarter, whole] = [least(size / 4), least(size)];
      if (whole > 8 * quarter) slow.push(`${one.name} ${JSON.stringify(unit)}: ${quarter} and ${whole} ms`);
    }
  }
  assert.deepEqual(slow, []);
});

/** Where a cataloguer looks for its files. */
function pathFor(name: string, base: string): string {
  const folders: Readonly<Record<string, string>> = {
    dpkg: 'var/lib/dpkg/',
    apk: 'lib/apk/db/',
    rpm: 'var/lib/rpm/',
    alpm: 'var/lib/pacman/local/x-1-1/',
    portage: 'var/db/pkg/a/b-1/',
    python: 'usr/lib/python3/site-packages/x-1.dist-info/',
    gem: 'usr/lib/ruby/gems/3.0.0/specifications/',
    composer: 'srv/vendor/composer/',
    pear: 'usr/share/php/.registry/',
    conda: 'opt/conda/conda-meta/',
    wordpress: 'srv/wp-content/plugins/x/',
    jvm: 'usr/lib/jvm/x/',
    'gradle-verification': 'srv/gradle/',
  };
  return `${folders[name] ?? 'srv/'}${base}`;
}

test('SCN-24: sizes in a program that no file can have give a named unknown, and the rest of the image', async () => {
  const modules = 'path\tx\nmod\tx\tv1.0.0\t\n';
  const forged = Buffer.from(goProgram('go1.22.1', modules, false));
  const version = forged.indexOf('\x08go1.22.1', 0, 'latin1');
  assert.ok(version > 0);
  // A length of 2^63 - 1 in front of the version, over what follows.
  forged.write('\xff\xff\xff\xff\xff\xff\xff\xff\x7f', version, 'latin1');
  const sections = Buffer.from(goProgram('go1.17.1', modules, true));
  sections.writeBigUInt64LE(2n ** 63n, 40);
  for (const text of [forged, sections, sections.subarray(0, 700)]) {
    const sbom = await sbomOf([{ path: 'usr/bin/tool', text, mode: 0o755 }, npm('package.json', 'x')]);
    const names = sbom.packages.map((one) => one.name);
    assert.deepEqual(names, ['x']);
    if (text.length > 700) assert.match(reasons(sbom), /usr\/bin\/tool \(go\)/);
  }
});
