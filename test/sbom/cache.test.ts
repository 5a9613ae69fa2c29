/** A folder of cached records that was edited, left behind or filled: nobody stumbles over it, and it stays bounded. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { catalogueLayers, type LayerCache, layerCache, selectCataloguers } from '#sbom';
import { goProgram } from './binaries.ts';
import { type Entry, image, options } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-cache-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let places = 0;
const place = (): string => join(folder, String(places++));
const all = selectCataloguers([], 'image');

const npm = (path: string, name: string): Entry => ({
  path: `${path}/package.json`,
  text: JSON.stringify({ name, version: '1.0.0' }),
});
const status = 'Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n';
const lower: readonly (readonly Entry[])[] = [
  [
    { path: 'etc/os-release', text: 'ID=debian\nVERSION_ID=12\n' },
    { path: 'var/lib/dpkg/status', text: status },
    { path: 'var/lib/dpkg/info/a.list', text: '/.\n/opt\n/opt/a\n/opt/a/package.json\n' },
    { path: 'lib', symlink: 'usr/lib' },
    npm('opt/a', 'a'),
  ],
  [npm('srv', 'srv'), { path: 'srv/old', text: goProgram('go1.17.1', '', true), mode: 0o755 }],
];
const made = await image(...lower, [npm('top', 'top')]);
const run = async (cache?: LayerCache): Promise<string> =>
  JSON.stringify(
    await catalogueLayers(made.input, { ...options, ...(cache === undefined ? {} : { cache }) }),
  );
const cold = await run();

/** As the cache stores it: a checksum, the length, and the compressed bytes. */
function unpacked(file: string): Buffer {
  return zstdDecompressSync(readFileSync(file).subarray(36));
}

function store(file: string, packed: Uint8Array): void {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(packed.length);
  const body = Buffer.concat([length, zstdCompressSync(packed)]);
  writeFileSync(file, Buffer.concat([createHash('sha256').update(body).digest(), body]));
}

/** The head of a record edited as JSON; what lies behind it as it was. */
function edited(packed: Buffer, edit: (head: never) => void): Buffer {
  const size = packed.readUInt32BE(0);
  const head = JSON.parse(packed.subarray(4, 4 + size).toString()) as never;
  edit(head);
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, packed.subarray(4 + size)]);
}

/** A folder with all records of the image; of those with `ending`, what `change` makes of them. */
async function changed(ending: string, change: (packed: Buffer) => Buffer): Promise<LayerCache> {
  const at = place();
  await run(layerCache(at, all, '1'));
  for (const name of readdirSync(at)) {
    // Records of layers are asked for only where there is none of the layers together.
    if (name.endsWith(ending)) store(join(at, name), change(unpacked(join(at, name))));
    else if (name.endsWith('.base')) rmSync(join(at, name));
  }
  return layerCache(at, all, '1');
}

interface AnyHead {
  [name: string]: unknown;
  readonly facts: { [name: string]: unknown };
  readonly kept: unknown[][];
  readonly files: unknown[][];
  readonly links: unknown[][];
  readonly layers: unknown[];
  readonly parts: number[];
  readonly results: { packages: { [name: string]: unknown }[]; owns: unknown[] }[];
}
type Edit = (head: AnyHead) => void;

const set = (target: Record<string, unknown> | undefined, name: string, value: unknown): void => {
  if (target !== undefined) target[name] = value;
};

const layerEdits: Readonly<Record<string, Edit>> = {
  'no facts': (head) => set(head, 'facts', undefined),
  'facts of another form': (head) => set(head.facts, 'compression', 'lzma'),
  'more entries than an image may have': (head) => set(head.facts, 'entries', 1e12),
  'a digest that is none': (head) => set(head.facts, 'stored', 'sha256:x'),
  'kept files that are no list': (head) => set(head, 'kept', 5),
  'a kept file that is longer than the record': (head) => void head.kept.push([0, 1e9, []]),
  'a kept file of a negative length': (head) => void head.kept.push([0, -5, []]),
  'findings that are none': (head) => void head.kept.push([0, 0, null]),
  'problems that are none': (head) => set(head, 'problems', [{ event: 0, wantedBy: 3, reason: null }]),
  'fewer bytes of entries': (head) => set(head, 'events', 3),
};
const baseEdits: Readonly<Record<string, Edit>> = {
  'no layers': (head) => set(head, 'layers', undefined),
  'more entries than an image may have': (head) =>
    head.layers.forEach((facts) => {
      set(facts as Record<string, unknown>, 'entries', 1e12);
    }),
  'more kept bytes than an image may have': (head) => set(head, 'kept', 1e15),
  'a file of a layer that is not there': (head) => set(head.files[0] as never, '1', 99),
  'a file of a part that is not there': (head) => set(head.files[0] as never, '2', 9999),
  'a file without a path': (head) => set(head.files[0] as never, '0', null),
  'a link to a number': (head) => set(head.links[0] as never, '1', 7),
  'a part that is longer than the record': (head) => void head.parts.push(1e9),
  'a package with a number for a name': (head) => set(head.results[0]?.packages[0], 'name', 5),
  'a package that needs one that is not there': (head) => set(head.results[0]?.packages[0], 'needs', [99]),
  'licences that are none': (head) => set(head.results[0]?.packages[0], 'licenses', { length: 1 }),
  'an owner that is not there': (head) => void head.results[0]?.owns.push([99, ['lines', 0]]),
  'owned files of another form': (head) => void head.results[0]?.owns.push([0, ['other', 0]]),
  'a distribution that is a text': (head) => set(head, 'distro', 'debian'),
};

