/** Each case is an accepted provenance with one change; the refusal is asserted by its code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digest } from '#base/digest';
import { unwrap } from '#base/result';
import type { Statement } from '#formats/intoto';
import {
  builderLevel,
  checkProvenance,
  checkVsa,
  type Expectations,
  grantedLevel,
  type ProvenanceSigner,
  parseSourceUri,
  readProvenance,
  refKind,
  WAYBILL_BUILD_TYPE,
} from '#provenance';

const hex = 'ab'.repeat(32);
const commit = 'c0'.repeat(20);
const generator = 'https://github.com/slsa-framework/slsa-github-generator/.github/workflows';
const containerBuilder = `${generator}/generator_container_slsa3.yml@refs/tags/v2.1.0`;
const ours = 'https://build.example/builders/userns/v1';
const repository = 'https://github.com/acme/app';
const tagRef = 'refs/tags/v1.4.2';

interface Scene {
  statement: Statement;
  signer: Extract<ProvenanceSigner, { kind: 'certificate' }>;
  expected: Expectations;
}

/** Provenance of our own builder, v1. */
function waybillScene(): Scene {
  const source = { uri: `git+${repository}`, ref: tagRef };
  const predicate = {
    buildDefinition: {
      buildType: WAYBILL_BUILD_TYPE,
      externalParameters: {
        source,
        config: { path: 'waybill-build.yaml' },
        buildArgs: {},
        inputs: {},
        network: 'none',
      },
      internalParameters: { trigger: 'api', sandbox: { level: 3 } },
      resolvedDependencies: [{ uri: `git+${repository}@${tagRef}`, digest: { gitCommit: commit } }],
    },
    runDetails: {
      builder: { id: ours },
      metadata: { invocationId: 'https://build.example/api/v1/builds/1', finishedOn: '2026-01-01T00:00:00Z' },
    },
  };
  return {
    statement: {
      type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'registry.test/app', digest: { sha256: hex } }],
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate,
    },
    signer: {
      kind: 'certificate',
      issuer: 'https://issuer.example',
      san: ours,
      claims: {
        issuer: 'https://issuer.example',
        sourceRepositoryUri: repository,
        sourceRepositoryDigest: commit,
        sourceRepositoryRef: tagRef,
        buildTrigger: 'api',
        runInvocationUri: 'https://build.example/api/v1/builds/1',
        runnerEnvironment: 'self-hosted',
      },
    },
    expected: {
      sourceUri: 'github.com/acme/app',
      sourceTag: 'v1.4.2',
      builderId: ours,
      issuer: 'https://issuer.example',
      artifact: digest(`sha256:${hex}`),
    },
  };
}

/** Provenance of the container generator on GitHub, v0.2. */
function generatorScene(): Scene {
  const uri = `git+${repository}@${tagRef}`;
  const predicate = {
    builder: { id: containerBuilder },
    buildType: 'https://github.com/slsa-framework/slsa-github-generator/container@v1',
    invocation: {
      configSource: { uri, digest: { sha1: commit }, entryPoint: '.github/workflows/release.yml' },
      parameters: {},
      environment: {
        github_event_name: 'push',
        github_ref: tagRef,
        github_ref_type: 'tag',
        github_sha1: commit,
      },
    },
    metadata: { buildInvocationID: '1-1' },
    materials: [{ uri, digest: { sha1: commit } }],
  };
  return {
    statement: {
      type: 'https://in-toto.io/Statement/v0.1',
      subject: [{ name: 'registry.test/app', digest: { sha256: hex } }],
      predicateType: 'https://slsa.dev/provenance/v0.2',
      predicate,
    },
    signer: {
      kind: 'certificate',
      issuer: 'https://token.actions.githubusercontent.com',
      san: containerBuilder,
      claims: {
        issuer: 'https://token.actions.githubusercontent.com',
        githubWorkflowTrigger: 'push',
        githubWorkflowSha: commit,
        githubWorkflowRepository: 'acme/app',
        githubWorkflowRef: tagRef,
        sourceRepositoryUri: repository,
        sourceRepositoryDigest: commit,
        sourceRepositoryRef: tagRef,
        runnerEnvironment: 'github-hosted',
      },
    },
    expected: { sourceUri: 'github.com/acme/app', sourceTag: 'v1.4.2', artifact: digest(`sha256:${hex}`) },
  };
}

