/** Promotion on a real stack over loopback: from its registry to another one that can be made to fail. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { mirrorMap } from '#facts';
import { attestImage } from '#flows/attest-image';
import { type PromoteOptions, type Promotion, promoteImage } from '#flows/promote';
import { signImage } from '#flows/sign-image';
import { verifyImage } from '#flows/verify-image';
import { PROVENANCE_V1, parseVsa, VSA_V1 } from '#formats/slsa';
import { listAttachments, type Registry } from '#oci';
import { systemClock } from '#platform/system';
import { type PolicySet, parsePolicies } from '#policy';
import { checkVsa, type TrustedBuilder, WAYBILL_BUILD_TYPE } from '#provenance';
import { identity, requireKeyless, trustMaterial } from '#verify';
import { waybillHere } from '../cli/here.ts';
import { faultyRegistry } from '../double/registry-faults.ts';
import { putImage, quickRegistry, reasonOf } from '../oci/helpers.ts';
import { ada, personSigner, signerOf, startStack, trustedRootOf } from '../stack/helper.ts';

const stack = await startStack();
const target = await faultyRegistry();
const folder = await mkdtemp(join(tmpdir(), 'waybill-promote-'));
after(async () => {
  await target.close();
  await rm(folder, { recursive: true });
});

const registry: Registry = quickRegistry();
const promoter = 'promoter@example.com';
const material = trustMaterial(trustedRootOf(stack));
const deps = {
  registry,
  signer: await personSigner(stack, 1, promoter),
  trustedRoot: material,
  clock: systemClock,
  mirror: mirrorMap([]),
};

function policyText(repository: string, subject = ada): string {
  return `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: release}
spec:
  rules:
    - name: by-ada
      match: {any: [{resources: {kinds: [Pod]}}]}
      verifyImages:
        - imageReferences: ["${repository}*"]
          type: SigstoreBundle
          failureAction: Enforce
          attestors:
            - entries:
                - keyless: {subject: "${subject}", issuer: "${stack.origins.oidc}", rekor: {url: "${stack.origins.log}"}}
`;
}
const policyOf = (repository: string, subject?: string): PolicySet =>
  unwrap(parsePolicies(policyText(repository, subject)));

const optionsFor = (policies: PolicySet): PromoteOptions => ({
  policies,
  namespace: 'default',
  forceTag: false,
  verifier: { id: 'https://gate.example/promote' },
  format: 'bundle',
});

let images = 0;
/** A tiny image in the stack's registry, signed by ada unless told otherwise. */
async function image(isSigned = true): Promise<{ from: string; to: string; name: string; digest: Digest }> {
  const name = `dev/app${++images}`;
  const repository = registry.repository({ registry: stack.registryHost, repository: name });
  const { digest } = await putImage(repository, name, { tag: 'v1' });
  const from = `${stack.registryHost}/${name}:v1`;
  const signer = await personSigner(stack);
  const how = { format: 'bundle', annotations: {}, recursive: false } as const;
  if (isSigned) await signImage(from, how, { ...deps, signer });
  return { from, to: `${target.host}/prod/app${images}:v1`, name: `${stack.registryHost}/${name}`, digest };
}

const prod = (to: string) => {
  const [registryHost = '', ...path] = to.split('/');
  const [repository = ''] = path.join('/').split(':');
  return registry.repository({ registry: registryHost, repository });
};

async function tagsAt(to: string): Promise<readonly string[]> {
  return prod(to)
    .tags()
    .catch(() => []);
}

function promoted(promotion: Promotion): Extract<Promotion, { outcome: 'promoted' }> {
  assert.ok(promotion.outcome === 'promoted', JSON.stringify(promotion.verdict.results));
  return promotion;
}

