/** Strict JSON against the engine’s, and canonical JSON against another implementation, on texts made to differ. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { utf8 } from '#base/bytes';
import { canonicalJson, type JsonValue, parseJson } from '#formats/json';

/** Keys that are easily confused, once as they are and once escaped. */
const names = [
  'a',
  'b',
  '',
  '__proto__',
  'constructor',
  'toString',
  'é',
  '\u2028',
  '\ud83d\ude00',
  'a"b',
  '\\',
];
const escaped = (text: string): string => {
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`;
};
const key = fc
  .tuple(fc.constantFrom(...names), fc.boolean())
  .map(([name, isEscaped]) => (isEscaped ? escaped(name) : JSON.stringify(name)));
const space = fc.constantFrom('', ' ', '\n', '\t\r\n');
const { text } = fc.letrec<{ text: string }>((tie) => ({
  text: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(
      'null',
      'true',
      'false',
      '0',
      '-0',
      '1e2',
      '1E-2',
      '"x:y"',
      '"{\\"a\\":1}"',
      '"\\u0041"',
      '"//"',
    ),
    fc
      .tuple(space, fc.array(tie('text'), { maxLength: 3 }))
      .map(([gap, list]) => `[${gap}${list.join(`,${gap}`)}]`),
    fc
      .tuple(space, fc.array(fc.tuple(key, tie('text')), { maxLength: 4 }))
      .map(([gap, list]) => `{${list.map(([name, member]) => `${name}${gap}:${gap}${member}`).join(',')}}`),
  ),
}));

/** What strictness demands, said in the plainest way: the names of each object, read by a reviver-free walk. */
function hasRepeats(document: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  const tokens = document.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g);
  let last: string | undefined;
  for (const [token] of tokens) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      const name = JSON.parse(last as string) as string;
      const names = open.at(-1) as Set<string>;
      if (names.has(name) || name === '__proto__') return true;
      names.add(name);
    }
    last = token;
  }
  return false;
}

test('texts full of confusing keys are refused exactly when a key is repeated or forbidden', () => {
  let refused = 0;
  fc.assert(
    fc.property(text, (document) => {
      const parsed = parseJson(document);
      const bytes = parseJson(utf8(document));
      assert.equal(parsed.ok, bytes.ok);
      if (hasRepeats(document)) {
        refused++;
        assert.ok(!parsed.ok && parsed.error.code === 'WB-151', document);
      } else {
        assert.ok(parsed.ok, document);
        assert.deepEqual(parsed.value, JSON.parse(document));
      }
    }),
    { seed: 8259, numRuns: 4000 },
  );
  assert.ok(refused > 200, `${refused} refused`);
  assert.deepEqual(Object.keys(Object.prototype), []);
});

test('what parses has the canonical form another implementation gives it, which is its own canonical form', () => {
  fc.assert(
    fc.property(text, (document) => {
      const parsed = parseJson(document);
      if (!parsed.ok) return;
      const canonical = canonicalJson(parsed.value);
      assert.equal(canonical, canonicalize(parsed.value));
      const again = parseJson(canonical);
      assert.ok(again.ok && canonicalJson(again.value) === canonical);
    }),
    { seed: 8785, numRuns: 2000 },
  );
});

test('numbers have the canonical form of RFC 8785 whatever their size', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      assert.equal(canonicalJson(number as JsonValue), canonicalize(number));
      assert.ok(Object.is(JSON.parse(canonicalJson(number)), Object.is(number, -0) ? 0 : number));
    }),
    { seed: 8786, numRuns: 3000 },
  );
});