for (const [ending, edits] of [
  ['.layer', layerEdits],
  ['.base', baseEdits],
] as const) {
  test(`a ${ending} record that was edited, its checksum too, is dropped and made again`, async () => {
    for (const [what, edit] of Object.entries(edits)) {
      const cache = await changed(ending, (packed) => edited(packed, edit as (head: never) => void));
      // The second time from what was made.
      for (let again = 0; again < 2; again++) assert.equal(await run(cache), cold, `${what}, ${again}`);
    }
  });
}

test('entries that are none end a record, not the reader', async () => {
  const behind = (packed: Buffer): number => 4 + packed.readUInt32BE(0);
  const damages: readonly (readonly number[])[] = [
    // A kind that is none; numbers without an end; a name that is longer than the record.
    [9],
    [0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
    [0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f],
    [0, 0, 0xff, 0xff, 0xff, 0x7f],
  ];
  for (const damage of damages) {
    const cache = await changed('.layer', (packed) => {
      const copy = Buffer.from(packed);
      copy.set(damage, behind(packed));
      return copy;
    });
    assert.equal(await run(cache), cold, damage.join(' '));
  }
});

test('whatever one byte of a record becomes, the image is catalogued', async () => {
  for (const ending of ['.layer', '.base']) {
    const at = place();
    await run(layerCache(at, all, '1'));
    const names = readdirSync(at).filter((name) => name.endsWith(ending));
    if (ending === '.layer') {
      for (const name of readdirSync(at)) if (name.endsWith('.base')) rmSync(join(at, name));
    }
    const wholes = names.map((name) => unpacked(join(at, name)));
    for (let step = 0; step < 40; step++) {
      names.forEach((name, i) => {
        const packed = Buffer.from(wholes[i] as Buffer);
        const where = (step * 7919 + i * 131) % packed.length;
        packed[where] = (packed[where] as number) ^ (1 << (step % 8));
        store(join(at, name), packed);
      });
      const read = layerCache(at, all, '1');
      // Only read: what it makes again would be whole.
      const cache = { ...read, put: () => Promise.resolve(), putBase: () => Promise.resolve() };
      const { packages } = (JSON.parse(await run(cache)) as { sbom: { packages: unknown[] } }).sbom;
      assert.ok(Array.isArray(packages));
    }
  }
});

const days = (count: number): number => count * 24 * 60 * 60;
function age(path: string, seconds: number): void {
  const at = Date.now() / 1000 - seconds;
  utimesSync(path, at, at);
}

test('parts nobody goes on writing and records nobody uses are removed; all other files stay', async () => {
  const at = place();
  await run(layerCache(at, all, '1'));
  const [record = '', other = ''] = readdirSync(at).filter((name) => name.endsWith('.layer'));
  const id = '00000000-0000-4000-8000-000000000000';
  const files = {
    'part of yesterday': `${record}.${id}.part`,
    'part of just now': `${other}.${id}.part`,
    'record of last year': `${'0'.repeat(64)}-${'0'.repeat(16)}.layer`,
    'record of last month': `${'1'.repeat(64)}-${'0'.repeat(16)}.layer`,
    'base of last year': `${'2'.repeat(64)}-${'0'.repeat(16)}.base`,
    'file of somebody else': 'notes.layer',
  };
  for (const name of Object.values(files)) writeFileSync(join(at, name), 'x');
  const ages = [days(2), 60, days(365), days(30), days(365), days(999)];
  Object.values(files).forEach((name, i) => {
    age(join(at, name), ages[i] as number);
  });
  // Something is written: a version of its own.
  await run(layerCache(at, all, '2'));
  const left = Object.entries(files).flatMap(([what, name]) => (existsSync(join(at, name)) ? [what] : []));
  assert.deepEqual(left, ['part of just now', 'record of last month', 'file of somebody else']);
  assert.equal(await run(layerCache(at, all, '1')), cold);
});

test('records of layers stay within their bound, the newest are kept, and processes do not disturb each other', async () => {
  const at = place();
  const images = await Promise.all(
    Array.from({ length: 12 }, (_, i) => image([npm(`a${i}`, 'a')], [npm(`b${i}`, 'b')])),
  );
  const bounds = { layerBytes: 2000, bases: 4, unusedMs: 1e12, partMs: 1e12 };
  const caches = [0, 1].map(() => layerCache(at, all, '1', assert.fail, bounds));
  const found = await Promise.all(
    images.map(async (one) => {
      const runs = caches.map((cache) => catalogueLayers(one.input, { ...options, cache }));
      return Promise.all(runs);
    }),
  );
  for (const [first, ...others] of found) for (const one of others) assert.deepEqual(one, first);
  const last = await image([npm('last', 'a')], [npm('newest', 'b')]);
  await catalogueLayers(last.input, { ...options, cache: layerCache(at, all, '1', assert.fail, bounds) });
  const sizes = readdirSync(at).map((name) => [name, readFileSync(join(at, name)).length] as const);
  const layers = sizes.filter(([name]) => name.endsWith('.layer'));
  assert.ok(layers.length > 0);
  // The topmost record is written behind the last look.
  const most = bounds.layerBytes + Math.max(...layers.map(([, size]) => size));
  assert.ok(layers.reduce((sum, [, size]) => sum + size, 0) <= most, JSON.stringify(sizes));
  assert.ok(sizes.filter(([name]) => name.endsWith('.base')).length <= bounds.bases);
  const opened: string[] = [];
  const openLayer: typeof last.input.openLayer = (layer) => {
    opened.push(layer.digest);
    return last.input.openLayer(layer);
  };
  await catalogueLayers({ ...last.input, openLayer }, { ...options, cache: layerCache(at, all, '1') });
  assert.deepEqual(opened, []);
});