/** Sets the value at a dotted path; undefined removes it. */
function set(target: object, path: string, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop() as string;
  let at = target as Record<string, unknown>;
  for (const key of keys) at = at[key] as Record<string, unknown>;
  if (value === undefined) delete at[last];
  else at[last] = value;
}

function codeOf(scene: Scene): string {
  const provenance = readProvenance(scene.statement);
  if (!provenance.ok) return provenance.error.code;
  const checked = checkProvenance(provenance.value, scene.expected, scene.signer);
  return checked.ok ? 'accepted' : checked.error.code;
}

test('both scenes are accepted as they are', () => {
  assert.equal(codeOf(waybillScene()), 'accepted');
  assert.equal(codeOf(generatorScene()), 'accepted');
});

const v1 = 'statement.predicate.buildDefinition';
const attacks: readonly [string, () => Scene, string, unknown, string][] = [
  [
    'the signer is the build job itself',
    generatorScene,
    'signer.san',
    `${repository}/.github/workflows/ci.yml@${tagRef}`,
    'WB-704',
  ],
  [
    'the predicate names a builder that did not sign',
    waybillScene,
    'statement.predicate.runDetails.builder.id',
    containerBuilder,
    'WB-703',
  ],
  [
    'the weaker back end of the same host signed',
    waybillScene,
    'signer.san',
    'https://build.example/builders/none/v1',
    'WB-704',
  ],
  ['a look-alike with a longer name signed', waybillScene, 'signer.san', `${ours}evil`, 'WB-704'],
  [
    'another issuer vouches for the same name',
    waybillScene,
    'signer.issuer',
    'https://other.example',
    'WB-715',
  ],
  [
    'another issuer vouches for a GitHub workflow',
    generatorScene,
    'signer.issuer',
    'https://other.example',
    'WB-715',
  ],
  [
    'the builder is at a branch',
    generatorScene,
    'signer.san',
    `${generator}/generator_container_slsa3.yml@refs/heads/main`,
    'WB-706',
  ],
  [
    'the builder is at a prerelease',
    generatorScene,
    'signer.san',
    `${generator}/generator_container_slsa3.yml@refs/tags/v2.1.0-rc.1`,
    'WB-706',
  ],
  [
    'the builder has no ref',
    generatorScene,
    'signer.san',
    `${generator}/generator_container_slsa3.yml`,
    'WB-707',
  ],
  [
    'certificate of another repository',
    waybillScene,
    'signer.claims.sourceRepositoryUri',
    'https://github.com/acme/other',
    'WB-708',
  ],
  [
    'predicate of another repository',
    waybillScene,
    `${v1}.resolvedDependencies.0.uri`,
    `git+https://github.com/acme/other@${tagRef}`,
    'WB-708',
  ],
  [
    'trigger of another repository',
    waybillScene,
    `${v1}.externalParameters.source.uri`,
    'git+https://github.com/acme/other',
    'WB-708',
  ],
  [
    'source at another ref than the trigger',
    waybillScene,
    `${v1}.resolvedDependencies.0.uri`,
    `git+${repository}@refs/heads/main`,
    'WB-701',
  ],
  ['no source at all', waybillScene, `${v1}.resolvedDependencies`, [], 'WB-708'],
  [
    'source with user information',
    waybillScene,
    `${v1}.resolvedDependencies.0.uri`,
    `git+https://github.com@evil.test/acme/app@${tagRef}`,
    'WB-707',
  ],
  [
    'commit other than in the certificate',
    waybillScene,
    'signer.claims.sourceRepositoryDigest',
    'd0'.repeat(20),
    'WB-714',
  ],
  [
    'ref other than in the certificate',
    waybillScene,
    'signer.claims.sourceRepositoryRef',
    'refs/heads/main',
    'WB-714',
  ],
  [
    'event other than in the certificate',
    generatorScene,
    'signer.claims.githubWorkflowTrigger',
    'schedule',
    'WB-714',
  ],
  [
    'invocation other than in the certificate',
    waybillScene,
    'signer.claims.runInvocationUri',
    'https://build.example/api/v1/builds/2',
    'WB-714',
  ],
  [
    'no source claim in the certificate',
    waybillScene,
    'signer.claims.sourceRepositoryUri',
    undefined,
    'WB-719',
  ],
  ['a longer tag', waybillScene, 'expected.sourceTag', 'v1.4', 'WB-710'],
  ['a tag with the expected one as prefix', waybillScene, 'expected.sourceTag', 'v1.4.20', 'WB-710'],
  ['a branch is expected', waybillScene, 'expected.sourceBranch', 'main', 'WB-706'],
  ['an unknown build type', waybillScene, `${v1}.buildType`, 'https://example.test/own', 'WB-705'],
  [
    'a build type of another builder',
    generatorScene,
    'statement.predicate.buildType',
    'https://github.com/slsa-framework/slsa-github-generator/go@v1',
    'WB-705',
  ],
  [
    'another build type than expected',
    waybillScene,
    'expected.buildType',
    'https://example.test/x',
    'WB-705',
  ],
  [
    'a v0.2 predicate under the v1 type',
    generatorScene,
    'statement.predicateType',
    'https://slsa.dev/provenance/v1',
    'WB-701',
  ],
  [
    'a v1 predicate under the v0.2 type',
    waybillScene,
    'statement.predicateType',
    'https://slsa.dev/provenance/v0.2',
    'WB-701',
  ],
  [
    'a draft spelling of the type',
    waybillScene,
    'statement.predicateType',
    'https://slsa.dev/provenance/v1.0',
    'WB-701',
  ],
  ['another artifact', waybillScene, 'expected.artifact', `sha256:${'00'.repeat(32)}`, 'WB-716'],
  [
    'a pull request started it',
    generatorScene,
    'signer.claims.githubWorkflowTrigger',
    'pull_request',
    'WB-714',
  ],
  ['an event that is not allowed', waybillScene, 'expected.events', ['push'], 'WB-718'],
  [
    'a self-hosted runner where a hosted one is demanded',
    waybillScene,
    'expected.runnerEnvironment',
    'github-hosted',
    'WB-718',
  ],
  ['finished after the moment it was used', waybillScene, 'expected.finishedBeforeMs', 1, 'WB-718'],
  ['a versioned tag that is none', waybillScene, 'expected.sourceVersionedTag', '1.4.2', 'WB-711'],
  ['another major version', waybillScene, 'expected.sourceVersionedTag', 'v2', 'WB-712'],
  ['an input that was not given', waybillScene, 'expected.workflowInputs', { release: 'yes' }, 'WB-713'],
];

