/** The profile of a check as text, what the exit code says, and SBOMs compared. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { type CheckItem, checkExit } from '#flows/check-item';
import { parseProfile } from '#flows/check-profile';
import { R } from '#flows/check-reasons';
import { compareSboms } from '#flows/check-sbom';
import type { Sbom, SbomPackage } from '#formats/sbom';
import { renderChecked } from '../../src/cli/render/check.ts';

test('a whole profile is read', () => {
  const text = `schema: waybill.dev/profile/v1
identity: { glob: "https://github.com/acme/api/.github/workflows/release.yml@refs/tags/*" }
issuer: https://token.actions.githubusercontent.com
attestations: { key: attest.pub }
source: github.com/acme/api
tag: v1.4.2
builder: { id: "https://builder.example/b/v1", issuer: "https://idp.example", buildType: "https://t.example", level: 3 }
thresholds: { severity: critical, scanAgeDays: 3, allowSampleDatabase: true }
base: { image: "registry.example/base@sha256:${'0'.repeat(64)}", identity: { regexp: "a|b" }, issuer: "https://idp.example" }
policies: [policies/signed.yaml]
namespace: shop
mirror: ["ghcr.io/acme/*=localhost:5000/acme/*"]
audit: https://audit.example
database: advisories.db
`;
  assert.deepEqual(unwrap(parseProfile(text, 'waybill.yaml')), {
    signer: {
      identity: { glob: 'https://github.com/acme/api/.github/workflows/release.yml@refs/tags/*' },
      issuer: 'https://token.actions.githubusercontent.com',
    },
    attestations: { key: 'attest.pub' },
    source: 'github.com/acme/api',
    tag: 'v1.4.2',
    namespace: 'shop',
    audit: 'https://audit.example',
    database: 'advisories.db',
    builder: {
      id: 'https://builder.example/b/v1',
      issuer: 'https://idp.example',
      buildType: 'https://t.example',
      level: 3,
    },
    severity: 'critical',
    scanAgeDays: 3,
    allowSampleDatabase: true,
    base: {
      identity: { regexp: 'a|b' },
      issuer: 'https://idp.example',
      image: `registry.example/base@sha256:${'0'.repeat(64)}`,
    },
    policies: ['policies/signed.yaml'],
    mirror: ['ghcr.io/acme/*=localhost:5000/acme/*'],
  });
});

test('short forms: a builder by its id, a base that is none', () => {
  const profile = unwrap(parseProfile('builder: https://b.example\nbase: scratch\n', 'p'));
  assert.deepEqual([profile.builder, profile.base], [{ id: 'https://b.example' }, 'scratch']);
});

/** Text, what the message holds, what the hint holds. */
const refused: readonly (readonly [string, RegExp, RegExp?])[] = [
  ['isuer: x', /^p:1:1: isuer/, /did you mean issuer\?/],
  ['identity: a\nthresholds:\n  severty: high', /^p:3:3: thresholds\.severty/, /severity/],
  ['base: { identiy: a }', /^p:1:9: base\.identiy/, /identity/],
  ['builder: { level: 4 }', /^p:1:19: builder\.level: 4/],
  ['builder: { level: "3" }', /^p:1:19/],
  ['thresholds: { severity: serious }', /"serious"/],
  ['thresholds: { scanAgeDays: 0 }', /scanAgeDays: 0/],
  ['identity: https://github.com/acme/*', /^p:1:11: identity: https/, /\{glob: "…"\}/],
  ['identity: { glob: a, regexp: b }', /glob and regexp/],
  ['identity: {}', /none/],
  ['identity: a\nkey: k.pub', /^p:2:6: key: both/],
  ['base: none', /"none"/],
  ['policies: policy.yaml', /^p:1:11: policies/],
  ['schema: waybill.dev/profile/v2', /profile\/v2/],
  ['tag: ""', /^p:1:6: tag/],
  ['tag: 1.4', /^p:1:6: tag: 1\.4/],
  ['tag: [', /^p:1:/],
  ['tag: a\ntag: b', /^p:2:1/],
  ['a: &x 1', /^p:1:/],
  ['tag: a\n---\ntag: b', /p: 2/],
  ['', /p: 0/],
];

