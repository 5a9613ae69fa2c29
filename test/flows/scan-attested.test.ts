/** `scan --attested` and `sbom check` attacked: whatever is attached, they answer for the image that was named. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Digest } from '#base/brand';
import { digestHex } from '#base/digest';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import type { ReadAttachments } from '#facts';
import { attestImage } from '#flows/attest-image';
import { checkSbom, type SbomCheck, type SbomCheckDeps } from '#flows/sbom-check';
import { sbomDocument } from '#flows/sbom-document';
import { sbomImage } from '#flows/sbom-image';
import { sbomPredicateTypes } from '#flows/sbom-statement';
import {
  type AttestedDeps,
  type AttestedSbom,
  attestedSbom,
  type Candidate,
  newestOf,
} from '#flows/scan-attested';
import { type SignImageDeps, signStatement } from '#flows/sign-image';
import { predicateTypes, statementBytes } from '#formats/intoto';
import type { JsonObject, JsonValue } from '#formats/json';
import { buildIndex, descriptorOf, type ImageManifest } from '#formats/oci';
import { packageId, type Sbom } from '#formats/sbom';
import { attachBundle, listAttachments } from '#oci';
import { layerCache, selectCataloguers } from '#sbom';
import { githubClaims } from '#services/oidc';
import { identity, type Requirements, requireKeyless } from '#verify';
import { once, repositoryAt } from '../oci/helpers.ts';
import { type Entry, image } from '../sbom/fixture.ts';
import { signerOf, startStack, temporaryFolder } from '../stack/helper.ts';
import { CheckWorld, COMMIT, RELEASE } from './check-world.ts';

const stack = await startStack();
const world = new CheckWorld(stack);
const host = stack.registryHost;
let release: SignImageDeps;
let stranger: SignImageDeps;

before(() => {
  const { registry, trust, clock } = world.deps;
  const tokenOf = (repository: string) => () => {
    const claims = githubClaims({ repository, ref: 'refs/tags/v1.4.2', sha: COMMIT });
    return stack.mint({ realm: 'github', sub: claims['sub'] ?? '', claims });
  };
  const common = { registry, clock, trustedRoot: trust.material };
  release = { ...common, signer: signerOf(stack, { kind: 'token', token: tokenOf('acme/api') }) };
  stranger = { ...common, signer: signerOf(stack, { kind: 'token', token: tokenOf('eve/api') }) };
});

const requirements = (): Requirements => {
  const who = unwrap(identity({ issuer: world.githubIssuer, san: RELEASE }));
  return unwrap(requireKeyless({ identities: [who], predicateTypes: sbomPredicateTypes }));
};

const npm = (name: string, version = '1.0.0'): Entry => ({
  path: `app/node_modules/${name}/package.json`,
  text: JSON.stringify({ name, version }),
});

interface Pushed {
  readonly repository: string;
  readonly manifest: ImageManifest;
  /** By digest. */
  readonly place: string;
}

/** An image with these packages, another one in every repository, pushed. */
async function publish(repository: string, names: readonly string[], tag?: string): Promise<Pushed> {
  const { manifest, blobs } = await image([
    { path: 'etc/repository', text: repository },
    ...names.map((name) => npm(name)),
  ]);
  const place = repositoryAt(host, `acme/${repository}`);
  for (const part of [manifest.config, ...manifest.layers]) {
    await place.putBlob(part, () => once(blobs.get(part.digest) as Uint8Array));
  }
  await place.putManifest(manifest, tag === undefined ? {} : { tag });
  return { repository, manifest, place: `${host}/acme/${repository}@${manifest.digest}` };
}

async function documentOf(
  { place }: Pick<Pushed, 'place'>,
  name: 'cyclonedx-json' | 'spdx-json' = 'cyclonedx-json',
): Promise<JsonObject> {
  const { sbom } = await sbomImage(world.registry, place, { version: '0.0.0' });
  return JSON.parse(new TextDecoder().decode(sbomDocument(sbom, { name }, 0))) as JsonObject;
}