for (const [what, scene, path, value, code] of attacks) {
  test(`refused by ${code}: ${what}`, () => {
    const changed = scene();
    set(changed, path, value);
    assert.equal(codeOf(changed), code);
  });
}

test('a pull request is refused although predicate and certificate agree on it, unless it is allowed', () => {
  const scene = generatorScene();
  set(scene, 'statement.predicate.invocation.environment.github_event_name', 'pull_request');
  set(scene, 'signer.claims.githubWorkflowTrigger', 'pull_request');
  assert.equal(codeOf(scene), 'WB-718');
  set(scene, 'expected.events', ['pull_request']);
  assert.equal(codeOf(scene), 'accepted');
});

test('an unknown external parameter is listed, and refused when asked', () => {
  const scene = waybillScene();
  set(scene, `${v1}.externalParameters.remoteDebug`, 'on');
  const provenance = unwrap(readProvenance(scene.statement));
  const checked = unwrap(checkProvenance(provenance, scene.expected, scene.signer));
  assert.deepEqual(checked.unknownParameters, ['remoteDebug']);
  set(scene, 'expected.refuseUnknownParameters', true);
  assert.equal(codeOf(scene), 'WB-718');
});

test('a branch that is named like a tag is neither', () => {
  const scene = waybillScene();
  const ref = 'refs/heads/refs/tags/v1.4.2';
  set(scene, `${v1}.externalParameters.source.ref`, ref);
  set(scene, `${v1}.resolvedDependencies.0.uri`, `git+${repository}@${ref}`);
  set(scene, 'signer.claims.sourceRepositoryRef', ref);
  assert.equal(codeOf(scene), 'WB-706');
  assert.equal(refKind(ref), 'other');
});

