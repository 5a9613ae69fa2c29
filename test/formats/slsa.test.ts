import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonValue } from '#formats/json';
import {
  PROVENANCE_V1,
  parseProvenance,
  parseProvenanceV1,
  parseProvenanceV02,
  parseVsa,
  slsaPredicate,
  VSA_V1,
} from '#formats/slsa';

const v1 = {
  buildDefinition: { buildType: 'https://b', externalParameters: { a: 1 } },
  runDetails: { builder: { id: 'https://x' } },
};

const vsa = {
  verifier: { id: 'https://v' },
  resourceUri: 'r',
  policy: { uri: 'p' },
  verificationResult: 'PASSED',
  verifiedLevels: ['SLSA_BUILD_LEVEL_3'],
} as const;

test('the smallest provenance v1 reads, and unknown fields outside the free-form ones are ignored', () => {
  const read = parseProvenanceV1({ ...v1, acme_extension: true });
  assert.deepEqual(read.ok && read.value, v1);
});

test('null and the empty text are the unset field', () => {
  const read = parseProvenanceV1({
    ...v1,
    runDetails: {
      builder: { id: 'https://x', version: null },
      metadata: { invocationId: '', startedOn: null },
    },
  });
  assert.deepEqual(read.ok && read.value.runDetails, { builder: { id: 'https://x' }, metadata: {} });
});

const malformed: readonly [string, JsonValue, string][] = [
  ['a list', [], 'predicate'],
  ['no run', { buildDefinition: v1.buildDefinition }, 'predicate.runDetails'],
  ['an empty builder id', { ...v1, runDetails: { builder: { id: '' } } }, 'predicate.runDetails.builder.id'],
  [
    'a dependency that is nothing',
    { ...v1, buildDefinition: { ...v1.buildDefinition, resolvedDependencies: [{ name: 'x' }] } },
    'predicate.buildDefinition.resolvedDependencies[0]',
  ],
  [
    'an upper-case digest',
    {
      ...v1,
      buildDefinition: { ...v1.buildDefinition, resolvedDependencies: [{ digest: { sha256: 'AB' } }] },
    },
    'predicate.buildDefinition.resolvedDependencies[0].digest.sha256',
  ],
  [
    'a time that is none',
    { ...v1, runDetails: { ...v1.runDetails, metadata: { startedOn: 'yesterday' } } },
    'predicate.runDetails.metadata.startedOn',
  ],
  [
    'misspelt external parameters',
    { ...v1, buildDefinition: { buildType: 'x', externalParamaters: {} } },
    'predicate.buildDefinition.externalParameters',
  ],
];

for (const [what, predicate, check] of malformed) {
  test(`${what} is refused by its path`, () => {
    const read = parseProvenanceV1(predicate);
    assert.deepEqual([!read.ok && read.error.code, !read.ok && read.error.check], ['WB-199', check]);
  });
}

test('both spellings of the invocation id of v0.2 are read', () => {
  for (const key of ['buildInvocationId', 'buildInvocationID']) {
    const read = parseProvenanceV02({ builder: { id: 'x' }, buildType: 'y', metadata: { [key]: 'z' } });
    assert.equal(read.ok && read.value.metadata?.buildInvocationId, 'z');
  }
});

test('a draft or dotted predicate type is refused by name', () => {
  for (const type of [`${PROVENANCE_V1}.0`, `${PROVENANCE_V1}.0?draft`, 'https://slsa.dev/provenance/v0.1']) {
    const read = parseProvenance(type, v1);
    assert.equal(!read.ok && read.error.check, 'slsa.predicateType');
  }
});

test('a summary with an unevaluated level reads; an invented SLSA_ level does not', () => {
  assert.ok(parseVsa({ ...vsa, verifiedLevels: ['SLSA_BUILD_LEVEL_UNEVALUATED', 'ACME_GOLD'] }).ok);
  assert.equal(parseVsa({ ...vsa, verifiedLevels: ['SLSA_GOLD'] }).ok, false);
  assert.equal(parseVsa({ ...vsa, verificationResult: 'passed' }).ok, false);
});

test('nothing is written that could not be read', () => {
  assert.ok(slsaPredicate({ type: VSA_V1, value: vsa }).ok);
  const written = slsaPredicate({ type: VSA_V1, value: { ...vsa, resourceUri: '' } });
  assert.equal(!written.ok && written.error.check, 'predicate.resourceUri');
});
