/** Images with everything that can be attached to them, and how many requests it takes to judge it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { compileConditions } from '#flows/attestation-conditions';
import { type VerifyImageDeps, type VerifyImageQuestion, verifyImage } from '#flows/verify-image';
import { envelopeJson } from '#formats/dsse';
import { COSIGN_SIGN_V1, predicateTypes, statementBytes } from '#formats/intoto';
import { descriptorOf, type ImageManifest } from '#formats/oci';
import {
  attachBundle,
  attachLegacyAttestation,
  attachLegacySignature,
  legacyTag,
  listAttachments,
  type Repository,
} from '#oci';
import { type HttpRequest, httpTransport, type Transport } from '#platform/http-client';
import { createRegistry } from '#services/registry';
import { identity, requireKeyless } from '#verify';
import { counting } from '../double/counting-transport.ts';
import { certificatePemOf, rekorBundleOf } from '../double/legacy-parts.ts';
import { EPOCH, ISSUER, SUBJECT, VirtualStack } from '../double/virtual-stack.ts';
import { putImage, putMultiArch, quickRegistry, reasonOf, repositoryAt } from '../oci/helpers.ts';

const dataDir = await mkdtemp(join(tmpdir(), 'waybill-test-verify-image-'));
const registry = await createRegistry({ dataDir });
after(async () => {
  await registry.close();
  await rm(dataDir, { recursive: true, force: true });
});
const stack = new VirtualStack();
const at = (name: string): Repository => repositoryAt(registry.host, name);
const other = 'eve@acme.example';
const leafOf = (by: string | undefined) =>
  by === undefined ? {} : { leaf: { sans: [{ type: 'email' as const, value: by }] as const } };

/** Requests by what they are for: names (tags, referrers), and content by digest. */
function sorted(asked: readonly string[]) {
  const content = asked.filter((one) => /(?:manifests|blobs)\/sha256:/.test(one));
  const tokens = asked.filter((one) => one.endsWith('/token'));
  const discovery = asked.filter((one) => !content.includes(one) && !tokens.includes(one));
  return { discovery, content, tokens };
}

const question = (
  more: Partial<VerifyImageQuestion> = {},
  types = [COSIGN_SIGN_V1],
): VerifyImageQuestion => ({
  kind: 'signature',
  requirements: unwrap(
    requireKeyless({
      identities: [unwrap(identity({ issuer: ISSUER, san: SUBJECT }))],
      ...(types.length === 0 ? {} : { predicateTypes: types }),
    }),
  ),
  ...more,
});

const depsWith = (
  transport: Transport = httpTransport(),
  more: Partial<VerifyImageDeps> = {},
): VerifyImageDeps => ({
  registry: quickRegistry({ transport }),
  trust: { material: stack.trust(), hash: 'virtual' },
  clock: stack.clock,
  ...more,
});

interface Attached {
  /** Who signs, when it is not the usual signer. */
  readonly by?: string;
  readonly at?: number;
}

async function addBundle(to: Repository, image: ImageManifest, { by, at: when = EPOCH }: Attached = {}) {
  const sample = stack.sign({
    artifact: image.bytes,
    statement: 'cosign',
    at: when,
    ...leafOf(by),
  });
  const options = { predicateType: COSIGN_SIGN_V1, createdMs: when };
  return { sample, ...(await attachBundle(to, descriptorOf(image), sample.bytes, options)) };
}

const vuln = (image: ImageManifest, predicate: { readonly [key: string]: string }): Uint8Array =>
  statementBytes({
    subject: [{ digest: { sha256: toHex(sha256(image.bytes)) } }],
    predicateType: predicateTypes.vuln,
    predicate,
  });

async function addAttestation(
  to: Repository,
  image: ImageManifest,
  predicate: { readonly [key: string]: string },
) {
  const sample = stack.sign({ artifact: image.bytes, statement: vuln(image, predicate) });
  const options = { predicateType: predicateTypes.vuln, createdMs: EPOCH };
  return attachBundle(to, descriptorOf(image), sample.bytes, options);
}