test('a signed image arrives with its signature, its tag and a summary that names what was verified', async () => {
  const { from, to, name, digest } = await image();
  const policies = policyOf(name);
  const done = promoted(await promoteImage(from, to, optionsFor(policies), deps));
  assert.equal(done.digest, digest);
  assert.deepEqual(await tagsAt(to), ['v1']);
  const there = await listAttachments(prod(to), digest);
  assert.equal(there.bundles.length, 2);
  const who = unwrap(identity({ issuer: stack.origins.oidc, san: promoter }));
  const requirements = unwrap(requireKeyless({ identities: [who], predicateTypes: [VSA_V1] }));
  const trust = { material, hash: 'test' };
  const { accepted } = await verifyImage(to, { kind: 'attestation', requirements }, { ...deps, trust });
  const { statement } = accepted[0];
  assert.ok(statement !== undefined);
  const vsa = unwrap(parseVsa(statement.predicate));
  const expected = {
    subjectDigests: [digest],
    verifierId: 'https://gate.example/promote',
    resourceUri: `oci://${done.pinned}`,
    policySha256: policies.hash,
    nowMs: systemClock.now(),
  };
  unwrap(checkVsa(vsa, statement.subject, expected));
  assert.deepEqual(vsa.verifiedLevels, ['SLSA_BUILD_LEVEL_UNEVALUATED']);
  const signature = there.bundles.find(
    ({ bytes }) => vsa.inputAttestations?.[0]?.digest?.['sha256'] === toHex(sha256(bytes)),
  );
  assert.ok(signature !== undefined, 'the summary names the signature it rests on');
  assert.equal(vsa.inputAttestations?.length, 1);
});

test('an unsigned image is denied with the reason, and nothing is copied', async () => {
  const { from, to, name } = await image(false);
  const before = target.seen.length;
  const denied = await promoteImage(from, to, optionsFor(policyOf(name)), deps);
  assert.ok(denied.outcome === 'denied');
  assert.equal(denied.stage, 'source');
  assert.deepEqual(
    denied.verdict.results.flatMap(({ reasons }) => reasons.map(({ code }) => code)),
    ['WB-740'],
  );
  assert.equal(target.seen.length, before, 'the target was not asked');
});

test('a signature by somebody else is denied', async () => {
  const { from, to, name } = await image();
  const denied = await promoteImage(from, to, optionsFor(policyOf(name, 'eve@example.com')), deps);
  assert.equal(denied.outcome, 'denied');
  assert.match(denied.verdict.results[0]?.reasons[0]?.check ?? '', /identity/);
});

test('a check in audit mode has to pass too: a summary does not say PASSED about what failed', async () => {
  const { from, to, name } = await image(false);
  const text = policyText(name).replace(
    'failureAction: Enforce',
    'failureAction: Audit\n          mutateDigest: false',
  );
  const denied = await promoteImage(from, to, optionsFor(unwrap(parsePolicies(text))), deps);
  assert.equal(denied.outcome, 'denied');
});

test('an image no rule covers is denied: WB-970', async () => {
  const { from, to } = await image();
  const denied = await promoteImage(from, to, optionsFor(policyOf('ghcr.io/other/')), deps);
  assert.equal(denied.outcome, 'denied');
  assert.deepEqual(
    denied.verdict.reasons.map(({ code }) => code),
    ['WB-970'],
  );
});

test('a policy that asks for no evidence is denied: WB-971', async () => {
  const { from, to, name } = await image();
  const free = `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: free}
spec: {images: [{glob: "${name}**"}], authorities: [{name: all, static: {action: pass}}]}
`;
  const denied = await promoteImage(from, to, optionsFor(unwrap(parsePolicies(free))), deps);
  assert.deepEqual(
    denied.verdict.reasons.map(({ code }) => code),
    ['WB-971'],
  );
});

test('a tag that holds another digest is refused before the copy, and moved only when told: WB-973', async () => {
  const { from, to, name, digest } = await image();
  const other = await putImage(prod(to), 'something else', { tag: 'v1' });
  const policies = policyOf(name);
  const reason = await reasonOf(promoteImage(from, to, optionsFor(policies), deps));
  assert.deepEqual([reason.code, reason.exit, reason.actual], ['WB-973', 3, other.digest]);
  await assert.rejects(prod(to).manifest(digest), /WB-502/);
  const moved = promoted(await promoteImage(from, to, { ...optionsFor(policies), forceTag: true }, deps));
  assert.equal((await prod(to).resolve({ tag: 'v1' })).digest, moved.digest);
});

