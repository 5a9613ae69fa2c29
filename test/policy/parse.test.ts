import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#base/limits';
import type { Reason } from '#base/reason';
import { unwrap } from '#base/result';
import { type PolicySet, parsePolicies, parsePolicyFiles } from '#policy';
import { enterprisePair, guidePolicy, guideProvenance, imagePolicy } from './samples.ts';
import { vectorRows } from './vectors.ts';

const read = (text: string): PolicySet => unwrap(parsePolicies(text, 'p.yaml'));

function refusal(text: string): Reason {
  const parsed = parsePolicies(text, 'p.yaml');
  assert.ok(!parsed.ok, 'the policy was read');
  return parsed.error;
}

test("the guide's corrected policies are read", () => {
  const set = read(guideProvenance);
  const [rule] = set.policies[0].rules;
  assert.equal(rule.name, 'verify-acme-signature');
  const [check] = rule.checks;
  assert.equal(check.mode, 'enforce');
  assert.deepEqual([check.mutateDigest, check.verifyDigest], [true, true]);
  assert.equal(check.demand.kind, 'threshold');
  assert.equal(read(enterprisePair).policies[0].rules[0].checks.length, 2);
  assert.equal(read(imagePolicy).policies[0].rules[0].checks[0].demand.kind, 'threshold');
});

test('the hash of a set follows its meaning, not its comments', () => {
  assert.equal(read(guidePolicy).hash, read(`# hello\n${guidePolicy}`).hash);
  assert.notEqual(read(guidePolicy).hash, read(guidePolicy.replace('release.yml', 'other.yml')).hash);
});

test('text that is not YAML is refused with its line and column', () => {
  const line = 'attestors: [{ entries: [{ keyless: { subject: "x", issuer: "y" }}}]}';
  const why = refusal(enterprisePair.replace(/attestors: .*/, line));
  assert.equal(why.code, 'WB-720');
  assert.match(why.actual, /^p\.yaml:13:\d+: /);
});

test('an unknown field is refused with its place and the nearest name', () => {
  const why = refusal(guidePolicy.replace('imageReferences', 'imageReference'));
  assert.equal(why.code, 'WB-721');
  assert.match(why.actual, /^p\.yaml:19:11: spec\.rules\[0\]\.verifyImages\[0\]\.imageReference$/);
  assert.equal(why.hint, 'did you mean imageReferences?');
  const other = refusal(imagePolicy.replace('identities', 'identites'));
  assert.equal(other.code, 'WB-721');
  assert.equal(other.hint, 'did you mean identities?');
});

interface Refusal {
  readonly name: string;
  readonly text: string;
  readonly code: string;
  readonly actual?: RegExp;
}

const without = (text: string, part: string | RegExp): string => text.replace(part, '');
const rekor = /\n +rekor:\n +url: https:\/\/rekor\.sigstore\.dev/;

const refusals: readonly Refusal[] = [
  { name: 'an empty file', text: '', code: 'WB-732' },
  { name: 'another kind', text: 'apiVersion: v1\nkind: Pod\n', code: 'WB-724' },
  { name: 'an anchor', text: guidePolicy.replace('name: require', 'name: &a require'), code: 'WB-720' },
  { name: 'a duplicate key', text: guidePolicy.replace('kind: C', 'kind: X\nkind: C'), code: 'WB-720' },
  { name: 'a bare yes', text: guidePolicy.replace('require-signed-images', 'yes'), code: 'WB-720' },
  { name: 'a tab', text: guidePolicy.replace('  name: req', '\tname: req'), code: 'WB-720' },
  { name: 'keyless without rekor and roots', text: without(guidePolicy, rekor), code: 'WB-728' },
  { name: 'rekor without url', text: guidePolicy.replace(/rekor:\n +url: .*/, 'rekor: {}'), code: 'WB-723' },
  { name: 'keyless without an issuer', text: without(guidePolicy, /\n +issuer: .*/), code: 'WB-727' },
  { name: 'keyless without a subject', text: without(guidePolicy, /\n +subject: .*/), code: 'WB-727' },
  {
    name: 'a subject that is any',
    text: guidePolicy.replace(/subject: .*/, 'subject: "*"'),
    code: 'WB-727',
  },
  {
    name: 'subject and subjectRegExp together',
    text: guidePolicy.replace(/( +)issuer: .*/, '$&\n$1subjectRegExp: "x"'),
    code: 'WB-722',
  },
  {
    name: 'a regular expression that is not RE2',
    text: guidePolicy.replace(/subject: .*/, 'subjectRegExp: "(?=x)"'),
    code: 'WB-730',
  },
  {
    name: 'Audit that would still change the Pod',
    text: guidePolicy.replace('Enforce', 'Audit'),
    code: 'WB-729',
  },
  { name: 'no failure action at all', text: without(guidePolicy, /\n +failureAction: .*/), code: 'WB-729' },
  {
    name: 'required false',
    text: guidePolicy.replace('failureAction: Enforce', '$&\n          required: false'),
    code: 'WB-725',
  },
  { name: 'a rule without attestors', text: guidePolicy.replace(/ +attestors:[\s\S]*/, ''), code: 'WB-726' },
  {
    name: 'a count above the entries',
    text: guidePolicy.replace('- entries:', '- count: 2\n              entries:'),
    code: 'WB-722',
  },
  {
    name: 'a count of nothing',
    text: guidePolicy.replace('- entries:', '- count: 0\n              entries:'),
    code: 'WB-722',
  },
  { name: 'an empty match', text: guidePolicy.replace('kinds: ["Pod"]', 'kinds: []'), code: 'WB-726' },
  {
    name: 'an attestation anybody could sign',
    text: guideProvenance.replace(/ {14}attestors:[\s\S]*?conditions:/, '              conditions:'),
    code: 'WB-726',
  },
  {
    name: 'a condition with an unknown operator',
    text: guideProvenance.replace('operator: Equals', 'operator: Equal5'),
    code: 'WB-722',
  },
  {
    name: 'a condition with an expression that does not parse',
    text: guideProvenance.replace('regex_match(', 'regex_match(('),
    code: 'WB-730',
  },
  {
    name: 'notary',
    text: guidePolicy.replace('SigstoreBundle', 'Notary'),
    code: 'WB-725',
  },
  {
    name: 'two rules of one name',
    text: guidePolicy.replace(/ {4}- name:[\s\S]*/, (rule) => rule + rule),
    code: 'WB-731',
  },
  {
    name: 'an empty list of authorities',
    text: imagePolicy.replace(/authorities:[\s\S]*/, 'authorities: []'),
    code: 'WB-726',
  },
  { name: 'a glob of other characters', text: imagePolicy.replace('acme/**', '[acme]/**'), code: 'WB-722' },
  {
    name: 'an unknown mode',
    text: imagePolicy.replace('  images', '  mode: audit\n  images'),
    code: 'WB-722',
  },
  {
    name: 'identities without a subject',
    text: without(imagePolicy, / +subjectRegExp: .*\n/),
    code: 'WB-727',
  },
  { name: 'a CUE policy', text: `${imagePolicy}  policy: {type: cue, data: "x: 1"}\n`, code: 'WB-725' },
  {
    name: 'a CEL policy that does not type',
    text: `${imagePolicy}  policy: {type: cel, data: "1 + 1"}\n`,
    code: 'WB-730',
  },
  {
    name: 'a CEL policy with an unknown name',
    text: `${imagePolicy}  policy: {type: cel, data: "who == 1"}\n`,
    code: 'WB-730',
  },
];

