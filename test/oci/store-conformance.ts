/** The contract of `ImageSource` and `ImageSink`, as tests: every implementation runs them all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { digest, digestOf } from '#base/digest';
import {
  buildIndex,
  buildManifest,
  descriptorOf,
  emptyDescriptor,
  emptyJson,
  type Manifest,
} from '#formats/oci';
import { type ImageStore, tryResolve } from '#oci';
import { drain, once, putBytes, putImage, putMultiArch, reasonOf } from './helpers.ts';

const absent = digest(`sha256:${'0'.repeat(64)}`);

/** `open` gives a fresh view of a new, empty store each time it is called with a new name. */
export function storeConformance(name: string, open: (repository: string) => Promise<ImageStore>): void {
  const claim = (text: string, body: () => Promise<void>): void => void test(`${name}: ${text}`, body);

  claim('what was put is resolved by tag and digest, and read back', async () => {
    const store = await open('a');
    const image = await putImage(store, 'hello', { tag: 'v1' });
    assert.deepEqual(await store.resolve({ tag: 'v1' }), descriptorOf(image));
    assert.deepEqual(await store.resolve({ digest: image.digest }), descriptorOf(image));
    assert.deepEqual(await (await open('a')).manifest(image.digest), image);
    assert.equal(await drain(store.blob(image.config)), image.config.size);
  });

  claim('a digest beside a tag is what counts', async () => {
    const store = await open('b');
    const first = await putImage(store, 'first', { tag: 'v1' });
    await putImage(store, 'second', { tag: 'v1' });
    assert.equal((await store.resolve({ tag: 'v1', digest: first.digest })).digest, first.digest);
  });

  claim('a tag moves to what is put last', async () => {
    const store = await open('c');
    await putImage(store, 'first', { tag: 'v1' });
    const second = await putImage(store, 'second', { tag: 'v1' });
    assert.equal((await store.resolve({ tag: 'v1' })).digest, second.digest);
  });

  claim('what is not there is WB-502 for tag, manifest and blob', async () => {
    const store = await open('d');
    await putImage(store, 'x', { tag: 'v1' });
    assert.equal((await reasonOf(store.resolve({ tag: 'v2' }))).code, 'WB-502');
    assert.equal((await reasonOf(store.manifest(absent))).code, 'WB-502');
    assert.equal((await reasonOf(drain(store.blob({ digest: absent, size: 1 })))).code, 'WB-502');
    assert.equal(await tryResolve(store, { tag: 'v2' }), undefined);
  });

  claim('a blob of another size than promised is refused', async () => {
    const store = await open('e');
    const { digest: d, size } = await putBytes(store, utf8('content'), 'text/plain');
    assert.equal((await reasonOf(drain(store.blob({ digest: d, size: size - 1 })))).code, 'WB-188');
    assert.equal((await reasonOf(drain(store.blob({ digest: d, size: size + 1 })))).code, 'WB-188');
  });

  claim('a source that does not keep its promise is never stored', async () => {
    const store = await open('f');
    await putImage(store, 'x', { tag: 'v1' });
    const content = { digest: digestOf(utf8('right')), size: 5 };
    assert.equal((await reasonOf(store.putBlob(content, () => once(utf8('wrong'))))).code, 'WB-188');
    assert.equal((await reasonOf(drain(store.blob(content)))).code, 'WB-502');
  });

  claim('putting the same blob twice asks for its bytes once', async () => {
    const store = await open('g');
    let asked = 0;
    const bytes = utf8('once');
    const open2 = (): AsyncIterable<Uint8Array> => {
      asked++;
      return once(bytes);
    };
    const content = { digest: digestOf(bytes), size: bytes.length };
    await store.putBlob(content, open2);
    await store.putBlob(content, open2);
    assert.equal(asked, 1);
  });

  claim('an empty blob is a blob', async () => {
    const store = await open('h');
    const empty = await putBytes(store, new Uint8Array(0), 'text/plain');
    assert.equal(await drain(store.blob(empty)), 0);
  });

  claim('an index of several platforms is stored with its children', async () => {
    const store = await open('i');
    const { index, images } = await putMultiArch(store, 'multi', 'v1');
    const read = await (await open('i')).manifest(index.digest);
    assert.deepEqual(
      read.kind === 'index' && read.manifests.map((entry) => entry.digest),
      images.map((image) => image.digest),
    );
  });

  claim('a manifest with a subject is found from it, with type and annotations', async () => {
    const store = await open('j');
    const image = await putImage(store, 'subject', { tag: 'v1' });
    assert.deepEqual(await store.referrers(image.digest), []);
    await store.putBlob(emptyDescriptor, () => once(emptyJson));
    const referrer = buildManifest({
      config: emptyDescriptor,
      layers: [],
      subject: descriptorOf(image),
      artifactType: 'application/x',
      annotations: new Map([['k', 'v']]),
    });
    await store.putManifest(referrer);
    await store.putManifest(referrer);
    const listed = await (await open('j')).referrers(image.digest);
    assert.deepEqual(listed, [descriptorOf(referrer, { pullUp: true })]);
  });

  claim('eight changes of a tag at once are all kept', async () => {
    const store = await open('k');
    const image = await putImage(store, 'x', { tag: 'v1' });
    const entries = (held: Manifest | undefined) => (held?.kind === 'index' ? held.manifests : []);
    const add = async (i: number): Promise<void> => {
      const own = { ...descriptorOf(image), annotations: new Map([['n', `${i}`]]) };
      const isOwn = (one: { annotations: ReadonlyMap<string, string> }) =>
        one.annotations.get('n') === `${i}`;
      await store.updateTag('list', {
        holds: (held) => entries(held).some(isOwn),
        change: (held) => buildIndex({ manifests: [...entries(held), own] }),
      });
    };
    await Promise.all(Array.from({ length: 8 }, (_, i) => add(i)));
    const held = await store.manifest((await store.resolve({ tag: 'list' })).digest);
    assert.equal(entries(held).length, 8);
  });
}
