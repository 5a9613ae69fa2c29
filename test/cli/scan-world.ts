/** An image, a folder and a database in a temporary folder, for the doors of `scan` and `sbom`, run in this process. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { FixedClock } from '#base/clock';
import { buildDatabase } from '#scan';
import { type Entry, type FixtureImage, image } from '../sbom/fixture.ts';
import { type Told, tellIn, type World } from './in-process.ts';

export const folder: string = mkdtempSync(join(tmpdir(), 'waybill-doors-'));
after(() => rmSync(folder, { recursive: true, force: true }));

export const inFolder = (name: string): string => join(folder, name);

export function writeJson(name: string, value: unknown): string {
  writeFileSync(inFolder(name), JSON.stringify(value));
  return inFolder(name);
}

export const readJson = (name: string): unknown => JSON.parse(readFileSync(inFolder(name), 'utf8'));

const npm = (name: string, version: string): string => JSON.stringify({ name, version });

/** Debian with a Python package of its own and one of npm; a layer above takes one package away. */
export const layers: readonly (readonly Entry[])[] = [
  [
    { path: 'etc/os-release', text: 'ID=debian\nVERSION_ID="12"\n' },
    {
      path: 'var/lib/dpkg/status',
      text: `Package: libssl3
Status: install ok installed
Source: openssl (3.0.11-1~deb12u1)
Architecture: amd64
Version: 3.0.11-1~deb12u1

Package: python3-six
Status: install ok installed
Architecture: all
Version: 1.16.0-4

`,
    },
    {
      path: 'var/lib/dpkg/info/python3-six.list',
      text: '/.\n/usr\n/usr/lib\n/usr/lib/python3\n/usr/lib/python3/dist-packages\n/usr/lib/python3/dist-packages/six-1.16.0.egg-info\n/usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO\n',
    },
    {
      path: 'usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO',
      text: 'Metadata-Version: 1.2\nName: six\nVersion: 1.16.0\n',
    },
    { path: 'app/node_modules/gone/package.json', text: npm('gone', '1.0.0') },
    { path: 'app/node_modules/left/package.json', text: npm('left', '1.0.0') },
  ],
  [
    { path: 'app/node_modules/.wh.gone', text: '' },
    { path: 'app/node_modules/right/package.json', text: npm('right', '1.0.0') },
    { path: 'opt/copy/node_modules/left/package.json', text: npm('left', '1.0.0') },
    { path: 'opt/odd/node_modules/odd/package.json', text: npm('odd', 'latest') },
  ],
];

/** Writes an OCI layout; `blobs` in the order given. */
export function writeLayout(name: string, made: FixtureImage, isReversed = false): string {
  const path = inFolder(name);
  mkdirSync(join(path, 'blobs/sha256'), { recursive: true });
  const blobs = [...made.blobs];
  for (const [digest, bytes] of isReversed ? blobs.toReversed() : blobs) {
    writeFileSync(join(path, 'blobs', digest.replace(':', '/')), bytes);
  }
  const { mediaType, digest, bytes } = made.manifest;
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  const manifests = [{ mediaType, digest, size: bytes.length, annotations }];
  writeFileSync(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return `oci:${path}`;
}

export const makeImage = (): Promise<FixtureImage> => image(...layers);

export function writeFolder(name: string): string {
  const path = inFolder(name);
  for (const pkg of ['left', 'right']) {
    mkdirSync(join(path, 'node_modules', pkg), { recursive: true });
    writeFileSync(join(path, 'node_modules', pkg, 'package.json'), npm(pkg, '1.0.0'));
  }
  return `dir:${path}`;
}

const ofNpm = (name: string, fixed?: string): object => ({
  package: { ecosystem: 'npm', name },
  ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, ...(fixed === undefined ? [] : [{ fixed }])] }],
});

/** OSV records: of npm, of a package that Debian looks after, of Debian itself. */
export const records: readonly object[] = [
  {
    id: 'GHSA-left-left-left',
    aliases: ['CVE-2026-1001'],
    database_specific: { severity: 'HIGH' },
    affected: [ofNpm('left', '2.0.0')],
  },
  { id: 'GHSA-rigt-rigt-rigt', aliases: ['CVE-2026-1002'], affected: [ofNpm('right')] },
  { id: 'GHSA-old1-old1-old1', aliases: ['CVE-2026-1003'], affected: [ofNpm('right', '0.5.0')] },
  { id: 'GHSA-gone-gone-gone', aliases: ['CVE-2026-1004'], affected: [ofNpm('gone')] },
  { id: 'GHSA-odd1-odd1-odd1', aliases: ['CVE-2026-1007'], affected: [ofNpm('odd', '2.0.0')] },
  {
    id: 'PYSEC-2026-1',
    aliases: ['CVE-2026-1005'],
    affected: [
      {
        package: { ecosystem: 'PyPI', name: 'six' },
        ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '1.17.0' }] }],
      },
    ],
  },
  {
    id: 'DEBIAN-CVE-2026-1005',
    upstream: ['CVE-2026-1005'],
    affected: [
      {
        package: { ecosystem: 'Debian:12', name: 'python3-six' },
        ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '1.16.0-3' }] }],
      },
    ],
  },
  {
    id: 'DEBIAN-CVE-2026-1006',
    upstream: ['CVE-2026-1006'],
    affected: [
      {
        package: { ecosystem: 'Debian:12', name: 'openssl' },
        ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '3.0.14-1~deb12u1' }] }],
      },
    ],
  },
].map((record) => ({ modified: '2026-11-01T00:00:00Z', summary: `about ${record.id}`, ...record }));

export async function writeDatabase(): Promise<string> {
  const source = writeJson('records.json', records);
  await buildDatabase([source], inFolder('a.db'), { builtMs: Date.UTC(2026, 10, 20) });
  return inFolder('a.db');
}

export const run = (words: readonly string[], world: World = {}): Promise<Told> =>
  tellIn(
    {
      cwd: folder,
      clock: new FixedClock(Date.UTC(2026, 10, 21)),
      ...world,
      env: { HOME: folder, WAYBILL_DB: inFolder('a.db'), SOURCE_DATE_EPOCH: '1790000000', ...world.env },
    },
    words,
  );

/** The words end without trouble. */
export async function good(words: readonly string[], world: World = {}): Promise<Told> {
  const told = await run(words, world);
  assert.equal(told.reason, undefined, `${words.join(' ')}: ${JSON.stringify(told.reason)}`);
  return told;
}

/** The words are refused with this code, and by this text. */
export async function refused(words: readonly string[], code: string, names: string): Promise<void> {
  const { reason, stdout } = await run(words);
  assert.equal(reason?.code, code, `${words.join(' ')}: ${JSON.stringify(reason)}`);
  assert.ok(`${reason.actual} ${reason.expected}`.includes(names), JSON.stringify(reason));
  assert.equal(stdout, '', words.join(' '));
}