const attest = (
  { place }: Pick<Pushed, 'place'>,
  value: JsonValue,
  type: string = predicateTypes.cyclonedx,
  by: SignImageDeps = release,
): Promise<unknown> => attestImage(place, { type, value }, 'bundle', by);

/** Signs a statement about these digests and attaches it to an image, whatever it says. */
async function attachStatement(to: Pushed, value: JsonValue, about: readonly Digest[]): Promise<void> {
  const [first, ...others] = about.map((digest) => ({ digest: { sha256: digestHex(digest) } }));
  const predicateType = predicateTypes.cyclonedx;
  assert.ok(first !== undefined);
  const statement = statementBytes({ subject: [first, ...others], predicateType, predicate: value });
  const { bundle } = await signStatement(
    statement,
    about.map((digest) => ({ digest })),
    release,
  );
  const sink = repositoryAt(host, `acme/${to.repository}`);
  await attachBundle(sink, descriptorOf(to.manifest), bundle, { predicateType, createdMs: 0 });
}

const scan = ({ place }: Pick<Pushed, 'place'>, more: Partial<AttestedDeps> = {}): Promise<AttestedSbom> =>
  attestedSbom(place, requirements(), { ...world.deps, ...more });
const check = ({ place }: Pick<Pushed, 'place'>, more: Partial<SbomCheckDeps> = {}): Promise<SbomCheck> =>
  checkSbom(place, requirements(), { ...world.deps, ...more });

/** The refusal has this exit code, and names what is wrong. */
async function refuses(work: Promise<unknown>, code: RegExp, exit: number, names: string): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.match(error.reason.code, code, JSON.stringify(error.reason));
    assert.equal(error.reason.exit, exit, JSON.stringify(error.reason));
    assert.ok(JSON.stringify(error.reason).includes(names), JSON.stringify(error.reason));
    return true;
  });
}

const namesIn = ({ packages }: Sbom): string[] => packages.map(({ name }) => name).sort();
const without = (document: JsonObject, name: string): JsonObject => ({
  ...document,
  components: (document['components'] as JsonObject[]).filter((one) => one['name'] !== name),
  dependencies: [],
});

test('an attestation about another image, attached to this one, is refused by both', async () => {
  const victim = await publish('victim', ['bad', 'worse']);
  const clean = await publish('clean', ['good']);
  await attachStatement(victim, await documentOf(clean), [clean.manifest.digest]);
  await refuses(scan(victim), /^WB-3\d\d$/, 12, 'subject');
  await refuses(check(victim), /^WB-3\d\d$/, 12, 'subject');
});

test('an SBOM that says it is about another digest is refused, though its statement is about this one', async () => {
  const victim = await publish('renamed', ['bad']);
  const clean = await publish('renamed-clean', ['bad']);
  await attest(victim, await documentOf(clean));
  await refuses(scan(victim), /^WB-887$/, 2, clean.manifest.digest);
  const { why } = await check(victim);
  assert.deepEqual([why?.code, why?.exit, why?.actual], ['WB-887', 2, `one of ${clean.manifest.digest}`]);
});

test('what a stranger attests besides neither counts nor disturbs', async () => {
  const app = await publish('besides', ['left', 'right']);
  const document = await documentOf(app);
  await attest(app, document);
  await attest(app, without(document, 'left'), predicateTypes.cyclonedx, stranger);
  const { sbom, notes, verified } = await scan(app);
  assert.deepEqual(namesIn(sbom), ['left', 'right']);
  assert.deepEqual(notes, []);
  assert.deepEqual([verified.accepted.length, verified.refused.length], [1, 1]);
  assert.equal((await check(app)).why, undefined);
  const alone = await publish('stranger-only', ['left']);
  await attest(alone, await documentOf(alone), predicateTypes.cyclonedx, stranger);
  await refuses(scan(alone), /^WB-351$/, 14, 'eve/api');
  await refuses(check(alone), /^WB-351$/, 14, 'eve/api');
});

