import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { boundOrderOf, orderOf } from '#scan';
import { versionVectors } from '../vectors/versions.ts';

const shared = process.env['WAYBILL_SHARED'] ?? '../shared';
const suites = versionVectors(shared);

if (suites === undefined) console.log(`version vectors did not run: ${shared}/vectors/versions is absent`);
for (const { name, rows, failures } of suites ?? []) {
  test(`every row of ${name} holds`, () => {
    assert.ok(rows > 3);
    assert.deepEqual(failures.slice(0, 20), [], `${failures.length} of ${rows} rows`);
  });
}

test('an ecosystem without a known order knows equality and nothing else', () => {
  assert.equal(orderOf('Unheard')('1', '1'), 0);
  assert.equal(orderOf('Unheard')('1', '2'), undefined);
});

test('what is no version does not compare', () => {
  assert.equal(orderOf('npm')('latest', '1.0.0'), undefined);
  assert.equal(orderOf('Debian:12')('', '1'), undefined);
  assert.equal(orderOf('Gentoo')('one', '1'), undefined);
  assert.equal(orderOf('JVM')('java', '11.0.5'), undefined);
});

test('a bound without an epoch, a local part or a platform speaks for versions with one', () => {
  assert.equal(boundOrderOf('PyPI')('2.0.0+local.1', '2.0.0'), 0);
  assert.equal(boundOrderOf('RubyGems')('1.2.0-arm64-darwin', '1.2.0'), 0);
  assert.equal(boundOrderOf('Maven')('12.10.2.jre11', '12.10.2'), 0);
  assert.equal(boundOrderOf('Packagist')('8.0', '8.0.0'), 0);
  assert.ok((boundOrderOf('Packagist')('v8.0-beta1', '8.0.0') ?? 0) < 0);
  assert.ok((boundOrderOf('AlmaLinux:9')('2.0-1', '1:1.5-1') ?? 0) < 0);
  assert.ok((boundOrderOf('AlmaLinux:9', { missingEpoch: 'auto' })('2.0-1', '1:1.5-1') ?? 0) > 0);
});

/** Texts in the alphabet of each order: mostly versions, some nearly. */
const alphabets: Readonly<Record<string, readonly string[]>> = {
  Debian: ['0', '1', '9', '10', '00', '.', '-', '~', '+', ':', 'a', 'rc', 'deb12u1'],
  Alpine: ['0', '1', '9', '10', '01', '.', '_rc', '_alpha', '_p', '-r0', '-r1', 'a', 'b'],
  AlmaLinux: ['0', '1', '9', '10', '00', '.', '-', '~', '^', ':', 'el8', 'a'],
  npm: ['0', '1', '9', '10', '.', '-', '+', 'alpha', 'rc', 'x'],
  PyPI: ['0', '1', '9', '10', '.', 'a', 'rc', '.post', '.dev', '+', '!', 'l'],
  RubyGems: ['0', '1', '9', '10', '.', '-', 'a', 'pre', 'rc'],
  CPE: ['0', '1', '9', '10', '.', '-', '_', 'rc', 'beta', 'a', 'v'],
  Packagist: ['0', '1', '9', '10', '.', '-', 'dev', 'alpha', 'RC', 'p', '+'],
  NuGet: ['0', '1', '9', '10', '.', '-', '+', 'Alpha', 'rc'],
  Pub: ['0', '1', '9', '10', '.', '-', '+', 'alpha', 'rc'],
  CRAN: ['0', '1', '9', '10', '.', '-'],
  Gentoo: ['0', '1', '9', '10', '01', '.', '_rc', '_alpha1', '_p', '-r1', 'a', 'b'],
  'Arch Linux': ['0', '1', '9', '10', '.', '-', ':', '~', 'a', 'rc'],
  JVM: ['0', '1', '8', '10', '.', '_', 'u', '-ea', '-b01', '+', '1.8.0'],
};

for (const [ecosystem, words] of Object.entries(alphabets)) {
  test(`${ecosystem}: every version equals itself, order turns round with its sides and is transitive`, () => {
    const order = orderOf(ecosystem);
    const text = fc
      .array(fc.constantFrom(...words), { minLength: 1, maxLength: 8 })
      .map((all) => all.join(''));
    const sign = (a: string, b: string): number | undefined => {
      const value = order(a, b);
      return value === undefined ? undefined : Math.sign(value) + 0;
    };
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        if (sign(a, a) !== undefined) assert.equal(sign(a, a), 0, a);
        const ab = sign(a, b);
        if (ab === undefined) return assert.equal(sign(b, a), undefined, `${a} ${b}`);
        assert.equal(sign(b, a), 0 - ab, `${a} ${b}`);
        const bc = sign(b, c);
        if (bc === undefined) return undefined;
        if (ab <= 0 && bc <= 0) assert.ok((sign(a, c) ?? 9) <= 0, `${a} ${b} ${c}`);
        if (ab === 0 && bc === 0) assert.equal(sign(a, c), 0, `${a} ${b} ${c}`);
      }),
      { numRuns: 3000, seed: 7 },
    );
  });
}