test('a tag that is taken while the image is copied stays with its digest: WB-973', async () => {
  const { from, to, name } = await image();
  let other = '';
  // Somebody else pushes when the summary has been written and the tag has not.
  const run = async (): Promise<void> => {
    const inner = registry.repository({ registry: target.inner.host, repository: prod(to).repository });
    other = (await putImage(inner, 'first', { tag: 'v1' })).digest;
  };
  target.misbehave({ method: 'PUT', path: /manifests\/v1$/, fault: { kind: 'meanwhile', run }, times: 1 });
  const reason = await reasonOf(promoteImage(from, to, optionsFor(policyOf(name)), deps));
  target.misbehave();
  assert.equal(reason.code, 'WB-973');
  assert.equal((await prod(to).resolve({ tag: 'v1' })).digest, other);
});

test('promoting again what is there already succeeds', async () => {
  const { from, to, name } = await image();
  const options = optionsFor(policyOf(name));
  promoted(await promoteImage(from, to, options, deps));
  promoted(await promoteImage(from, to, options, deps));
  assert.deepEqual(await tagsAt(to), ['v1']);
});

test('a target that breaks off at any request leaves no tag, and the next attempt finishes', async () => {
  const { from, to, name } = await image();
  const policies = policyOf(name);
  let failures = 0;
  for (let n = 1; ; n++) {
    let passed = 0;
    const break_ = { status: 507, kind: 'answer' } as const;
    // The n-th write fails and all after it: what a full disk looks like.
    const count = async (): Promise<void> => {
      if (++passed === n)
        target.misbehave(
          { path: /./, method: 'PUT', fault: break_ },
          { path: /./, method: 'POST', fault: break_ },
        );
    };
    const meanwhile = { kind: 'meanwhile', run: count } as const;
    target.misbehave(
      { path: /./, method: 'PUT', fault: meanwhile },
      { path: /./, method: 'POST', fault: meanwhile },
    );
    const fresh = to.replace(/app/, `fault${n}-app`);
    const outcome = await promoteImage(from, fresh, optionsFor(policies), deps).catch(
      (error: unknown) => error,
    );
    target.misbehave();
    if (!(outcome instanceof Error)) break;
    failures++;
    assert.match(outcome.message, /^WB-5\d\d/);
    assert.deepEqual(await tagsAt(fresh), [], `write ${n} failed, and the tag is there`);
    promoted(await promoteImage(from, fresh, optionsFor(policies), deps));
    assert.deepEqual(await tagsAt(fresh), ['v1']);
  }
  assert.ok(failures >= 5, `${failures} faults fired`);
});

test('a target that does not hand out the signatures is denied there, without tag and summary', async () => {
  const { from, to, name, digest } = await image();
  target.misbehave({
    method: 'GET',
    path: /referrers/,
    fault: {
      kind: 'answer',
      status: 200,
      headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' },
      body: '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
    },
  });
  const denied = await promoteImage(from, to, optionsFor(policyOf(name)), deps);
  target.misbehave();
  assert.ok(denied.outcome === 'denied', denied.outcome);
  assert.equal(denied.stage, 'target');
  assert.deepEqual(await tagsAt(to), []);
  assert.equal((await listAttachments(prod(to), digest)).bundles.length, 1);
});

test('the level is that of the provenance the policy accepted, for the source that was named', async () => {
  const { from, to, name } = await image();
  const policies = policyOf(name);
  const level = { expected: { sourceUri: 'git+https://github.com/acme/api' } };
  const none = await reasonOf(promoteImage(from, to, { ...optionsFor(policies), level }, deps));
  assert.deepEqual([none.code, none.exit], ['WB-972', 2]);
  assert.deepEqual(await tagsAt(to), []);
});