const made = (names: readonly string[], at: number): Candidate => ({
  at,
  notes: [],
  sbom: {
    subject: { name: 'app' },
    layers: [],
    unknowns: [],
    tool: { name: 'waybill', version: '0' },
    packages: names.map((name) => ({
      id: packageId('npm', name, '1', undefined, 't'),
      ...{ type: 'npm', name, version: '1', foundBy: 't', locations: [], licenses: [], dependsOn: [] },
    })),
  },
});

test('of SBOMs that disagree the newest counts and says so; without a trusted order none does', () => {
  const chosen = newestOf([made(['a'], 1000), made(['a', 'b'], 61_000), made(['c'], 0)]);
  assert.ok(chosen !== undefined);
  assert.deepEqual(namesIn(chosen.sbom), ['a', 'b']);
  assert.match(
    chosen.notes.join(),
    /2 older ones say other packages; scanned is that of 1970-01-01T00:01:01Z/,
  );
  for (const at of [0, 5000]) {
    assert.throws(
      () => newestOf([made(['a'], at), made(['a', 'b'], at), made(['c'], at - 1)]),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-981' && error.reason.exit === 2,
    );
  }
  assert.deepEqual(newestOf([made(['a', 'b'], 0), made(['b', 'a'], 0)])?.notes, []);
  assert.equal(newestOf([]), undefined);
});

test('two attested forms of one SBOM agree', async () => {
  const app = await publish('forms', ['left', 'right']);
  await attest(app, await documentOf(app));
  await attest(app, await documentOf(app, 'spdx-json'), 'https://spdx.dev/Document/v2.3');
  const { sbom, notes, verified } = await scan(app);
  assert.deepEqual([namesIn(sbom), notes, verified.accepted.length], [['left', 'right'], [], 2]);
  const { why, evidence } = await check(app);
  assert.equal(why, undefined, evidence.join());
});

test('a statement about several images counts for each of them, and an SBOM without a digest tells it', async () => {
  const app = await publish('several', ['left']);
  const other = await publish('several-other', ['right']);
  const both = [other.manifest.digest, app.manifest.digest];
  const { metadata: _of, ...anonymous } = await documentOf(app);
  await attachStatement(app, anonymous, both);
  const { sbom, notes } = await scan(app);
  assert.equal(sbom.subject.digest, app.manifest.digest);
  assert.match(
    notes.join(),
    /names no digest; the signed statement alone binds it to the image, and to 1 more/,
  );
  await attachStatement(other, await documentOf(app), both);
  await refuses(scan(other), /^WB-887$/, 2, app.manifest.digest);
});

test('a tag that moves after the question is of no consequence: everything is asked of the digest', async () => {
  const app = await publish('moving', ['left'], 'v1');
  await attest(app, await documentOf(app));
  const evil = await publish('moving', ['evil', 'left']);
  const tagged = { place: `${host}/acme/moving:v1` };
  const moveThen: ReadAttachments = async (places, digest) => {
    await repositoryAt(host, 'acme/moving').putManifest(evil.manifest, { tag: 'v1' });
    return listAttachments(places, digest);
  };
  const back = (): Promise<unknown> =>
    repositoryAt(host, 'acme/moving').putManifest(app.manifest, { tag: 'v1' });
  const { sbom, verified } = await scan(tagged, { attachments: moveThen });
  assert.deepEqual([verified.digest, namesIn(sbom)], [app.manifest.digest, ['left']]);
  await back();
  const result = await check(tagged, { attachments: moveThen });
  assert.deepEqual([result.digest, result.why, result.packages], [app.manifest.digest, undefined, 1]);
  // Asked again, the tag is another image, for which nobody vouches.
  await refuses(scan(tagged), /^WB-902$/, 10, 'moving');
  await refuses(check(tagged), /^WB-902$/, 10, 'moving');
});

