import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex, utf8 } from '#base/bytes';
import { digestOf } from '#base/digest';
import { limits } from '#base/limits';
import type { Result } from '#base/result';
import { parseImageConfig } from '#formats/image-config';
import {
  artifactTypeOf,
  buildIndex,
  buildManifest,
  checkContent,
  describe,
  descriptorOf,
  emptyDescriptor,
  mediaType,
  parseDescriptor,
  parseManifest,
} from '#formats/oci';

const code = (result: Result<unknown>): string => (result.ok ? 'ok' : result.error.code);
const bytesOf = (json: unknown): Uint8Array => utf8(JSON.stringify(json));

const D = `sha256:${'ab'.repeat(32)}`;
const config = { mediaType: mediaType.ociConfig, digest: D, size: 10 };
const layer = { mediaType: mediaType.ociLayerGzip, digest: D, size: 20 };
const manifest = { schemaVersion: 2, mediaType: mediaType.ociManifest, config, layers: [layer] };
const index = {
  schemaVersion: 2,
  mediaType: mediaType.ociIndex,
  manifests: [{ mediaType: mediaType.ociManifest, digest: D, size: 5 }],
};
const dockerManifest = {
  schemaVersion: 2,
  mediaType: mediaType.dockerManifest,
  config: { ...config, mediaType: mediaType.dockerConfig },
  layers: [{ ...layer, mediaType: mediaType.dockerLayerGzip }],
};

test('an OCI manifest, an index, a Docker manifest and a list are read as what they are', () => {
  const kinds = [manifest, index, dockerManifest, { ...index, mediaType: mediaType.dockerManifestList }];
  const read = kinds.map((json) => parseManifest(bytesOf(json)));
  assert.deepEqual(
    read.map((r) => r.ok && r.value.kind),
    ['manifest', 'index', 'manifest', 'index'],
  );
});

test('without a mediaType field the served type and the shape decide', () => {
  const { mediaType: _, ...bare } = manifest;
  const read = parseManifest(bytesOf(bare), { mediaType: `${mediaType.ociManifest}; charset=utf-8` });
  assert.ok(read.ok && read.value.mediaType === mediaType.ociManifest);
  assert.ok(parseManifest(bytesOf(bare)).ok);
  assert.equal(code(parseManifest(bytesOf(bare), { mediaType: mediaType.ociIndex })), 'WB-187');
});

const refused: readonly (readonly [string, unknown, string])[] = [
  ['manifests and layers in one document', { ...manifest, manifests: index.manifests }, 'WB-186'],
  ['manifests and config in one document', { ...index, config }, 'WB-186'],
  ['neither', { schemaVersion: 2, mediaType: mediaType.ociManifest }, 'WB-186'],
  ['schema 1', { ...manifest, schemaVersion: 1 }, 'WB-187'],
  ['no schemaVersion', { ...manifest, schemaVersion: undefined }, 'WB-187'],
  ['fsLayers beside layers', { ...manifest, fsLayers: [] }, 'WB-187'],
  ['a manifest that says it is an index', { ...manifest, mediaType: mediaType.ociIndex }, 'WB-187'],
  ['an unknown media type', { ...manifest, mediaType: 'application/json' }, 'WB-187'],
  ['a layer without a digest', { ...manifest, layers: [{ ...layer, digest: undefined }] }, 'WB-186'],
  ['a digest with a path', { ...manifest, layers: [{ ...layer, digest: 'sha256:../../etc' }] }, 'WB-186'],
  ['an upper-case digest', { ...manifest, config: { ...config, digest: D.toUpperCase() } }, 'WB-186'],
  ['a negative size', { ...manifest, layers: [{ ...layer, size: -1 }] }, 'WB-186'],
  ['a fractional size', { ...manifest, layers: [{ ...layer, size: 1.5 }] }, 'WB-186'],
  ['a size as text', { ...manifest, layers: [{ ...layer, size: '20' }] }, 'WB-186'],
  ['layers that are no list', { ...manifest, layers: {} }, 'WB-186'],
  ['no config', { ...manifest, config: undefined }, 'WB-186'],
  ['an annotation that is no text', { ...manifest, annotations: { a: 1 } }, 'WB-186'],
  ['a subject without size', { ...manifest, subject: { mediaType: 'x', digest: D } }, 'WB-186'],
  ['a list', [manifest], 'WB-186'],
];

for (const [name, json, expected] of refused) {
  test(`${name} is refused`, () => assert.equal(code(parseManifest(bytesOf(json))), expected));
}

test('duplicate keys and __proto__ are refused', () => {
  const text = JSON.stringify(manifest);
  assert.equal(code(parseManifest(utf8(text.replace('{', '{"schemaVersion":2,')))), 'WB-186');
  const withProto = text.replace(/\}$/, ',"annotations":{"__proto__":"x"}}');
  assert.equal(code(parseManifest(utf8(withProto))), 'WB-186');
});

test('an annotation named constructor is plain data', () => {
  const read = parseManifest(bytesOf({ ...manifest, annotations: { constructor: 'x' } }));
  assert.ok(read.ok && read.value.annotations.get('constructor') === 'x');
  assert.equal(read.value.annotations.get('toString'), undefined);
});

