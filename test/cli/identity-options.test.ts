import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processContext } from '../../src/cli/context.ts';
import { type IdentityFlags, requirementsFor } from '../../src/cli/identity-options.ts';
import { reasonOf } from '../oci/helpers.ts';

const context = processContext({ json: false, quiet: true, version: 'test' });
const flags: readonly (keyof IdentityFlags)[] = [
  'certificateIdentity',
  'certificateIdentityRegexp',
  'certificateIdentityGlob',
  'certificateOidcIssuer',
  'certificateOidcIssuerRegexp',
  'certificateGithubWorkflowTrigger',
  'certificateGithubWorkflowSha',
  'certificateGithubWorkflowName',
  'certificateGithubWorkflowRepository',
  'certificateGithubWorkflowRef',
  'certificateClaim',
  'sctThreshold',
];

for (const flag of flags) {
  test(`--key with ${flag} is refused: the key has no certificate to check it in`, async () => {
    const why = await reasonOf(requirementsFor({ key: '/dev/null', [flag]: 'x' }, {}, context));
    assert.equal(why.code, 'WB-1305');
    assert.equal(why.actual, 'both');
  });
}

const someone = { certificateIdentity: 'dev@acme.example', certificateOidcIssuer: 'https://issuer.example' };

test('thresholds and claims become requirements', async () => {
  const built = await requirementsFor(
    {
      ...someone,
      certificateClaim: ['sourceRepositoryUri=https://github.com/acme/app', 'buildTrigger=a=b'],
      logThreshold: '2',
      sctThreshold: '3',
      timestampThreshold: '2',
    },
    {},
    context,
  );
  assert.deepEqual(built.tlog, { kind: 'atLeast', count: 2 });
  assert.deepEqual(built.sct, { kind: 'atLeast', count: 3 });
  assert.deepEqual(built.time, { kind: 'signed', atLeast: 2 });
  assert.ok(built.signer.kind === 'identities');
  const [only] = built.signer.anyOf;
  assert.deepEqual(
    [...only.claims].map(([name, claim]) => [name, claim.pattern]),
    [
      ['sourceRepositoryUri', 'https://github.com/acme/app'],
      ['buildTrigger', 'a=b'],
    ],
  );
});

test('thresholds that are no counts, unknown claims and contradictions are refused', async () => {
  const wrong: readonly (readonly [Partial<IdentityFlags>, string])[] = [
    [{ logThreshold: '0' }, 'WB-360'],
    [{ logThreshold: 'x' }, 'WB-360'],
    [{ sctThreshold: '1.5' }, 'WB-360'],
    [{ timestampThreshold: '-1' }, 'WB-360'],
    [{ certificateClaim: ['nonsense=x'] }, 'WB-360'],
    [{ certificateClaim: ['__proto__=x'] }, 'WB-360'],
    [{ certificateClaim: ['constructor=x'] }, 'WB-360'],
    [{ certificateClaim: ['__proto__=x', '__proto__=y'] }, 'WB-1305'],
    [{ certificateClaim: ['buildTrigger='] }, 'WB-361'],
    [{ certificateClaim: ['buildTrigger'] }, 'WB-1305'],
    [{ certificateClaim: ['buildTrigger=a', 'buildTrigger=b'] }, 'WB-1305'],
    [{ logThreshold: '2', insecureIgnoreTlog: true }, 'WB-1305'],
    [{ sctThreshold: '2', insecureIgnoreSct: true }, 'WB-1305'],
  ];
  for (const [more, code] of wrong) {
    const why = await reasonOf(requirementsFor({ ...someone, ...more }, {}, context));
    assert.equal(why.code, code, JSON.stringify(more));
  }
});