test('an index: the SBOM of the platform that is looked into counts, that of another is told', async () => {
  const here = await publish('multi', ['left']);
  const there = await publish('multi', ['left', 'newer-only']);
  const index = buildIndex({
    manifests: [
      { ...descriptorOf(here.manifest), platform: { os: 'linux', architecture: 'amd64' } },
      { ...descriptorOf(there.manifest), platform: { os: 'linux', architecture: 'amd64', variant: 'v3' } },
    ],
  });
  await repositoryAt(host, 'acme/multi').putManifest(index, { tag: 'v1' });
  const whole = { place: `${host}/acme/multi@${index.digest}` };
  await attest(whole, await documentOf(there));
  const other = await scan(whole);
  assert.deepEqual(namesIn(other.sbom), ['left', 'newer-only']);
  assert.deepEqual(other.notes, [`the SBOM is about ${there.manifest.digest}, one image of the index`]);
  assert.equal((await check(whole)).why?.code, 'WB-887');
  await attest(whole, await documentOf(here));
  const usual = await scan(whole);
  assert.deepEqual([namesIn(usual.sbom), usual.notes], [['left'], []]);
  assert.equal((await check(whole)).why, undefined);
  // What is attested to the index is not attested to an image in it.
  const platform = { os: 'linux', architecture: 'amd64', variant: 'v3' };
  await refuses(scan(whole, { platform }), /^WB-902$/, 10, there.manifest.digest);
  await refuses(scan(there), /^WB-902$/, 10, there.manifest.digest);
  await attest(there, { ...(await documentOf(there)), metadata: await metadataOf(there, index.digest) });
  const chosen = await scan({ place: `${host}/acme/multi:v1` }, { platform });
  assert.deepEqual([chosen.verified.digest, chosen.notes], [there.manifest.digest, []]);
  const checked = await check({ place: `${host}/acme/multi:v1` }, { platform });
  assert.equal(checked.why, undefined, JSON.stringify(checked.why));
});

/** As tools write it that name the digest they were given. */
async function metadataOf(app: Pushed, digest: Digest): Promise<JsonObject> {
  const { metadata } = await documentOf(app);
  const { component } = metadata as { component: JsonObject };
  return JSON.parse(
    JSON.stringify({ ...(metadata as JsonObject), component }).replaceAll(app.manifest.digest, digest),
  ) as JsonObject;
}

test('an SBOM without packages, one of another type, and none at all are no answer', async () => {
  const empty = await publish('empty', ['left']);
  await attest(empty, { ...(await documentOf(empty)), components: [], dependencies: [] });
  await refuses(scan(empty), /^WB-887$/, 2, 'lists no packages');
  assert.equal((await check(empty)).why?.code, 'WB-936');
  const mistyped = await publish('mistyped', ['left']);
  await attest(mistyped, await documentOf(mistyped, 'spdx-json'));
  await refuses(scan(mistyped), /^WB-887$/, 2, 'sbom.attestation');
  assert.notEqual((await check(mistyped)).why, undefined);
  const other = await publish('other-type', ['left']);
  await attest(other, await documentOf(other), predicateTypes.custom);
  await refuses(scan(other), /^WB-902$/, 10, 'other-type');
  await refuses(check(other), /^WB-902$/, 10, 'other-type');
});

test('a cache of layers does not make a stale SBOM current', async () => {
  const cache = layerCache(await temporaryFolder(), selectCataloguers([], 'image'), '0.0.0');
  const app = await publish('cached', ['left']);
  const document = await documentOf(app);
  await attest(app, document);
  for (const run of ['cold', 'warm']) assert.equal((await check(app, { cache })).why, undefined, run);
  const stale = await publish('cached-stale', ['left', 'right']);
  await attest(stale, without(await documentOf(stale), 'right'));
  for (const run of ['cold', 'warm']) {
    const { why, difference } = await check(stale, { cache });
    assert.equal(why?.code, 'WB-936', run);
    assert.deepEqual(
      difference?.added.map(({ name }) => name),
      ['right'],
    );
  }
});
