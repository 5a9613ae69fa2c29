/** IDN: who signed (attack corpus §2.10), and patterns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { der } from '#formats/der';
import type { San } from '#formats/x509';
import {
  type IdentityInput,
  identity,
  matcher,
  type Pattern,
  requireKeyless,
  withoutIdentityUnsafe,
} from '#verify';
import type { LeafOptions } from '../double/virtual-ca.ts';
import { type Attack, codeOf, outcomeOf, type Setup, shown, stack, testAttacks } from './attack.ts';

const GITHUB = 'https://token.actions.githubusercontent.com';
const WORKFLOW = 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2.3';
const claims = {
  issuer: GITHUB,
  sourceRepositoryUri: 'https://github.com/acme/app',
  sourceRepositoryRef: 'refs/tags/v1.2.3',
  sourceRepositoryIdentifier: '4711',
};

function signedBy(
  wanted: IdentityInput,
  san: string | San = WORKFLOW,
  leaf: Partial<LeafOptions> = {},
): Setup {
  const name: San = typeof san === 'string' ? { type: 'uri', value: san } : san;
  const sample = stack.sign({ leaf: { sans: [name], claims, ...leaf } });
  const requirements = unwrap(requireKeyless({ identities: [unwrap(identity(wanted))] }));
  return { bundle: sample.bytes, artifact: sample.artifact, requirements };
}

function refuse(
  id: string,
  name: string,
  code: Attack['code'],
  wanted: Partial<IdentityInput>,
  attack: { readonly san?: string | San; readonly leaf?: Partial<LeafOptions> } = {},
  twin: { readonly san?: string | San; readonly leaf?: Partial<LeafOptions> } = {},
): Attack {
  const required: IdentityInput = { issuer: GITHUB, san: WORKFLOW, ...wanted };
  return {
    id,
    name,
    code,
    twin: () => signedBy(required, twin.san, twin.leaf),
    attack: () => signedBy(required, attack.san, attack.leaf),
  };
}

const issuer = (value: string): { leaf: Partial<LeafOptions> } => ({
  leaf: { claims: { ...claims, issuer: value } },
});
const acme: Pattern = { regexp: 'https://github\\.com/acme/.*' };
const mail = (value: string): { san: San } => ({ san: { type: 'email', value } });

testAttacks([
  refuse(
    'IDN-01',
    'a host that only begins like ours',
    'WB-351',
    { san: acme },
    { san: 'https://github.com.evil/acme/x' },
  ),
  refuse(
    'IDN-01',
    'an organisation that only begins like ours',
    'WB-351',
    { san: acme },
    { san: 'https://github.com/acme.evil/x' },
  ),
  refuse(
    'IDN-01',
    'our prefix inside another URL',
    'WB-351',
    { san: acme },
    { san: 'https://evil/?https://github.com/acme/x' },
  ),
  refuse(
    'IDN-02',
    'an alternation that is not grouped',
    'WB-351',
    { san: { regexp: '^https://github.com/acme|/release$' } },
    { san: 'https://github.com/acme/evil' },
    { san: 'https://github.com/acme' },
  ),
  refuse(
    'IDN-04',
    'a tag with a slash under a star',
    'WB-351',
    { san: { glob: 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/*' } },
    { san: 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/x/../../heads/main' },
  ),
  refuse(
    'IDN-04',
    'an empty part under a question mark',
    'WB-351',
    { san: { glob: 'https://a/?' } },
    { san: 'https://a/' },
    { san: 'https://a/b' },
  ),
  refuse(
    'IDN-06',
    'a branch where a tag is required',
    'WB-351',
    { san: { glob: 'https://github.com/acme/**@refs/tags/*' } },
    { san: WORKFLOW.replace('refs/tags/v1.2.3', 'refs/heads/main') },
  ),
  refuse(
    'IDN-06',
    'a pull request where a tag is required',
    'WB-351',
    { san: { glob: 'https://github.com/acme/**@refs/tags/*' } },
    { san: WORKFLOW.replace('refs/tags/v1.2.3', 'refs/pull/1/merge') },
  ),
  refuse(
    'IDN-05',
    'another repository of the same name',
    'WB-352',
    { claims: { sourceRepositoryIdentifier: '4711' } },
    { leaf: { claims: { ...claims, sourceRepositoryIdentifier: '4712' } } },
  ),
  refuse(
    'IDN-07',
    'a reusable workflow called from elsewhere',
    'WB-352',
    { claims: { sourceRepositoryUri: { glob: 'https://github.com/acme/*' } } },
    { leaf: { claims: { ...claims, sourceRepositoryUri: 'https://github.com/evil/app' } } },
  ),
  refuse(
    'IDN-15',
    'a claim that is absent',
    'WB-352',
    { claims: { buildTrigger: { regexp: 'push|' } } },
    {},
    { leaf: { claims: { ...claims, buildTrigger: 'push' } } },
  ),
  ...[
    'https://token.actions.githubusercontent.com/',
    'http://token.actions.githubusercontent.com',
    'https://TOKEN.actions.githubusercontent.com',
    'https://token.actions.githubusercontent.com:443',
    'https://token.actions.githubusercontent.com/acme',
  ].map((value) => refuse('IDN-08', `issuer ${value}`, 'WB-350', {}, issuer(value))),
  refuse('IDN-09', 'the right subject of another issuer', 'WB-350', {}, issuer('https://idp.acme.example')),
  refuse(
    'IDN-10',
    'an e-mail in another case',
    'WB-351',
    { san: 'dev@acme.example' },
    mail('Dev@acme.example'),
    mail('dev@acme.example'),
  ),
  refuse(
    'IDN-10',
    'an e-mail with plus addressing',
    'WB-351',
    { san: 'dev@acme.example' },
    mail('dev+x@acme.example'),
    mail('dev@acme.example'),
  ),
  refuse(
    'IDN-10',
    'an e-mail with a space behind it',
    'WB-351',
    { san: 'dev@acme.example' },
    mail('dev@acme.example '),
    mail('dev@acme.example'),
  ),
  refuse('IDN-11', 'an e-mail that reads like the URI', 'WB-351', { sanType: 'uri' }, mail(WORKFLOW)),
  refuse(
    'IDN-11',
    'a DNS name that reads like the URI',
    'WB-351',
    { sanType: 'uri' },
    { san: { type: 'dns', value: WORKFLOW } },
  ),
  refuse(
    'IDN-11',
    'a user name that reads like the URI',
    'WB-351',
    { sanType: 'uri' },
    { san: { type: 'otherName', value: WORKFLOW } },
  ),
  refuse(
    'IDN-11',
    'an alternative name of an unknown kind',
    'WB-351',
    {},
    {
      leaf: {
        alter: (template) => ({
          ...template,
          extensions: template.extensions.map((extension) =>
            extension.oid === '2.5.29.17'
              ? {
                  ...extension,
                  value: der.seq(
                    der.implicit(0, der.seq(der.oid('1.2.3'), der.explicit(0, der.utf8(WORKFLOW)))),
                  ),
                }
              : extension,
          ),
        }),
      },
    },
  ),
]);

test('any one of several identities suffices, and the nearest miss is reported', () => {
  const sample = stack.sign({ leaf: { sans: [{ type: 'uri', value: WORKFLOW }], claims } });
  const judge = (...wanted: IdentityInput[]) =>
    outcomeOf({
      bundle: sample.bytes,
      artifact: sample.artifact,
      requirements: unwrap(requireKeyless({ identities: wanted.map((item) => unwrap(identity(item))) })),
    });
  const stranger = { issuer: 'https://other.example', san: 'x' };
  assert.equal(judge(stranger, { issuer: GITHUB, san: WORKFLOW }).outcome, 'accepted');
  assert.equal(codeOf(judge(stranger, { issuer: GITHUB, san: 'x' })), 'WB-351');
});

test('IDN-09: signing without identity is possible only by its name, and the verdict says so', () => {
  const sample = stack.sign();
  const requirements = unwrap(withoutIdentityUnsafe());
  const verdict = outcomeOf({ bundle: sample.bytes, artifact: sample.artifact, requirements });
  assert.ok(verdict.outcome === 'accepted', shown(verdict));
  assert.deepEqual(verdict.degraded, ['signer']);
});

test('IDN-16: requirements that demand nothing cannot be built', () => {
  const good: IdentityInput = { issuer: GITHUB, san: WORKFLOW };
  const nothing: [IdentityInput, string][] = [
    [{ ...good, san: '' }, 'WB-361'],
    [{ ...good, issuer: '' }, 'WB-361'],
    [{ ...good, san: { regexp: '.*' } }, 'WB-361'],
    [{ ...good, san: { regexp: '' } }, 'WB-361'],
    [{ ...good, san: { regexp: '(?s).*|x' } }, 'WB-361'],
    [{ ...good, san: { glob: '**' } }, 'WB-361'],
    [{ ...good, san: { glob: '*', starCrossesSlash: true } }, 'WB-361'],
    [{ ...good, san: { regexpUnanchoredUnsafe: 'x*' } }, 'WB-361'],
    [{ ...good, san: { regexp: '(' } }, 'WB-361'],
    [{ ...good, san: { regexp: '(?=x)y' } }, 'WB-361'],
    [{ ...good, claims: { buildTrigger: '' } }, 'WB-361'],
    [{ ...good, claims: { constructor: 'x' } as IdentityInput['claims'] & object }, 'WB-360'],
  ];
  for (const [input, code] of nothing) {
    const built = identity(input);
    assert.equal(built.ok ? 'built' : built.error.code, code, JSON.stringify(input));
  }
  const identities = [unwrap(identity(good))];
  const options = [
    { identities: [] },
    { identities, tlog: 0 },
    { identities, tlog: 1.5 },
    { identities, sct: 33 },
    { identities, predicateTypes: [] },
    { identities, predicateTypes: [''] },
    { identities, time: { kind: 'observed', atLeast: 0 } as const },
  ];
  for (const option of options) {
    const built = requireKeyless(option);
    assert.equal(built.ok ? 'built' : built.error.code, 'WB-360', JSON.stringify(option));
  }
});

test('patterns match the whole text, and only as they say', () => {
  const table: [Pattern, string, boolean][] = [
    ['a.b', 'a.b', true],
    ['a.b', 'axb', false],
    [{ regexp: 'a.b' }, 'axb', true],
    [{ regexp: 'a' }, 'ab', false],
    [{ regexp: '^a$' }, 'a', true],
    [{ regexp: 'a.b' }, 'a\nb', false],
    [{ regexpUnanchoredUnsafe: 'a' }, 'xax', true],
    [{ glob: 'a*c' }, 'abc', true],
    [{ glob: 'a*c' }, 'a/c', false],
    [{ glob: 'a**c' }, 'a/b/c', true],
    [{ glob: 'a*c', starCrossesSlash: true }, 'a/c', true],
    [{ glob: 'a.c' }, 'abc', false],
    [{ glob: '[a]' }, 'a', false],
    [{ glob: '[a]' }, '[a]', true],
    [{ glob: 'a\\*' }, 'a\\b', true],
    [{ glob: 'a?c' }, 'a/c', false],
    [{ glob: 'a**' }, 'a\nb', true],
  ];
  for (const [pattern, text, expected] of table) {
    assert.equal(unwrap(matcher(pattern)).matches(text), expected, `${JSON.stringify(pattern)} ${text}`);
  }
});

test('IDN-14: hostile patterns and long identities cost linear time', () => {
  const hostile = unwrap(matcher({ regexp: '(a+)+b' }));
  assert.equal(hostile.matches('a'.repeat(limits.identityChars)), false);
  assert.equal(hostile.matches(`${'a'.repeat(100_000)}b`), false, 'over the cap nothing matches');
  const long = matcher({ regexp: 'a'.repeat(limits.regexpChars + 1) });
  assert.equal(long.ok ? 'built' : long.error.code, 'WB-361');
  assert.equal(matcher({ regexp: 'a'.repeat(limits.regexpChars) }).ok, true);
});

test('IDN-17: a hostile identity is escaped in the message', () => {
  const verdict = outcomeOf(
    signedBy({ issuer: GITHUB, san: WORKFLOW }, WORKFLOW, {
      claims: { ...claims, issuer: 'https://evil\u202e\u001b[2J' },
    }),
  );
  assert.equal(codeOf(verdict), 'WB-350');
  assert.match(shown(verdict), /evil\\u202e\\u001b\[2J/);
});