async function addLegacySignature(
  to: Repository,
  image: ImageManifest,
  { by, at: when = EPOCH }: Attached = {},
) {
  const payload = utf8(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': to.name },
        image: { 'docker-manifest-digest': image.digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  );
  const sample = stack.sign({
    artifact: payload,
    at: when,
    tsas: [],
    ...leafOf(by),
  });
  await attachLegacySignature(to, image.digest, payload, {
    signature: toBase64(sample.signature),
    certificate: certificatePemOf(sample) ?? '',
    rekorBundle: JSON.stringify(rekorBundleOf(sample)),
  });
}

async function addLegacyAttestation(
  to: Repository,
  image: ImageManifest,
  predicate: { readonly [key: string]: string },
) {
  const sample = stack.sign({ artifact: image.bytes, statement: vuln(image, predicate), tsas: [] });
  if (sample.parts.content.kind !== 'dsse') assert.fail('a statement is in an envelope');
  await attachLegacyAttestation(to, image.digest, utf8(envelopeJson(sample.parts.content.envelope)), {
    certificate: certificatePemOf(sample) ?? '',
    rekorBundle: JSON.stringify(rekorBundleOf(sample)),
    predicateType: predicateTypes.vuln,
  });
}

const full = at('full');
const image = await putImage(full, 'full', { tag: 'v1' });
await addBundle(full, image);
await addAttestation(full, image, { from: 'bundle' });
for (let i = 0; i < 3; i++) await addLegacySignature(full, image, { at: EPOCH + i });
await addLegacyAttestation(full, image, { from: 'tag' });

test('discovery takes at most four requests, content one for each digest, and nothing is asked twice', async () => {
  for (const [given, kind, discovery] of [
    [`${full.name}@${image.digest}`, 'signature', 3],
    [`${full.name}:v1`, 'signature', 4],
    [`${full.name}@${image.digest}`, 'attestation', 3],
    [`${full.name}:v1`, 'attestation', 4],
  ] as const) {
    const { transport, state } = counting();
    const types = kind === 'signature' ? [COSIGN_SIGN_V1] : [predicateTypes.vuln];
    const verified = await verifyImage(given, question({ kind }, types), depsWith(transport));
    const found = sorted(state.asked);
    assert.equal(found.discovery.length, discovery, state.asked.join('\n'));
    assert.deepEqual(state.asked.length, new Set(state.asked).size, state.asked.join('\n'));
    // Two referrers with a blob each; three signatures of the older layout over one payload, or one envelope.
    assert.equal(found.content.length, 5, state.asked.join('\n'));
    assert.equal(verified.accepted.length, kind === 'signature' ? 4 : 2);
    assert.ok(state.most >= 3, 'what is independent runs side by side');
  }
});

test('a question that takes any type reads both tags of the older layout: four requests by digest', async () => {
  const { transport, state } = counting();
  const verified = await verifyImage(`${full.name}@${image.digest}`, question({}, []), depsWith(transport));
  assert.deepEqual([sorted(state.asked).discovery.length, verified.accepted.length], [4, 6]);
});

/** A registry that is not on loopback and wants a token for everything, over the one that runs here. */
function tokenRegistry(name: string): Transport {
  const inner = httpTransport();
  const refused = (url: string) => ({
    status: 401,
    headers: new Map([['www-authenticate', `Bearer realm="https://${name}/token",service="x"`]]),
    body: new Uint8Array(),
    url,
  });
  const moved = (request: HttpRequest): HttpRequest => ({
    ...request,
    url: request.url.replace(`https://${name}`, `http://${registry.host}`),
    headers: Object.fromEntries(
      Object.entries(request.headers ?? {}).filter(([key]) => key !== 'authorization'),
    ),
  });
  const isKnown = ({ headers }: HttpRequest): boolean => headers?.['authorization'] === 'Bearer good';
  return {
    request: async (request) => {
      if (new URL(request.url).pathname === '/token') {
        return { status: 200, headers: new Map(), body: utf8('{"token":"good"}'), url: request.url };
      }
      return isKnown(request) ? inner.request(moved(request)) : refused(request.url);
    },
    stream: async (request) => {
      if (isKnown(request)) return inner.stream(moved(request));
      const { body: _, ...rest } = refused(request.url);
      return { ...rest, body: (async function* (): AsyncIterable<Uint8Array> {})() };
    },
  };
}

test('where a registry wants a token it is fetched once, and one request is sent again', async () => {
  const { transport, state } = counting(tokenRegistry('registry.example'));
  const given = `registry.example/full@${image.digest}`;
  const verified = await verifyImage(given, question(), depsWith(transport));
  const { discovery, content, tokens } = sorted(state.asked);
  assert.equal(verified.accepted.length, 4);
  assert.deepEqual([tokens.length, discovery.length, content.length], [1, 4, 5], state.asked.join('\n'));
  const again = state.asked.filter((one, i) => state.asked.indexOf(one) !== i);
  assert.equal(again.length, 1, 'only the request that the registry refused');
});

test('neither layout hides the other: one good signature suffices, wherever it lies', async () => {
  for (const [name, good] of [
    ['in-bundle', 'bundle'],
    ['in-tag', 'legacy'],
  ] as const) {
    const repository = at(name);
    const one = await putImage(repository, name);
    await addBundle(repository, one, good === 'bundle' ? {} : { by: other });
    await addLegacySignature(repository, one, good === 'legacy' ? {} : { by: other });
    const verified = await verifyImage(`${repository.name}@${one.digest}`, question(), depsWith());
    assert.deepEqual(
      verified.items.map(({ kind }) => kind),
      [good],
    );
    assert.deepEqual(
      verified.refused.map(({ code }) => code),
      ['WB-351'],
    );
  }
});

test('what lies in the repository of COSIGN_REPOSITORY counts too, and what lies in both counts once', async () => {
  const own = at('own');
  const elsewhere = at('elsewhere');
  const one = await putImage(own, 'own');
  const { sample } = await addBundle(own, one);
  await addLegacySignature(elsewhere, one);
  const options = { predicateType: COSIGN_SIGN_V1, createdMs: EPOCH + 1 };
  await attachBundle(elsewhere, descriptorOf(one), sample.bytes, options);
  const { transport, state } = counting();
  const deps = depsWith(transport, { cosignRepository: elsewhere.name });
  const verified = await verifyImage(`${own.name}@${one.digest}`, question(), deps);
  assert.deepEqual(
    verified.items.map(({ kind }) => kind),
    ['bundle', 'legacy'],
  );
  assert.equal(state.asked.filter((path) => path.includes('/blobs/')).length, 2, state.asked.join('\n'));
});

test('an index is judged by its own signatures, and one of its images where a platform is named', async () => {
  const repository = at('multi');
  const { index, images } = await putMultiArch(repository, 'multi', 'v1');
  const arm = images[1] as ImageManifest;
  await addBundle(repository, arm);
  const given = `${repository.name}:v1`;
  const why = await reasonOf(verifyImage(given, question(), depsWith()));
  assert.deepEqual([why.code, why.exit], ['WB-901', 10]);
  assert.match(why.hint, /--platform/);
  const platform = { os: 'linux', architecture: 'arm64' };
  const verified = await verifyImage(given, question({ platform }), depsWith());
  assert.equal(verified.digest, arm.digest);
  assert.notEqual(verified.digest, index.digest);
});

test('an image that is no index must be of the platform that is named', async () => {
  const repository = at('single');
  const image = await putImage(repository, 'single', {
    tag: 'v1',
    platform: { os: 'linux', architecture: 'arm' },
  });
  await addBundle(repository, image);
  for (const given of [`${repository.name}:v1`, `${repository.name}@${image.digest}`]) {
    const verifyAs = (architecture: string, variant?: string) => {
      const platform = { os: 'linux', architecture, ...(variant === undefined ? {} : { variant }) };
      return verifyImage(given, question({ platform }), depsWith());
    };
    assert.equal((await verifyAs('arm')).digest, image.digest);
    assert.equal((await verifyAs('arm', 'v7')).digest, image.digest);
    for (const other of [() => verifyAs('mips'), () => verifyAs('arm', 'v6')]) {
      const why = await reasonOf(other);
      assert.deepEqual([why.code, why.actual], ['WB-511', 'linux/arm']);
    }
  }
});

test('a digest with nothing attached and a digest that is not there are told apart', async () => {
  const repository = at('bare');
  const bare = await putImage(repository, 'bare');
  const nothing = await reasonOf(verifyImage(`${repository.name}@${bare.digest}`, question(), depsWith()));
  assert.deepEqual([nothing.code, nothing.exit], ['WB-901', 10]);
  const absent = `${repository.name}@sha256:${'0'.repeat(64)}`;
  const none = await reasonOf(verifyImage(absent, question(), depsWith()));
  assert.deepEqual([none.code, none.exit], ['WB-502', 11]);
});

test('a misspelt identity is answered with the nearest of those that signed', async () => {
  const repository = at('named');
  const one = await putImage(repository, 'named');
  for (const value of ['release-bot@acme.example', 'dev@acme.example', 'eve@elsewhere.example']) {
    await addBundle(repository, one, { by: value });
  }
  const requirements = unwrap(
    requireKeyless({
      identities: [unwrap(identity({ issuer: ISSUER, san: 'dve@acme.example' }))],
      predicateTypes: [COSIGN_SIGN_V1],
    }),
  );
  const given = `${repository.name}@${one.digest}`;
  const why = await reasonOf(verifyImage(given, { kind: 'signature', requirements }, depsWith()));
  assert.deepEqual([why.code, why.exit], ['WB-351', 14]);
  assert.match(why.hint, /^did you mean --certificate-identity "dev@acme\.example"\?/);
  assert.match(why.actual, /dev@acme\.example.*nearest of 3/);
});

test('conditions choose among verified attestations, and refuse when none meets them', async () => {
  const given = `${full.name}@${image.digest}`;
  const asked = (text: string): VerifyImageQuestion =>
    question({ kind: 'attestation', conditions: compileConditions([text]) }, [predicateTypes.vuln]);
  const verified = await verifyImage(given, asked('predicate.from == "tag"'), depsWith());
  assert.deepEqual(
    verified.items.map(({ kind }) => kind),
    ['legacy'],
  );
  assert.deepEqual(
    verified.refused.map(({ code }) => code),
    ['WB-908'],
  );
  assert.equal(
    (await reasonOf(verifyImage(given, asked('predicate.from == "x"'), depsWith()))).code,
    'WB-908',
  );
  const broken = await reasonOf(verifyImage(given, asked('predicate.to == "x"'), depsWith()));
  assert.deepEqual([broken.code, broken.exit], ['WB-914', 12]);
});

test('an attestation is no signature unless any type is taken', async () => {
  const repository = at('attested');
  const one = await putImage(repository, 'attested');
  await addAttestation(repository, one, { from: 'bundle' });
  const given = `${repository.name}@${one.digest}`;
  assert.equal((await reasonOf(verifyImage(given, question(), depsWith()))).code, 'WB-901');
  assert.equal((await verifyImage(given, question({}, []), depsWith())).accepted.length, 1);
});

test('one blob that a place lost is read in another place that has it', async () => {
  const own = at('lost');
  const elsewhere = at('kept');
  const one = await putImage(own, 'lost');
  const { sample, manifest } = await addBundle(own, one);
  await attachBundle(elsewhere, descriptorOf(one), sample.bytes, {
    predicateType: COSIGN_SIGN_V1,
    createdMs: 0,
  });
  const held = await own.manifest(manifest.digest);
  const layer = held.kind === 'manifest' ? held.layers[0]?.digest : undefined;
  const losing: Transport = {
    ...httpTransport(),
    stream: async (request) =>
      request.url.endsWith(`/lost/blobs/${layer}`)
        ? { status: 404, headers: new Map(), body: (async function* () {})(), url: request.url }
        : httpTransport().stream(request),
  };
  const deps = depsWith(losing, { cosignRepository: elsewhere.name });
  const why = await reasonOf(verifyImage(`${own.name}@${one.digest}`, question(), depsWith(losing)));
  assert.equal(why.code, 'WB-502');
  assert.equal((await verifyImage(`${own.name}@${one.digest}`, question(), deps)).accepted.length, 1);
});

test('listing looks at the tags it is told to', async () => {
  const { transport, state } = counting();
  const place = quickRegistry({ transport }).repository({ registry: registry.host, repository: 'full' });
  const found = await listAttachments(place, image.digest, { suffixes: ['att'] });
  assert.deepEqual([found.legacySignatures.length, found.legacyAttestations.length], [0, 1]);
  assert.equal(
    state.asked.some((path) => path.endsWith(legacyTag(image.digest, 'sig'))),
    false,
  );
});
