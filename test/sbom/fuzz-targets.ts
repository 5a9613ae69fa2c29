/**
 * Readers of hostile bytes as functions to be fuzzed: whatever comes in, a target returns or throws what its reader
 * documents. Anything else, and anything that takes long, is a defect.
 */
import { Buffer } from 'node:buffer';
import { WaybillError } from '#base/reason';
import { parsePurl, purlText } from '#formats/purl';
import { cataloguers, type ImageFile, TarWalker } from '#sbom';
import { zip } from './binaries.ts';
import { tar } from './fixture.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Well-formed inputs to start from. */
  readonly seeds: () => Promise<readonly Uint8Array[]>;
  /** Throws only for a defect. */
  readonly run: (bytes: Uint8Array) => void;
}

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));

/** A cataloguer over one file; its extractor first, as the capture does it. */
function catalogueFile(name: string, path: string, bytes: Uint8Array): void {
  const one = cataloguers.find((cataloguer) => cataloguer.name === name);
  if (one === undefined) throw new Error(`no cataloguer ${name}`);
  let file: ImageFile = { path, layer: 0, bytes };
  if (one.extractor !== undefined) {
    let found: Uint8Array | undefined;
    try {
      found = one.extractor.extract(bytes, path.slice(path.lastIndexOf('/') + 1));
    } catch (error) {
      // The capture makes an unknown of any Error; what is none would end the command.
      if (!(error instanceof Error)) throw error;
    }
    const findings = new Map(found === undefined ? [] : [[name, found] as const]);
    file = { path, layer: 0, bytes: new Uint8Array(), findings };
  }
  const image = {
    files: [file],
    find: (at: string) => (at === path ? file : undefined),
    real: (at: string) => at,
  };
  const { packages } = one.catalogue(image, { distro: { id: 'debian', versionId: '12', idLike: [] } });
  for (const { name: packageName, version } of packages) {
    if (packageName === '' || version === undefined) throw new Error('a package without a name');
  }
}

function walkTar(bytes: Uint8Array): void {
  const walker = new TarWalker((entry) => {
    let left = entry.size;
    return {
      write: (chunk) => {
        left -= chunk.length;
      },
      end: () => {
        if (left !== 0) throw new Error('a body of another length');
      },
    };
  });
  try {
    for (let at = 0; at < bytes.length; at += 700) walker.push(bytes.subarray(at, at + 700));
    walker.finish();
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
  }
}

function roundTrip(bytes: Uint8Array): void {
  const parsed = parsePurl(Buffer.from(bytes).toString());
  if (!parsed.ok) return;
  const again = parsePurl(purlText(parsed.value), { lenient: true });
  if (!again.ok || purlText(again.value) !== purlText(parsed.value))
    throw new Error('a purl that does not come back');
}

const ndb = (): Uint8Array => {
  const bytes = Buffer.alloc(4096 + 64);
  bytes.write('RpmP', 0);
  bytes.writeUInt32LE(1, 12);
  for (let at = 32; at < 4096; at += 16) bytes.write('Slot', at);
  bytes.writeUInt32LE(1, 36);
  bytes.writeUInt32LE(256, 40);
  bytes.write('BlbS', 4096);
  bytes.writeUInt32LE(1, 4100);
  bytes.writeUInt32LE(8, 4108);
  return new Uint8Array(bytes);
};

export const fuzzTargets: readonly FuzzTarget[] = [
  {
    name: 'tar',
    seeds: async () => [
      await tar([
        { path: 'a/b', text: 'x'.repeat(700) },
        { path: 'link', symlink: 'a/b' },
        { path: `long/${'n'.repeat(200)}`, text: 'y' },
      ]),
    ],
    run: walkTar,
  },
  {
    name: 'zip',
    seeds: () =>
      Promise.resolve([zip({ 'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\n', 'a.jar': zip({ b: 'c' }) })]),
    run: (bytes) => catalogueFile('java', 'srv/a.jar', bytes),
  },
  {
    name: 'rpmdb',
    seeds: () => Promise.resolve([ndb(), text(`SQLite format 3\0${'\0'.repeat(200)}`)]),
    run: (bytes) => catalogueFile('rpm', 'var/lib/rpm/Packages.db', bytes),
  },
  {
    name: 'dpkg',
    seeds: () =>
      Promise.resolve([
        text(
          'Package: a\nStatus: install ok installed\nVersion: 1:2-3\nDepends: b (>= 1) | c\nDescription: x\n y\n\n',
        ),
      ]),
    run: (bytes) => catalogueFile('dpkg', 'var/lib/dpkg/status', bytes),
  },
  {
    name: 'apk',
    seeds: () =>
      Promise.resolve([text('P:musl\nV:1.2.4-r1\nA:x86_64\no:musl\np:so:libc.so=1\nF:lib\nR:ld.so\n\n')]),
    run: (bytes) => catalogueFile('apk', 'lib/apk/db/installed', bytes),
  },
  {
    name: 'purl',
    seeds: () =>
      Promise.resolve(
        ['pkg:npm/%40a/b@1.0.0?x=y#z', 'pkg:golang/a.b/c@v1', 'pkg:deb/debian/x@1:2-3?arch=amd64'].map(text),
      ),
    run: roundTrip,
  },
];
