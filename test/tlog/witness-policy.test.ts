import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKey } from '#base/crypto';
import { formatVerifierKey, parseVerifierKey } from '#formats/cosignature';
import { parseWitnessPolicy } from '#tlog';

const keyOf = (name: string, kind: 'log' | 'witness' = 'witness'): string =>
  formatVerifierKey(name, generateKey('ed25519').publicKey, kind);

const [a, b, c] = ['a.example', 'b.example', 'c.example'].map((name) => keyOf(name)) as [
  string,
  string,
  string,
];

const code = (text: string): string => {
  const parsed = parseWitnessPolicy(text);
  return parsed.ok ? 'parsed' : `${parsed.error.code} ${parsed.error.expected.split(':')[0]}`;
};

test('a policy of groups is met by N of M of each, and by nothing less', () => {
  const parsed = parseWitnessPolicy(`
    # two houses, and one of our own
    log ${keyOf('log.example', 'log')} https://log.example/
    witness A ${a} https://a.example/w
    witness B ${b} https://b.example
    witness C ${c}
    group houses 1 A B
    group all-of-it all houses C
    quorum all-of-it`);
  assert.ok(parsed.ok);
  const { isMet, witnesses, logs } = parsed.value;
  assert.equal(logs[0]?.name, 'log.example');
  assert.deepEqual(
    witnesses.map((witness) => witness.url),
    ['https://a.example/w', 'https://b.example', undefined],
  );
  const met = [[], ['A'], ['A', 'B'], ['C'], ['A', 'C'], ['B', 'C'], ['A', 'B', 'C'], ['houses', 'C']];
  assert.deepEqual(
    met.map((names) => isMet(new Set(names))),
    [false, false, false, false, true, true, true, false],
  );
});

test('a policy that says nothing, or something else than it seems, is refused with its line', () => {
  const two = `witness A ${a}\nwitness B ${b}\n`;
  const cases: readonly (readonly [string, string])[] = [
    ['', 'WB-414 a quorum line'],
    [two, 'WB-414 a quorum line'],
    [`${two}quorum X`, 'WB-414 line 3'],
    [`${two}quorum A\nquorum B`, 'WB-414 line 4'],
    [`${two}group g 3 A B\nquorum g`, 'WB-414 line 3'],
    [`${two}group g 0 A B\nquorum g`, 'WB-414 line 3'],
    [`${two}group g all\nquorum g`, 'WB-414 line 3'],
    [`${two}group g any A A\nquorum g`, 'WB-414 line 3'],
    [`${two}group g any g A\nquorum g`, 'WB-414 line 3'],
    [`${two}witness A ${c}\nquorum A`, 'WB-414 line 3'],
    [`${two}witness none ${c}\nquorum none`, 'WB-414 line 3'],
    [`${two}witness C ${c} ftp://c\nquorum A`, 'WB-414 line 3'],
    [`${two}witness C ${c} https://c more\nquorum A`, 'WB-414 line 3'],
    [`${two}quorum A B`, 'WB-414 line 3'],
    [`${two}wittness C ${c}\nquorum A`, 'WB-414 line 3'],
    [`witness L ${keyOf('l', 'log')}\nquorum L`, 'WB-414 line 1'],
    [
      `witness A ${a.replace('+', '+0')}\nquorum A`,
      'WB-115 name+8 hex digits+base64 of an Ed25519 or ML-DSA-44 key',
    ],
    [`${two}quorum none`, 'parsed'],
    [`${two}group g 1 A B\nquorum g # either`, 'parsed'],
  ];
  assert.deepEqual(
    cases.map(([text]) => code(text)),
    cases.map(([, expected]) => expected),
  );
});

test('a verifier key reads back, and one whose hint is of another name or kind is refused', () => {
  const parsed = parseVerifierKey(a);
  assert.ok(parsed.ok);
  assert.deepEqual([parsed.value.name, parsed.value.kind], ['a.example', 'witness']);
  assert.ok(parsed.value.key);
  assert.equal(formatVerifierKey('a.example', parsed.value.key, 'witness'), a);
  for (const wrong of [a.replace('a.example', 'x.example'), a.replace('+B', '+A'), `${a}=`, 'a', '']) {
    const refused = parseVerifierKey(wrong);
    assert.equal(refused.ok ? 'ok' : refused.error.code, 'WB-115', wrong);
  }
});