for (const [text, message, hint] of refused) {
  test(`a profile is refused with its place: ${JSON.stringify(text)}`, () => {
    const read = parseProfile(text, 'p');
    assert.ok(!read.ok);
    assert.equal(read.error.code, 'WB-930');
    assert.match(read.error.actual, message);
    if (hint !== undefined) assert.match(read.error.hint, hint);
  });
}

const item = (answer: CheckItem['answer'], reason?: CheckItem['reason']): CheckItem => ({
  id: 'x',
  question: 'x',
  answer,
  evidence: ['seen'],
  ...(reason === undefined ? {} : { reason }),
});
const detail = { expected: 'a', actual: 'b' };
const no = item('no', fail(R.notPinned, detail).reason);
const unasked = item('unknown', fail(R.notAsked, detail).reason);
const trouble = item('unknown', fail(R.policyOpen, detail).reason);

test('the exit code: 0 only for all yes, 20 only when trouble is all there is', () => {
  assert.equal(checkExit([item('yes'), item('yes')]), 0);
  assert.equal(checkExit([]), 2);
  assert.equal(checkExit([item('yes'), no]), 2);
  assert.equal(checkExit([trouble, no]), 2);
  assert.equal(checkExit([item('yes'), unasked]), 2);
  assert.equal(checkExit([trouble, unasked]), 2);
  assert.equal(checkExit([item('yes'), trouble]), 20);
});

const packageOf = (type: string, name: string, version = '1'): SbomPackage => ({
  id: `${type}${name}${version}`,
  type,
  name,
  version,
  foundBy: 'test',
  locations: [],
  licenses: [],
  dependsOn: [],
});
const sbomOf = (tool: string, ...packages: readonly SbomPackage[]): Sbom => ({
  subject: { name: 'x' },
  packages,
  layers: [],
  unknowns: [],
  tool: { name: tool, version: '1' },
});

test('SBOMs are compared by type, name and version; order and repeats do not matter', () => {
  const real = sbomOf('waybill', packageOf('npm', 'a'), packageOf('deb', 'b'));
  const same = sbomOf('waybill', packageOf('deb', 'b'), packageOf('npm', 'a'), packageOf('npm', 'a'));
  assert.deepEqual(compareSboms(same, real), { missing: [], extra: [], uncompared: [] });
  const older = sbomOf('waybill', packageOf('npm', 'a', '0'), packageOf('apk', 'b'));
  assert.deepEqual(compareSboms(older, real), {
    missing: ['deb b 1', 'npm a 1'],
    extra: ['apk b 1', 'npm a 0'],
    uncompared: [],
  });
});

test('kinds only another tool finds are told, not held against it; ours are', () => {
  const real = sbomOf('waybill', packageOf('npm', 'a'));
  const more = [packageOf('npm', 'a'), packageOf('hackage', 'g')];
  assert.deepEqual(compareSboms(sbomOf('syft', ...more), real), {
    missing: [],
    extra: [],
    uncompared: ['hackage g 1'],
  });
  assert.deepEqual(compareSboms(sbomOf('waybill', ...more), real).extra, ['hackage g 1']);
  const gone = sbomOf('syft', ...more, packageOf('npm', 'gone'));
  assert.deepEqual(compareSboms(gone, real).extra, ['npm gone 1']);
});

test('what an image says is shown without obeying it', () => {
  const evil = { ...item('yes'), evidence: ['a\u001b[2Jb'] };
  const text = renderChecked({
    given: 'x',
    pinned: 'x',
    digest: '' as never,
    items: [evil, no],
  });
  assert.ok(!text.includes('\u001b'));
  assert.match(text, /WB-932: expected a, got b\n +do: name it as/);
});
