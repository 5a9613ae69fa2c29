/** What an SBOM is made from: archives, package databases, package URLs. An answer is a list, an unknown or a reason. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { utf8 } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { parsePurl, purlText } from '#formats/purl';
import { cataloguers, type FoundPackage, type ImageFile, TarWalker } from '#sbom';
import { zip } from '../sbom/binaries.ts';
import { tar } from '../sbom/fixture.ts';
import type { Target } from './engine.ts';
import { bytes, lines } from './mutate.ts';
import { answer } from './promise.ts';

/** What a cataloguer makes of one file; its extractor first, as the capture does it. */
function catalogueFile(name: string, path: string, input: Uint8Array): string {
  const one = cataloguers.find((cataloguer) => cataloguer.name === name);
  assert.ok(one !== undefined, name);
  let file: ImageFile = { path, layer: 0, bytes: input };
  if (one.extractor !== undefined) {
    let found: Uint8Array | undefined;
    try {
      found = one.extractor.extract(input, path.slice(path.lastIndexOf('/') + 1));
    } catch (error) {
      // The capture makes an unknown of any Error; what is none would end the command.
      assert.ok(error instanceof Error, String(error));
      return `not read: ${error.message.replace(/\d+/g, 'n').slice(0, 60)}`;
    }
    const findings = new Map(found === undefined ? [] : [[name, found] as const]);
    file = { path, layer: 0, bytes: new Uint8Array(), findings };
  }
  const image = {
    files: [file],
    links: [],
    find: (at: string) => (at === path ? file : undefined),
    real: (at: string) => at,
  };
  const context = { distro: { id: 'debian', versionId: '12', idLike: [] } };
  const { packages, unknowns } = one.catalogue(image, context);
  for (const found of packages) requireSound(found, packages.length);
  const reasons = unknowns.map(({ reason }) => reason.replace(/\d+/g, 'n').slice(0, 40));
  return `${Math.min(packages.length, 5)} packages; ${[...new Set(reasons)].sort().slice(0, 2).join('; ')}`;
}

function requireSound({ name, version, purl, needs }: FoundPackage, count: number): void {
  assert.equal(typeof name, 'string');
  assert.equal(typeof version, 'string');
  if (purl !== undefined) assert.ok(parsePurl(purl, { lenient: true }).ok, purl);
  for (const need of needs ?? []) assert.ok(need >= 0 && need < count, 'an edge to nowhere');
}

/** The same entries however the bytes are cut. */
function walkTar(input: Uint8Array): string {
  const walk = (step: number): string => {
    const seen: string[] = [];
    const walker = new TarWalker((entry) => {
      let left = entry.size;
      seen.push(`${entry.kind} ${entry.name} ${entry.linkName}`);
      return {
        write: (chunk) => {
          left -= chunk.length;
        },
        end: () => assert.equal(left, 0, 'a body has the length its header says'),
      };
    });
    try {
      for (let at = 0; at < input.length; at += step) walker.push(input.subarray(at, at + step));
      walker.finish();
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      return `${error.reason.code} ${error.reason.actual.replace(/\d+/g, 'n').slice(0, 40)}`;
    }
    return seen.join('\n');
  };
  const whole = walk(input.length + 1);
  assert.equal(walk(700), whole);
  return whole.startsWith('WB-') ? whole : `${whole.split('\n').length} entries`;
}

function runPurl(input: Uint8Array): string {
  const parsed = parsePurl(Buffer.from(input).toString());
  if (parsed.ok) {
    const text = purlText(parsed.value);
    const again = parsePurl(text, { lenient: true });
    assert.ok(again.ok, text);
    assert.equal(purlText(again.value), text, 'written and read again it is the same');
  }
  return answer(parsed, ({ type, qualifiers }) => `${type.slice(0, 6)} ${qualifiers.size}`);
}

/** An rpm header: an index of tags, then their values (rpm docs/manual/hregions.md). */
function rpmHeader(name: string): Uint8Array {
  const texts = [
    [1000, name],
    [1001, '1.2'],
    [1002, '3'],
    [1022, 'x86_64'],
    [1044, 'source-1.2-3.src.rpm'],
  ] as const;
  const data = Buffer.concat(texts.map(([, text]) => Buffer.from(`${text}\0`)));
  const header = Buffer.alloc(8 + texts.length * 16);
  header.writeUInt32BE(texts.length, 0);
  header.writeUInt32BE(data.length, 4);
  let offset = 0;
  for (const [i, [tag, text]] of texts.entries()) {
    for (const [j, value] of [tag, 6, offset, 1].entries()) header.writeUInt32BE(value, 8 + i * 16 + j * 4);
    offset += text.length + 1;
  }
  return new Uint8Array(Buffer.concat([header, data]));
}

