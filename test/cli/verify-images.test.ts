/** Many images in one call: in order, all of them, at once; lists, platforms, conditions. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { descriptorOf, type ImageManifest } from '#formats/oci';
import { attachBundle } from '#oci';
import { httpTransport, type Transport } from '#platform/http-client';
import { createRegistry } from '#services/registry';
import { counting } from '../double/counting-transport.ts';
import { EPOCH, ISSUER, SUBJECT, VirtualStack } from '../double/virtual-stack.ts';
import { putImage, putMultiArch, repositoryAt } from '../oci/helpers.ts';
import { tellIn } from './in-process.ts';

const folder = await mkdtemp(join(tmpdir(), 'waybill-test-verify-images-'));
const registry = await createRegistry({ dataDir: join(folder, 'registry') });
after(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});
const stack = new VirtualStack();
stack.dump(folder);
const words = [
  ...['verify', '--trusted-root', join(folder, 'trusted_root.json')],
  ...['--certificate-identity', SUBJECT, '--certificate-oidc-issuer', ISSUER],
];
const repository = repositoryAt(registry.host, 'team/app');
const names = [
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
  'eleven',
  'twelve',
];
const pinned = new Map<string, string>();
const ref = (name: string): string => pinned.get(name) ?? assert.fail(name);

async function sign(image: ImageManifest): Promise<void> {
  const { bytes } = stack.sign({ artifact: image.bytes, statement: 'cosign' });
  const options = { predicateType: COSIGN_SIGN_V1, createdMs: EPOCH };
  await attachBundle(repository, descriptorOf(image), bytes, options);
}

before(async () => {
  for (const name of names) {
    const image = await putImage(repository, name);
    // Two are left unsigned.
    if (name !== 'two' && name !== 'five') await sign(image);
    pinned.set(name, `${repository.name}@${image.digest}`);
  }
});

interface Judged {
  readonly ok: boolean;
  readonly given: string;
  readonly reason?: { readonly code: string };
}
const verify = async (args: readonly string[], transport: Transport = httpTransport()) => {
  const told = await tellIn({ json: true, clock: stack.clock, transport }, [...words, ...args]);
  const images = (told.value as { readonly images?: readonly Judged[] } | undefined)?.images ?? [];
  return { ...told, images };
};

test('every image is judged, in the order given, and one failure hides no other', async () => {
  const { images, exit } = await verify(names.map(ref));
  assert.deepEqual(
    images.map(({ given }) => given),
    names.map(ref),
  );
  const failed = images.filter(({ ok }) => !ok);
  assert.deepEqual(
    failed.map(({ given, reason }) => [given, reason?.code]),
    [
      [ref('two'), 'WB-901'],
      [ref('five'), 'WB-901'],
    ],
  );
  assert.equal(exit, 10);
});

test('several are under way at once, and an image named twice is read once', async () => {
  const { transport, state } = counting();
  const { images } = await verify([...names.map(ref), ref('one')], transport);
  assert.equal(images.length, names.length + 1);
  assert.ok(state.most > 8, `${state.most} at once`);
  assert.equal(new Set(state.asked).size, state.asked.length);
});

test('a registry in trouble is told for its image; the others are judged', async () => {
  const inner = httpTransport();
  const digest = ref('three').split('@')[1] ?? '';
  const failing: Transport = {
    ...inner,
    request: (request) =>
      request.url.includes(digest)
        ? Promise.resolve({ status: 403, headers: new Map(), body: new Uint8Array(), url: request.url })
        : inner.request(request),
  };
  const { images, exit } = await verify([ref('one'), ref('three'), ref('four')], failing);
  assert.deepEqual(
    images.map(({ ok }) => ok),
    [true, false, true],
  );
  assert.deepEqual([images[1]?.reason?.code, exit], ['WB-501', 21]);
});

describe('--from', () => {
  const list = (text: string): string => {
    const path = join(folder, 'images.txt');
    writeFileSync(path, text);
    return path;
  };
  test('takes one image a line, after those of the command line; comments and empty lines are left out', async () => {
    const path = list(`# release\n${ref('three')}\n\n  ${ref('four')}  \n`);
    const { images, exit } = await verify([ref('one'), '--from', path]);
    assert.deepEqual([images.map(({ given }) => given), exit], [['one', 'three', 'four'].map(ref), 0]);
  });
  test('an empty list, and no image at all, are refused: nothing verified is no pass', async () => {
    assert.equal((await verify(['--from', list('# nothing\n')])).reason?.code, 'WB-1301');
    assert.equal((await verify([])).reason?.code, 'WB-1301');
  });
});

test('--platform names the image of an index', async () => {
  const { images } = await putMultiArch(repository, 'multi', 'multi');
  await sign(images[1] as ImageManifest);
  const given = `${repository.name}:multi`;
  assert.equal((await verify([given])).exit, 10);
  assert.equal((await verify([given, '--platform', 'linux/arm64'])).exit, 0);
  assert.equal((await verify([given, '--platform', 'linux/amd64'])).exit, 10);
  assert.equal((await verify([given, '--platform', 'windows'])).reason?.code, 'WB-511');
});