test('a branch called v1.4.2 is not the tag', () => {
  const scene = waybillScene();
  const ref = 'refs/heads/v1.4.2';
  set(scene, `${v1}.externalParameters.source.ref`, ref);
  set(scene, `${v1}.resolvedDependencies.0.uri`, `git+${repository}@${ref}`);
  set(scene, 'signer.claims.sourceRepositoryRef', ref);
  assert.equal(codeOf(scene), 'WB-706');
});

test('a bare key proves no builder', () => {
  const { statement, expected } = waybillScene();
  const checked = checkProvenance(unwrap(readProvenance(statement)), expected, { kind: 'key' });
  assert.equal(!checked.ok && checked.error.code, 'WB-719');
});

test('a commit of the builder can stand in for a release tag when it is listed', () => {
  const scene = generatorScene();
  const id = `${generator}/generator_container_slsa3.yml@${'e0'.repeat(20)}`;
  set(scene, 'signer.san', id);
  set(scene, 'statement.predicate.builder.id', id);
  assert.equal(codeOf(scene), 'WB-706');
  set(scene, 'expected.builderRefs', ['e0'.repeat(20)]);
  assert.equal(codeOf(scene), 'accepted');
});

test('a source is one repository however it is spelt, and two where they differ', () => {
  const same = [
    'github.com/acme/app',
    'https://github.com/acme/app',
    'git+https://github.com/acme/app.git',
    'https://GitHub.com/acme/app/',
    'git+https://github.com:443/acme/app',
  ];
  for (const text of same) assert.equal(unwrap(parseSourceUri(text)).repository, repository, text);
  const other = [
    'github.com/Acme/app',
    'github.com/acme/app2',
    'http://github.com/acme/app',
    'github.com.evil.test/acme/app',
  ];
  for (const text of other) assert.notEqual(unwrap(parseSourceUri(text)).repository, repository, text);
  const refused = [
    'https://github.com@evil.test/acme/app',
    'https://u:p@github.com/acme/app',
    'github.com/acme/%61pp',
    'github.com/acme/../app',
    'github.com/acme//app',
    'github.com/acme/app?x',
    'github.com/acme/аpp',
    'ext::sh -c id',
    'github.com',
    '',
  ];
  for (const text of refused) assert.equal(parseSourceUri(text).ok, false, text);
});

test('level 3 needs a row of the trust policy for issuer, builder and build type', () => {
  const scene = generatorScene();
  const findings = unwrap(
    checkProvenance(unwrap(readProvenance(scene.statement)), scene.expected, scene.signer),
  );
  assert.equal(grantedLevel(findings, scene.signer).level, 3);
  assert.equal(grantedLevel(findings, { ...scene.signer, issuer: 'https://other' }).level, 1);
  assert.equal(grantedLevel({ ...findings, buildType: 'x' }, scene.signer).level, 1);
  assert.equal(grantedLevel(findings, { kind: 'key' }).level, 1);
});

