/** Many images in one call: in order, all of them, at once; lists, platforms, conditions. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { descriptorOf, type ImageManifest } from '#formats/oci';
import { attachBundle } from '#oci';
import { httpTransport, type Transport } from '#platform/http-client';
import { createRegistry } from '#services/registry';
import { counting } from '../double/counting-transport.ts';
import { EPOCH, ISSUER, SUBJECT, VirtualStack } from '../double/virtual-stack.ts';
import { putImage, putMultiArch, repositoryAt } from '../oci/helpers.ts';
import { noNetwork, tellIn } from './in-process.ts';

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

test('--recursive verifies an index and every image in it: one that is not signed fails the whole', async () => {
  const { index, images } = await putMultiArch(repository, 'whole', 'whole');
  const given = `${repository.name}:whole`;
  await sign(images[0] as ImageManifest);
  await sign(index as unknown as ImageManifest);
  assert.equal((await verify([given])).exit, 0);
  assert.equal((await verify([given, '--recursive'])).exit, 10);
  await sign(images[1] as ImageManifest);
  const whole = await verify([given, '-r']);
  assert.equal(whole.exit, 0);
  for (const { digest } of [index, ...images]) assert.ok(JSON.stringify(whole).includes(digest));
  assert.equal((await verify([given, '-r', '--platform', 'linux/amd64'])).reason?.code, 'WB-1301');
  assert.equal((await verify([`${repository.name}:nowhere`, '-r'])).exit, 11);
});

test('a trusted root that cannot be read is told once, also while the registry is thinking', async () => {
  await putMultiArch(repository, 'untrusted', 'untrusted');
  const missing = words.map((word, at) =>
    words[at - 1] === '--trusted-root' ? join(folder, 'nowhere') : word,
  );
  const wire = httpTransport();
  const slow: Transport = {
    request: async (request) => {
      await sleep(50);
      return wire.request(request);
    },
    stream: async (request) => {
      await sleep(50);
      return wire.stream(request);
    },
  };
  for (const more of [[], ['--recursive']]) {
    const world = { json: true, clock: stack.clock, transport: slow };
    const { reason, exit } = await tellIn(world, [...missing, `${repository.name}:untrusted`, ...more]);
    assert.deepEqual([reason?.code, exit], ['WB-604', 16]);
  }
});

test('an image in a folder is verified without any connection', async () => {
  const layout = join(folder, 'layout');
  const saved = await tellIn({ transport: httpTransport() }, ['save', ref('one'), '--dir', layout]);
  assert.equal(saved.exit, 0, saved.stderr);
  const told = await tellIn({ json: true, clock: stack.clock, transport: noNetwork }, [
    ...words,
    `oci:${layout}`,
  ]);
  assert.equal(told.exit, 0, JSON.stringify(told.value ?? told.reason));
});

describe('in cosign’s words', () => {
  const cosign = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    tellIn({ clock: stack.clock, transport: httpTransport(), env }, ['cosign', ...words, ...args]);

  test('the first image decides for all, and the command stops at the first failure', async () => {
    const { exit, stdout, stderr } = await cosign([ref('one'), ref('two'), ref('three')]);
    assert.equal(exit, 1);
    assert.equal(stdout.trim().split('\n').length, 1);
    assert.match(stderr, /no valid bundles exist in registry/);
    assert.equal((await cosign([ref('two'), ref('one')])).exit, 10);
  });

  test('flags come from the environment too', async () => {
    assert.equal((await cosign([ref('one')], { COSIGN_CHECK_CLAIMS: 'true' })).exit, 0);
    const refused = await cosign([ref('one')], { COSIGN_SK: 'true' });
    assert.deepEqual([refused.reason?.code, refused.exit], ['WB-1311', 3]);
  });

  test('--output-file takes what would be printed', async () => {
    const file = join(folder, 'printed');
    const plain = await cosign([ref('one')]);
    const kept = await cosign(['--output-file', file, ref('one')]);
    assert.deepEqual([kept.exit, kept.stdout], [0, '']);
    assert.equal(await readFile(file, 'utf8'), `${plain.stdout}\n`);
  });

  for (const flag of ['--sk', '--slot=x', '--allow-certificate-chain']) {
    test(`${flag} is refused by name, with what to do instead`, async () => {
      const { reason, exit } = await cosign([flag, ref('one')]);
      assert.deepEqual([reason?.code, exit, reason?.actual], ['WB-1311', 3, flag.replace('=x', '')]);
      assert.notEqual(reason?.hint, '');
    });
  }

  test('a pattern is found anywhere, and one that admits anybody is told', async () => {
    const loose = ['cosign', 'verify', ...words.slice(1, 3)];
    const patterns = ['--certificate-identity-regexp', 'acme', '--certificate-oidc-issuer-regexp', '.*'];
    const world = { clock: stack.clock, transport: httpTransport() };
    const { exit, stderr } = await tellIn(world, [...loose, ...patterns, ref('one')]);
    assert.equal(exit, 0);
    assert.match(stderr, /finds --certificate-identity-regexp anywhere/);
    assert.match(stderr, /--certificate-oidc-issuer-regexp \.\* admits anybody/);
    const anchored = patterns.with(1, '^acme');
    assert.equal((await tellIn(world, [...loose, ...anchored, ref('one')])).exit, 1);
  });
});
