import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { WaybillError } from '#base/reason';
import type { Descriptor } from '#formats/oci';
import { FrameCutter } from '#formats/zstd-frames';
import { catalogueLayers } from '#sbom';
import { chunks, type FixtureImage, image, imageOf, options, tar } from './fixture.ts';

const OCI = 'application/vnd.oci.image.layer.v1.tar';
const entries = [{ path: 'package.json', text: '{"name":"a","version":"1.0.0"}' }];

async function packages(made: FixtureImage): Promise<string[]> {
  const { sbom } = await catalogueLayers(made.input, options);
  return sbom.packages.map((one) => one.name);
}

/** The same image, but its first layer delivers other bytes. */
function serving(made: FixtureImage, bytes: Uint8Array): FixtureImage {
  const openLayer = (): AsyncIterable<Uint8Array> => chunks(bytes);
  return { ...made, input: { ...made.input, openLayer } };
}

async function refuses(code: string, made: FixtureImage, pattern = /layer 1 \(sha256:/): Promise<void> {
  await assert.rejects(packages(made), (error) => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.reason.code, code, error.message);
    assert.match(error.reason.expected, pattern);
    return true;
  });
}

test('plain, gzip, zstd and many-member gzip layers give the same packages', async () => {
  const bytes = await tar(entries);
  const half = Math.floor(bytes.length / 2);
  const members = Buffer.concat([gzipSync(bytes.subarray(0, half)), gzipSync(bytes.subarray(half))]);
  const forms = [
    { stored: bytes, mediaType: OCI },
    { stored: gzipSync(bytes), mediaType: `${OCI}+gzip` },
    { stored: zstdCompressSync(bytes), mediaType: `${OCI}+zstd` },
    { stored: members, mediaType: `${OCI}+gzip` },
    { stored: gzipSync(bytes), mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' },
  ];
  const skippable = Buffer.from([0x5e, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
  const frames = [
    zstdCompressSync(bytes.subarray(0, half)),
    skippable,
    zstdCompressSync(bytes.subarray(half)),
    skippable,
  ];
  forms.push({ stored: Buffer.concat(frames), mediaType: `${OCI}+zstd` });
  for (const form of forms) assert.deepEqual(await packages(imageOf([{ tar: bytes, ...form }])), ['a']);
});

test('zstd frames are found however the stream is cut', () => {
  const parts = [
    zstdCompressSync(Buffer.alloc(300_000, 7)),
    zstdCompressSync(Buffer.from('b')),
    zstdCompressSync(''),
  ];
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9]);
  const all = Buffer.concat([...parts, skippable]);
  const ends = [...parts, skippable].map((_, i, list) => Buffer.concat(list.slice(0, i + 1)).length);
  for (const step of [1, 2, 3, 5, 17, all.length]) {
    const cutter = new FrameCutter();
    const seen: number[] = [];
    let at = 0;
    for (let from = 0; from < all.length; from += step) {
      for (const piece of cutter.push(all.subarray(from, from + step))) {
        at += piece.length;
        seen.push(at);
      }
    }
    assert.equal(at, all.length);
    for (const end of ends) assert.ok(seen.includes(end), `${step}: ${end} in ${seen.slice(0, 20)}`);
  }
});

test('a media type that lies about the compression is read and reported', async () => {
  const bytes = await tar(entries);
  const made = imageOf([{ tar: bytes, stored: gzipSync(bytes), mediaType: OCI }]);
  const { sbom } = await catalogueLayers(made.input, options);
  assert.equal(sbom.packages.length, 1);
  assert.match(sbom.unknowns[0]?.reason ?? '', /is gzip, its media type says none/);
});

test('an unknown media type is WB-840', async () => {
  const bytes = await tar(entries);
  await refuses('WB-840', imageOf([{ tar: bytes, mediaType: `${OCI}+gzip+encrypted` }]));
});

test('other bytes than the manifest names are WB-841: changed, cut, longer', async () => {
  const made = await image(entries);
  const other = await image([{ path: 'package.json', text: '{"name":"b","version":"1.0.0"}' }]);
  const stored = made.blobs.get(made.manifest.layers[0]?.digest as string) as Uint8Array;
  const otherStored = other.blobs.get(other.manifest.layers[0]?.digest as string) as Uint8Array;
  await refuses('WB-841', serving(made, Buffer.concat([stored, Buffer.from('x')])));
  const plain = await tar(entries);
  const asTar = imageOf([{ tar: plain, stored: plain, mediaType: OCI }]);
  const changed = Uint8Array.from(plain);
  changed[600] = 0x41;
  await refuses('WB-841', serving(asTar, changed));
  await refuses('WB-841', serving(asTar, plain.subarray(0, plain.length - 512)));
  await assert.rejects(packages(serving(made, otherStored)), WaybillError);
});

test('other content than the configuration names is WB-842', async () => {
  const made = await image(entries);
  const config = { ...made.input.config, diffIds: [made.manifest.digest] };
  await refuses('WB-842', { ...made, input: { ...made.input, config } });
});

test('a compressed layer that is damaged or ends early is WB-843', async () => {
  const bytes = Buffer.concat([await tar(entries), Buffer.alloc(5000, 7)]);
  for (const [pack, mediaType] of [
    [gzipSync, `${OCI}+gzip`],
    [zstdCompressSync, `${OCI}+zstd`],
  ] as const) {
    const whole = pack(bytes);
    const cut = whole.subarray(0, whole.length - 12);
    await refuses('WB-843', imageOf([{ tar: bytes, stored: cut, mediaType }]));
    const broken = Buffer.from(whole);
    broken.fill(0xff, 30, 60);
    await assert.rejects(packages(imageOf([{ tar: bytes, stored: broken, mediaType }])), WaybillError);
  }
});

test('a layer that is no tar archive is WB-844 and names the layer', async () => {
  const bytes = Buffer.from('this is not a tar archive'.repeat(100));
  await refuses('WB-844', imageOf([{ tar: bytes }]));
  const second = imageOf([{ tar: await tar(entries) }, { tar: bytes }]);
  await refuses('WB-844', second, /layer 2 \(sha256:/);
});

test('a layer that expands beyond the ratio is WB-845 before it is read to the end', async () => {
  const bomb = gzipSync(Buffer.alloc(80 * 1024 * 1024));
  const entriesThenZeros = imageOf([{ tar: Buffer.alloc(80 * 1024 * 1024), stored: bomb }]);
  await refuses('WB-845', entriesThenZeros);
});

test('a manifest and a configuration with other numbers of layers are WB-846', async () => {
  const made = await image(entries);
  const config = { ...made.input.config, diffIds: [] };
  await refuses('WB-846', { ...made, input: { ...made.input, config } }, /1 diffIDs/);
});

test('an error of the source passes through unchanged', async () => {
  const made = await image(entries);
  const openLayer = async function* (_layer: Descriptor): AsyncGenerator<Uint8Array> {
    yield new Uint8Array([0x1f, 0x8b, 8, 0]);
    throw new Error('connection reset');
  };
  await assert.rejects(packages({ ...made, input: { ...made.input, openLayer } }), /connection reset/);
});
