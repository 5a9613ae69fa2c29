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
];

for (const flag of flags) {
  test(`--key with ${flag} is refused: the key has no certificate to check it in`, async () => {
    const why = await reasonOf(requirementsFor({ key: '/dev/null', [flag]: 'x' }, {}, context));
    assert.equal(why.code, 'WB-1305');
    assert.equal(why.actual, 'both');
  });
}
