/** Both ways to inflate a layer, and layers that threads read from their files: the same bytes, the same refusals. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf } from '#base/digest';
import { WaybillError } from '#base/reason';
import { describe } from '#formats/oci';
import { createInflater, smallInflater } from '#platform/inflate';
import { catalogueLayers, type LayerInput, readLayer, selectCataloguers, threadedReader } from '#sbom';
import { chunks, image, options, tar } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'sbom-inflating-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const OCI = 'application/vnd.oci.image.layer.v1.tar';
const noise = createHash('shake256', { outputLength: 200_000 }).update('noise').digest();
const plain = await tar([
  { path: 'a', text: noise },
  { path: 'zeros', text: Buffer.alloc(900_000) },
  { path: 'b', text: 'b' },
]);
const half = plain.subarray(0, 123_457);
const rest = plain.subarray(123_457);

/** What a reader makes of stored bytes: the entries with their hashes, or the code of the refusal. */
async function outcome(
  stored: Uint8Array,
  kind: 'gzip' | 'zstd',
  how: 'streamed' | 'here',
  step: number,
): Promise<string> {
  const seen: string[] = [];
  const descriptor = describe(stored, `${OCI}+${kind}`);
  const open = (): AsyncIterable<Uint8Array> => chunks(stored, step);
  const layer: LayerInput = { index: 0, descriptor, diffId: digestOf(plain), open };
  try {
    const facts = await readLayer(
      layer,
      ({ name }) => {
        const hash = createHash('sha256');
        return {
          write: (chunk) => void hash.update(chunk),
          end: () => void seen.push(`${name} ${hash.digest('hex')}`),
        };
      },
      how,
    );
    return JSON.stringify([facts, seen]);
  } catch (error) {
    assert.ok(error instanceof WaybillError, String(error));
    return error.reason.code;
  }
}

function damaged(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  copy.fill(0xff, 90_000, 90_100);
  return copy;
}

test('inflating on the spot gives what streams give, however the bytes are cut', async () => {
  const gzip = gzipSync(plain);
  const zstd = zstdCompressSync(plain);
  const members = Buffer.concat([gzipSync(half), gzipSync(rest)]);
  const frames = Buffer.concat([zstdCompressSync(half), zstdCompressSync(rest)]);
  const cases: readonly (readonly [string, 'gzip' | 'zstd', Uint8Array, string?])[] = [
    ['one member', 'gzip', gzip],
    ['two members', 'gzip', members],
    ['one frame', 'zstd', zstd],
    ['two frames', 'zstd', frames],
    ['a cut member', 'gzip', gzip.subarray(0, gzip.length - 20), 'WB-843'],
    ['a cut frame', 'zstd', zstd.subarray(0, zstd.length - 20), 'WB-843'],
    ['a damaged member', 'gzip', damaged(gzip), 'WB-843'],
    ['a member with another sum', 'gzip', Buffer.concat([gzip.subarray(0, -8), Buffer.alloc(8)]), 'WB-843'],
    ['text behind a member', 'gzip', Buffer.concat([gzip, Buffer.from('text')]), 'WB-843'],
    ['half a second member', 'gzip', members.subarray(0, members.length - 9000), 'WB-843'],
    ['only a first member', 'gzip', gzipSync(half), 'WB-844'],
  ];
  for (const [name, kind, stored, code] of cases) {
    for (const step of [999, 65_536, stored.length]) {
      const streamed = await outcome(stored, kind, 'streamed', step);
      assert.equal(await outcome(stored, kind, 'here', step), streamed, `${name} by ${step}`);
      if (code === undefined) assert.match(streamed, /"zeros [0-9a-f]{64}"/, name);
      else assert.equal(streamed, code, name);
    }
  }
});