for (const { name, text, code } of refusals) {
  test(`${name} is refused with ${code}`, () => {
    const why = refusal(text);
    assert.equal(why.code, code, `${why.code} ${why.check}: ${why.expected}, ${why.actual}`);
    if (code !== 'WB-732') assert.match(why.actual, /^p\.yaml:\d+:\d+: /);
  });
}

test('policies of one name in two files are refused', () => {
  const twice = parsePolicyFiles([
    { file: 'a.yaml', text: guidePolicy },
    { file: 'b.yaml', text: guidePolicy },
  ]);
  assert.ok(!twice.ok && twice.error.code === 'WB-731');
  assert.match(twice.error.actual, /a\.yaml:1:1 and b\.yaml:1:1/);
});

test('several keys in one entry count one by one', () => {
  const pem = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaEOVJCFtduYr3xqTxeRWSW32CY/s
TBNZj4oIUPl8JvhVPJ1TKDPlNcuT4YphSt6t3yOmMvkdQbCj8broX6vijw==
-----END PUBLIC KEY-----`.replaceAll('\n', '\n                        ');
  const keys = `keys:
                    publicKeys: |
                        ${pem}
                        ${pem}
                    rekor: {ignoreTlog: true}
`;
  const text = guidePolicy
    .replace(/keyless:[\s\S]*/, keys)
    .replace('- entries:', '- count: 2\n              entries:');
  const { demand } = read(text).policies[0].rules[0].checks[0];
  assert.ok(demand.kind === 'threshold' && demand.need === 2 && demand.of.length === 2);
});

test('nesting is read to its limit, and refused beyond it without a crash', () => {
  const nested = (depth: number): string =>
    guidePolicy.replace('spec:', `  labels: ${'['.repeat(depth)}${']'.repeat(depth)}\nspec:`);
  // Document, metadata and labels stand above the lists.
  assert.ok(parsePolicies(nested(limits.jsonDepth - 1)).ok);
  assert.equal(refusal(nested(limits.jsonDepth)).code, 'WB-720');
  assert.equal(refusal(nested(50_000)).code, 'WB-720');
});

test('a file is read to its limit, and refused beyond it', () => {
  const filled = (length: number): string => `${guidePolicy}#${'x'.repeat(length - guidePolicy.length - 1)}`;
  assert.ok(parsePolicies(filled(limits.policyBytes)).ok);
  assert.equal(refusal(filled(limits.policyBytes + 1)).code, 'WB-720');
});

interface ValidationRow {
  readonly name: string;
  readonly kind: string;
  readonly policy: unknown;
  readonly valid: boolean;
}

const rows = vectorRows<
  ValidationRow & {
    readonly failOnEmptyAuthorities?: boolean;
    readonly subResource?: string;
    readonly extraMatchResources?: readonly string[];
  }
>('policy-controller/validation.json');
if (rows !== undefined) {
  const whole = rows.filter((row) => row.kind === 'ClusterImagePolicy' && row.subResource === undefined);

  test(`what policy-controller refuses is refused`, () => {
    const invalid = whole.filter((row) => !row.valid);
    assert.ok(invalid.length >= 30);
    const accepted = invalid.filter((row) => parsePolicies(JSON.stringify(row.policy)).ok);
    assert.deepEqual(
      accepted.map((row) => row.name),
      [],
    );
  });

  test(`what policy-controller takes is read, or refused by the name of the feature`, () => {
    const valid = whole.filter(
      (row) => row.valid && row.failOnEmptyAuthorities !== false && row.extraMatchResources === undefined,
    );
    const wrong = valid.flatMap((row) => {
      const parsed = parsePolicies(JSON.stringify(row.policy));
      return parsed.ok || parsed.error.code === 'WB-725'
        ? []
        : [`${row.name}: ${parsed.error.code} ${parsed.error.actual}`];
    });
    assert.deepEqual(wrong, []);
    assert.ok(valid.length >= 20);
  });
}