test('provenance by the builder of the policy earns the level its trust row grants, and no other source does', async () => {
  const { from, to, name } = await image();
  const [source, commit] = ['https://git.example/acme/app', 'c'.repeat(40)];
  const [builder, issuer] = ['https://builder.example/builders/one/v1', `${stack.origins.oidc}/workload`];
  const claims = { sourceRepositoryUri: source, sourceRepositoryDigest: commit };
  const token = await stack.mint({ realm: 'workload', sub: builder, claims });
  const uri = `git+${source}@refs/tags/v1.4.2`;
  const value = {
    buildDefinition: {
      buildType: WAYBILL_BUILD_TYPE,
      externalParameters: { source: { uri: `git+${source}`, ref: 'refs/tags/v1.4.2' } },
      internalParameters: { sandbox: { level: 2 } },
      resolvedDependencies: [{ name: 'source', uri, digest: { gitCommit: commit } }],
    },
    runDetails: { builder: { id: builder } },
  };
  const signer = signerOf(stack, { kind: 'token', token });
  await attestImage(from, { type: PROVENANCE_V1, value }, 'bundle', { ...deps, signer });
  const authority = `{issuer: "${issuer}", subject: "${builder}", rekor: {url: "${stack.origins.log}"}}`;
  const text = `${policyText(name)}          attestations:
            - type: ${PROVENANCE_V1}
              attestors: [{entries: [{keyless: ${authority}}]}]
`;
  const options = optionsFor(unwrap(parsePolicies(text)));
  const expected = { sourceUri: source, sourceTag: 'v1.4.2', builderId: builder, issuer };
  const row = {
    builderId: builder,
    issuer,
    levelMax: 2,
    buildTypes: [WAYBILL_BUILD_TYPE],
    artifacts: ['image'],
  };
  const builders = [row] as unknown as readonly TrustedBuilder[];
  const other = { expected: { ...expected, sourceUri: 'https://git.example/acme/other' }, builders };
  const refused = await reasonOf(promoteImage(from, to, { ...options, level: other }, deps));
  assert.deepEqual([refused.code, refused.exit], ['WB-708', 2]);
  assert.deepEqual(await tagsAt(to), []);
  const done = promoted(await promoteImage(from, to, { ...options, level: { expected, builders } }, deps));
  assert.equal(done.level, 'SLSA_BUILD_LEVEL_2');
  assert.equal(done.verdict.used.length, 2);
  const nobody = promoted(await promoteImage(from, to, { ...options, level: { expected } }, deps));
  assert.equal(nobody.level, 'SLSA_BUILD_LEVEL_1', 'no row, no more than level 1');
});

function waybill(...args: string[]) {
  const env = { PATH: process.env['PATH'], HOME: folder, WAYBILL_STACK: stack.dataDir };
  return waybillHere([...args, '--json'], { env });
}

test('the command: promoted exits 0 and its VSA verifies; denied exits 2 with reasons', async () => {
  const { from, to, name, digest } = await image();
  const policy = join(folder, 'policy.yaml');
  await writeFile(policy, policyText(name));
  const token = (await stack.mint({ sub: promoter, email: promoter })).reveal();
  const args = ['--policy', policy, '--identity-token', token];
  const done = await waybill('promote', from, to, ...args);
  assert.equal(done.code, 0, done.stderr);
  const json = JSON.parse(done.stdout);
  assert.deepEqual(
    [json.schema, json.ok, json.outcome, json.digest, json.verdict.evidence.length],
    ['waybill.dev/promote/v1', true, 'promoted', digest, 1],
  );
  const who = ['--certificate-identity', promoter, '--certificate-oidc-issuer', stack.origins.oidc];
  const verified = await waybill('verify-attestation', '--type', 'vsa', ...who, to);
  assert.equal(verified.code, 0, verified.stderr);
  const { predicate } = JSON.parse(verified.stdout).images[0].accepted[0];
  assert.deepEqual([predicate.verificationResult, predicate.resourceUri], ['PASSED', `oci://${json.image}`]);
  const wrong = await waybill(
    'verify-attestation',
    '--type',
    'vsa',
    '--certificate-identity',
    ada,
    ...who.slice(2),
    to,
  );
  assert.equal(wrong.code, 14);
  const unsigned = await image(false);
  await writeFile(policy, policyText(unsigned.name));
  const denied = await waybill('promote', unsigned.from, unsigned.to, ...args);
  assert.equal(denied.code, 2, denied.stderr);
  const why = JSON.parse(denied.stdout);
  assert.deepEqual(
    [why.schema, why.ok, why.outcome, why.stage, why.verdict.results[0].reasons[0].code],
    ['waybill.dev/promote/v1', false, 'denied', 'source', 'WB-740'],
  );
  assert.deepEqual(await tagsAt(unsigned.to), []);
});

test('the command: no policy, and a verifier that is no URI, are usage errors', async () => {
  const none = await waybill('promote', 'localhost:1/a:b', 'localhost:1/c:d');
  assert.equal(none.code, 3);
  const id = await waybill(
    'promote',
    'localhost:1/a:b',
    'localhost:1/c:d',
    '--policy',
    'x',
    '--verifier-id',
    'x',
  );
  assert.deepEqual([id.code, JSON.parse(id.stdout).reason.code], [3, 'WB-1305']);
});