function ndb(): Uint8Array {
  const header = rpmHeader('ndb');
  const database = Buffer.alloc(4096 + 16 + 256);
  database.write('RpmP', 0);
  database.writeUInt32LE(1, 12);
  for (let at = 32; at < 4096; at += 16) database.write('Slot', at);
  database.writeUInt32LE(1, 36);
  database.writeUInt32LE(256, 40);
  database.write('BlbS', 4096);
  database.writeUInt32LE(1, 4100);
  database.writeUInt32LE(header.length, 4108);
  database.set(header, 4112);
  return new Uint8Array(database);
}

/** Berkeley DB: a hash page whose value lies on an overflow page. */
function bdb(): Uint8Array {
  const header = rpmHeader('bdb');
  const database = Buffer.alloc(512 * 3);
  database.writeUInt32LE(0x00061561, 12);
  database.writeUInt32LE(512, 20);
  database[512 + 25] = 13;
  database.writeUInt16LE(2, 512 + 20);
  database.writeUInt16LE(100, 512 + 26);
  database.writeUInt16LE(120, 512 + 28);
  database[512 + 120] = 3;
  database.writeUInt32LE(2, 512 + 124);
  database.writeUInt32LE(header.length, 512 + 128);
  database[1024 + 25] = 7;
  database.writeUInt16LE(header.length, 1024 + 22);
  database.set(header, 1024 + 26);
  return new Uint8Array(database);
}

function sqlite(): Uint8Array {
  const database = new DatabaseSync(':memory:');
  database.exec(
    "PRAGMA page_size = 512; CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)",
  );
  const insert = database.prepare('INSERT INTO Packages (blob) VALUES (?)');
  for (const name of ['one', 'two', 'three']) insert.run(rpmHeader(name));
  const made = database.serialize();
  database.close();
  return new Uint8Array(made);
}

const entries = [
  { path: 'a/b', text: 'x'.repeat(700) },
  { path: 'link', symlink: 'a/b' },
  { path: 'hard', hardlink: 'a/b' },
  { path: 'folder', folder: true as const },
  { path: `long/${'n'.repeat(200)}`, text: 'y' },
  { path: 'äöü/ü', text: 'z' },
];

const archives = [
  zip({
    'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\nImplementation-Version: 1\n',
    'a.jar': zip({ b: 'c' }),
  }),
  zip({
    'META-INF/maven/g/x/pom.properties': 'groupId=g\nartifactId=x\nversion=1\n',
    'META-INF/maven/g/x/pom.xml': '<project><groupId>g</groupId><artifactId>x</artifactId></project>',
  }),
];

const dpkg =
  'Package: a\nStatus: install ok installed\nVersion: 1:2-3\nSource: s (2)\nDepends: b (>= 1) | c\n' +
  'Description: x\n y\n\nPackage: b\nStatus: deinstall ok config-files\nVersion: 1\n\n';
const apk =
  'P:musl\nV:1.2.4-r1\nA:x86_64\no:musl\np:so:libc.so=1\nC:Q1AAAA=\nF:lib\nR:ld.so\n\nP:b\nV:2\nD:musl so:libc.so\n\n';
const purls = [
  'pkg:npm/%40a/b@1.0.0?x=y#z',
  'pkg:golang/a.b/c@v1',
  'pkg:deb/debian/x@1:2-3?arch=amd64&distro=debian-12',
  'pkg:maven/g/a@1?type=jar&classifier=x',
];

export const sbomTargets: readonly Target[] = [
  { name: 'tar', seeds: [await tar(entries)], mutate: bytes, run: walkTar },
  { name: 'zip', seeds: archives, mutate: bytes, run: (input) => catalogueFile('java', 'srv/a.jar', input) },
  {
    name: 'rpmdb',
    seeds: [ndb(), bdb(), sqlite()],
    mutate: bytes,
    run: (input) => catalogueFile('rpm', 'var/lib/rpm/Packages.db', input),
  },
  {
    name: 'dpkg',
    seeds: [utf8(dpkg)],
    mutate: lines,
    run: (input) => catalogueFile('dpkg', 'var/lib/dpkg/status', input),
  },
  {
    name: 'apk',
    seeds: [utf8(apk)],
    mutate: lines,
    run: (input) => catalogueFile('apk', 'lib/apk/db/installed', input),
  },
  { name: 'purl', seeds: purls.map(utf8), mutate: bytes, run: runPurl },
];
