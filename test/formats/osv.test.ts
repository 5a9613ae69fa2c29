import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonValue } from '#formats/json';
import { parseOsv } from '#formats/osv';

const entry = { package: { ecosystem: 'npm', name: 'x' } };
const ranged = (...events: JsonValue[]): JsonValue => ({
  id: 'X-1',
  affected: [{ ...entry, ranges: [{ type: 'SEMVER', events }] }],
});

test('a record keeps what matching needs and forgets the rest', () => {
  const parsed = parseOsv({
    id: 'GHSA-1',
    schema_version: '1.6.0',
    details: 'first line\nsecond line',
    aliases: ['CVE-1'],
    severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/…' }],
    affected: [
      { ...entry, ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { last_affected: '1.0.0' }] }] },
      { ranges: [{ type: 'GIT', events: [{ introduced: '0' }] }] },
    ],
    credits: [{ name: 'someone' }],
  });
  assert.ok(parsed.ok);
  assert.equal(parsed.value.summary, 'first line');
  assert.equal(parsed.value.affected.length, 1, 'an entry about commits alone concerns no package');
  assert.deepEqual(parsed.value.affected[0]?.ranges[0]?.events, [
    { introduced: '0' },
    { lastAffected: '1.0.0' },
  ]);
  assert.ok(!('credits' in parsed.value));
});

test('a record that could be misread is refused with WB-191 and the path of the field', () => {
  const cases: readonly (readonly [JsonValue, RegExp])[] = [
    [{}, /osv\.id/],
    [{ id: 'a b' }, /osv\.id/],
    [{ id: 'X', aliases: 'CVE-1' }, /osv\.aliases/],
    [{ id: 'X', affected: [{ package: { name: 'x' } }] }, /affected\[0\]\.package\.ecosystem/],
    [{ id: 'X', affected: [{ ...entry, versions: [1] }] }, /affected\[0\]\.versions/],
    [ranged({ fixed: '1' }), /events/],
    [ranged({ introduced: '0', fixed: '1' }), /events\[0\]/],
    [ranged({ introduced: '0' }, {}), /events\[1\]/],
    [{ id: 'X', affected: [{ ...entry, ranges: [{ type: 'NEW', events: [] }] }] }, /ranges\[0\]\.type/],
  ];
  for (const [json, path] of cases) {
    const parsed = parseOsv(json);
    assert.ok(!parsed.ok, JSON.stringify(json));
    assert.equal(parsed.error.code, 'WB-191');
    assert.match(parsed.error.check, path);
  }
});