test('threads read layers from their files, and check what lies there', async () => {
  const made = await image([{ path: 'package.json', text: '{"name":"a","version":"1.0.0"}' }]);
  const [layer] = made.manifest.layers;
  const stored = made.blobs.get(layer?.digest as string) as Uint8Array;
  const path = join(folder, 'archive');
  const reader = threadedReader(
    selectCataloguers([], 'image').map((one) => one.name),
    1,
  );
  const openLayer = (): never => assert.fail('the layer is read from its file');
  const read = (offset: number, size: number): ReturnType<typeof catalogueLayers> => {
    const placeOf = () => Promise.resolve({ path, offset, size });
    return catalogueLayers({ ...made.input, openLayer, isChecked: true, placeOf }, { ...options, reader });
  };
  try {
    writeFileSync(path, Buffer.concat([Buffer.alloc(700), stored, Buffer.alloc(700)]));
    const { sbom } = await read(700, stored.length);
    assert.deepEqual(
      sbom.packages.map((one) => one.name),
      ['a'],
    );
    await assert.rejects(read(700, stored.length + 1), /WB-841/);
    await assert.rejects(read(700, stored.length - 1), /WB-841|WB-843/);
    // Bytes that inflate all the same: the time in the header of gzip.
    writeFileSync(path, Buffer.from(stored).fill(1, 4, 8));
    await assert.rejects(read(0, stored.length), /WB-841/);
  } finally {
    await reader.close();
  }
});

/** What runs in `body` meets a Node whose streams keep their state in another form than is known. */
async function withoutInsides(body: () => Promise<void> | void): Promise<void> {
  Object.defineProperty(Uint32Array, Symbol.hasInstance, { value: () => false, configurable: true });
  try {
    await body();
  } finally {
    Reflect.deleteProperty(Uint32Array, Symbol.hasInstance);
  }
}

/** A source that fills the same memory again for each piece, as the threads' does. */
async function* refilled(stored: Uint8Array, step: number): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(step);
  for (let at = 0; at < stored.length; at += step) {
    const part = stored.subarray(at, at + step);
    memory.set(part);
    yield memory.subarray(0, part.length);
    memory.fill(0xee);
  }
}

test('a Node without those insides reads the same, by its streams', async () => {
  const many = createHash('shake256', { outputLength: 2_000_000 }).update('many').digest();
  const archive = await tar([
    { path: 'a', text: many },
    { path: 'b', text: 'b' },
  ]);
  for (const kind of ['gzip', 'zstd'] as const) {
    const stored = kind === 'gzip' ? gzipSync(archive) : zstdCompressSync(archive);
    const descriptor = describe(stored, `${OCI}+${kind}`);
    const read = async (step: number): Promise<unknown> => {
      const seen: string[] = [];
      const layer = {
        index: 0,
        descriptor,
        diffId: digestOf(archive),
        open: () => refilled(stored, step),
      };
      const facts = await readLayer(layer, ({ name }) => void seen.push(name), 'here');
      return [facts, seen];
    };
    const expected = await read(65_536);
    await withoutInsides(async () => {
      assert.equal(createInflater(kind), undefined);
      for (const step of [1_000, 65_536, 300_000]) assert.deepEqual(await read(step), expected);
    });
  }
});

test('small pieces inflate alike with and without those insides, broken ones are refused alike', async () => {
  const small = Buffer.from('a piece of an archive');
  const large = Buffer.alloc(300_000, 'large');
  const broken = Buffer.from('no deflate');
  const outcomes = (): string[] => {
    const inflate = smallInflater(400_000);
    return [deflateRawSync(small), deflateRawSync(large), broken, deflateRawSync(small)].map((piece) => {
      try {
        return createHash('sha256').update(inflate(piece)).digest('hex');
      } catch (error) {
        return String((error as NodeJS.ErrnoException).code);
      }
    });
  };
  const expected = outcomes();
  assert.match(expected[2] ?? '', /^Z_/);
  assert.equal(expected[0], expected[3]);
  await withoutInsides(() => assert.deepEqual(outcomes(), expected));
  assert.throws(() => smallInflater(1_000)(deflateRawSync(large)), RangeError);
});