test('our own builder is never granted more than it says it reached', () => {
  const scene = waybillScene();
  const row = {
    builderId: ours,
    issuer: 'https://issuer.example',
    levelMax: 3,
    buildTypes: [WAYBILL_BUILD_TYPE],
    artifacts: ['image'],
  } as const;
  const granted = (): number => {
    const provenance = unwrap(readProvenance(scene.statement));
    return grantedLevel(unwrap(checkProvenance(provenance, scene.expected, scene.signer)), scene.signer, [
      row,
    ]).level;
  };
  assert.equal(granted(), 3);
  set(scene, `${v1}.internalParameters.sandbox.level`, 1);
  assert.equal(granted(), 1);
  set(scene, `${v1}.internalParameters`, {});
  assert.equal(granted(), 1);
});

test('a builder says no more than it measured', () => {
  const best = { signed: true, hosted: true, selfTest: 'passed', open: [], identityOpen: [] } as const;
  assert.equal(builderLevel(best).level, 3);
  assert.equal(builderLevel({ ...best, signed: false }).level, 1);
  assert.equal(builderLevel({ ...best, hosted: false }).level, 1);
  assert.equal(builderLevel({ ...best, selfTest: 'failed' }).level, 2);
  assert.equal(builderLevel({ ...best, selfTest: 'not run' }).level, 2);
  assert.equal(builderLevel({ ...best, open: ['loopback-network'] }).level, 2);
  assert.equal(builderLevel({ ...best, open: ['token-file'], identityOpen: ['token-file'] }).level, 1);
});

test('a verification summary is refused by field', () => {
  const vsa = {
    verifier: { id: 'https://gate.example' },
    timeVerified: '2026-01-02T00:00:00Z',
    resourceUri: 'registry.test/app',
    policy: { uri: 'https://policy.example', digest: { sha256: hex } },
    verificationResult: 'PASSED',
    verifiedLevels: ['SLSA_BUILD_LEVEL_2'],
  } as const;
  const subjects = [{ digest: { sha256: hex } }];
  const expected = {
    subjectDigests: [`sha256:${hex}`],
    verifierId: 'https://gate.example',
    resourceUri: 'registry.test/app',
    verifiedLevels: ['SLSA_BUILD_LEVEL_1'],
    policySha256: hex,
    notBeforeMs: Date.parse('2026-01-01T00:00:00Z'),
    nowMs: Date.parse('2026-01-03T00:00:00Z'),
  };
  assert.ok(checkVsa(vsa, subjects, expected).ok);
  const cases: [object, string][] = [
    [{ subjectDigests: [] }, 'vsa.subjectDigest'],
    [{ subjectDigests: [`sha256:${'00'.repeat(32)}`] }, 'provenance.subject'],
    [{ verifierId: 'https://gate.example/' }, 'vsa.verifierId'],
    [{ resourceUri: 'registry.test/other' }, 'vsa.resourceUri'],
    [{ verifiedLevels: ['SLSA_BUILD_LEVEL_3'] }, 'vsa.verifiedLevels'],
    [{ verifiedLevels: ['SLSA_SOURCE_LEVEL_1'] }, 'vsa.verifiedLevels'],
    [{ policySha256: '00'.repeat(32) }, 'vsa.policy'],
    [{ notBeforeMs: Date.parse('2026-01-02T00:00:01Z') }, 'vsa.timeVerified'],
    [{ nowMs: Date.parse('2026-01-01T00:00:00Z') }, 'vsa.timeVerified'],
  ];
  for (const [change, check] of cases) {
    const checked = checkVsa(vsa, subjects, { ...expected, ...change });
    assert.equal(!checked.ok && checked.error.check, check);
  }
  const failed = checkVsa({ ...vsa, verificationResult: 'FAILED' }, subjects, expected);
  assert.equal(!failed.ok && failed.error.check, 'vsa.verificationResult');
});