test('bytes that do not have the promised digest or size are refused before they are parsed', () => {
  const bytes = utf8('not even JSON');
  assert.equal(code(parseManifest(bytes, { digest: digestOf(utf8('other')) })), 'WB-188');
  assert.equal(code(checkContent(bytes, { size: bytes.length + 1 })), 'WB-188');
  assert.ok(checkContent(bytes, { digest: digestOf(bytes), size: bytes.length }).ok);
  assert.ok(checkContent(bytes, { digest: digestOf(bytes, 'sha512') }).ok);
});

test('the cap on layers holds at the limit and refuses one more', () => {
  const of = (count: number) => ({ ...manifest, layers: Array.from({ length: count }, () => layer) });
  assert.ok(parseManifest(bytesOf(of(limits.manifestLayers))).ok);
  assert.equal(code(parseManifest(bytesOf(of(limits.manifestLayers + 1)))), 'WB-189');
});

test('the cap on bytes holds at the limit and refuses one more', () => {
  const text = JSON.stringify(manifest);
  const padded = (length: number): Uint8Array => utf8(text.padEnd(length, ' '));
  assert.ok(parseManifest(padded(limits.manifestBytes)).ok);
  assert.equal(code(parseManifest(padded(limits.manifestBytes + 1))), 'WB-189');
});

test('a built manifest has the field order of the Go tools and reads back', () => {
  const subject = describe(utf8('image'), mediaType.ociManifest);
  const built = buildManifest({
    config: { ...emptyDescriptor, artifactType: 'application/x' },
    layers: [describe(utf8('layer'), 'application/x')],
    annotations: new Map([
      ['b', '2'],
      ['a', '1'],
    ]),
    subject,
    artifactType: 'application/x',
  });
  const text = new TextDecoder().decode(built.bytes);
  assert.deepEqual(Object.keys(JSON.parse(text)), [
    'schemaVersion',
    'mediaType',
    'config',
    'layers',
    'annotations',
    'subject',
    'artifactType',
  ]);
  assert.match(
    text,
    /"config":\{"mediaType":"[^"]*empty[^"]*","size":2,"digest":"sha256:44136fa[0-9a-f]*","artifactType":"application\/x"\}/,
  );
  assert.match(text, /"annotations":\{"a":"1","b":"2"\}/);
  const again = parseManifest(built.bytes, { digest: built.digest });
  assert.ok(again.ok);
  assert.deepEqual(again.value, built);
});

test('the empty config is the well-known one', () => {
  assert.equal(
    emptyDescriptor.digest,
    'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  );
  assert.equal(emptyDescriptor.size, 2);
});

test('a referrers descriptor pulls up the artifact type, else the type of the config, and annotations', () => {
  const annotations = new Map([['k', 'v']]);
  const typed = buildManifest({ config: emptyDescriptor, layers: [], artifactType: 'a/b', annotations });
  assert.equal(descriptorOf(typed, { pullUp: true }).artifactType, 'a/b');
  assert.equal(descriptorOf(typed, { pullUp: true }).annotations.get('k'), 'v');
  assert.equal(descriptorOf(typed).artifactType, undefined);
  assert.equal(artifactTypeOf(buildManifest({ config: emptyDescriptor, layers: [] })), mediaType.ociEmpty);
  assert.equal(artifactTypeOf(buildIndex({ manifests: [] })), undefined);
});

test('a platform of an index entry survives writing and reading', () => {
  const platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
  const entry = { ...describe(utf8('m'), mediaType.ociManifest), platform };
  const built = buildIndex({ manifests: [entry] });
  assert.deepEqual(built.manifests[0]?.platform, platform);
});

test('foreign URLs are kept in the document', () => {
  const read = parseDescriptor({ ...layer, urls: ['https://elsewhere.example/layer'] });
  assert.ok(read.ok && read.value.urls?.length === 1);
});

test('an image configuration is read with what Go writes as null', () => {
  const json = {
    os: 'linux',
    architecture: 'arm64',
    variant: 'v8',
    created: '2026-01-02T03:04:05Z',
    config: { User: 'app', Env: ['A=1'], Cmd: null, Labels: { l: 'x' } },
    rootfs: { type: 'layers', diff_ids: [D] },
    history: [{ created_by: 'COPY . .' }, { empty_layer: true }],
  };
  const read = parseImageConfig(bytesOf(json));
  assert.ok(read.ok);
  const { bytes, json: _, ...value } = read.value;
  assert.ok(toHex(bytes).length > 0);
  assert.deepEqual(value, {
    platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
    created: '2026-01-02T03:04:05Z',
    user: 'app',
    env: ['A=1'],
    entrypoint: [],
    cmd: [],
    labels: new Map([['l', 'x']]),
    diffIds: [D],
    history: [{ createdBy: 'COPY . .', emptyLayer: false }, { emptyLayer: true }],
  });
});

test('an image configuration without rootfs, or with a malformed diff id, is refused', () => {
  assert.equal(code(parseImageConfig(bytesOf({ os: 'linux' }))), 'WB-186');
  assert.equal(code(parseImageConfig(bytesOf({ rootfs: { diff_ids: ['sha256:x'] } }))), 'WB-104');
});
