/** When a VEX statement counts, and which of several; the same for OpenVEX, CSAF and CycloneDX. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import { parseVex } from '#formats/vex';
import { refine, type ScanResult } from '#scan';
import { advisory, found, one, sbomOf, scan } from './records.ts';

const NOW = Date.UTC(2026, 10, 21);
const purl = 'pkg:npm/left@1.0.0';
const left = one('npm', 'left', '1.0.0', { purl });
const matched = scan([advisory('CVE-2024-0001', 'npm', 'left', '2.0.0')], [left]);

function judged(...documents: readonly object[]): ScanResult {
  const vex = documents.map((json, i) => ({
    file: `${i}.json`,
    document: unwrap(parseVex(utf8(JSON.stringify(json)))),
  }));
  return refine(matched, sbomOf([left]), { nowMs: NOW, vex, staleDays: 100_000 });
}

type Status = 'not_affected' | 'affected';
/** A document of each form that says one thing at one time. */
const forms: Readonly<Record<string, (status: Status, time: string) => object>> = {
  OpenVEX: (status, timestamp) => ({
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': 'urn:x',
    author: 'acme',
    timestamp: '2026-01-01T00:00:00Z',
    version: 1,
    statements: [
      {
        vulnerability: { name: 'CVE-2024-0001' },
        products: [{ '@id': purl }],
        status,
        timestamp,
        impact_statement: 'none',
      },
    ],
  }),
  CSAF: (status, current_release_date) => ({
    document: { title: 'x', publisher: { name: 'acme' }, tracking: { id: 'a', current_release_date } },
    product_tree: {
      full_product_names: [{ product_id: 'p', name: 'left', product_identification_helper: { purl } }],
    },
    vulnerabilities: [
      {
        cve: 'CVE-2024-0001',
        product_status: { [status === 'affected' ? 'known_affected' : 'known_not_affected']: ['p'] },
      },
    ],
  }),
  CycloneDX: (status, timestamp) => ({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    metadata: { timestamp },
    vulnerabilities: [
      {
        id: 'CVE-2024-0001',
        analysis: { state: status === 'affected' ? 'exploitable' : 'not_affected' },
        affects: [{ ref: purl }],
      },
    ],
  }),
};

const past = '2026-06-01T00:00:00Z';
const ahead = '2099-01-01T00:00:00Z';

for (const [form, document] of Object.entries(forms)) {
  test(`${form}: a statement dated ahead of the clock does not count, and is named`, () => {
    const alone = judged(document('not_affected', ahead));
    assert.equal(found(alone).length, 1);
    assert.deepEqual(alone.notes, [
      '0.json: left out a statement dated ahead of the clock, up to 2099-01-01',
    ]);
    const other = judged(document('not_affected', past), document('affected', ahead));
    assert.deepEqual(found(other), []);
    assert.match(other.notes.join(), /1\.json: left out/);
    // Clocks that are minutes apart are no lie.
    const close = new Date(NOW + 5 * 60_000).toISOString();
    const soon = judged(document('not_affected', close));
    assert.deepEqual([found(soon), soon.notes], [[], []]);
  });

  test(`${form}: of two statements of one time the one that leaves the finding counts, in either order`, () => {
    const [good, bad] = [document('not_affected', past), document('affected', past)];
    assert.equal(found(judged(good, bad)).length, 1);
    assert.equal(found(judged(bad, good)).length, 1);
    assert.equal(found(judged(bad, document('not_affected', '2026-06-02T00:00:00Z'))).length, 0);
    assert.equal(found(judged(good, document('affected', '2026-06-02T00:00:00Z'))).length, 1);
  });
}

test('CSAF: a product that one vulnerability lists as affected and as not affected stays', () => {
  const both = forms['CSAF']?.('not_affected', past) as { vulnerabilities: { product_status: object }[] };
  const states = { known_not_affected: ['p'], known_affected: ['p'] };
  const [first] = both.vulnerabilities;
  assert.ok(first !== undefined);
  first.product_status = states;
  assert.equal(found(judged(both)).length, 1);
});

test('a statement about a part that has no name here is not about the whole image', () => {
  const image = 'pkg:oci/app';
  const statement = (subcomponents: readonly unknown[]): object => ({
    '@context': 'https://openvex.dev/ns/v0.2.0',
    timestamp: past,
    statements: [
      {
        vulnerability: { name: 'CVE-2024-0001' },
        products: [{ '@id': image, subcomponents }],
        status: 'not_affected',
        impact_statement: 'none',
      },
    ],
  });
  assert.equal(found(judged(statement([]))).length, 0);
  assert.equal(found(judged(statement([purl]))).length, 0);
  assert.equal(found(judged(statement(['pkg:npm/right']))).length, 1);
  assert.equal(found(judged(statement([{}]))).length, 1);
  const csaf = {
    document: { title: 'x', publisher: { name: 'acme' }, tracking: { id: 'a', current_release_date: past } },
    product_tree: {
      full_product_names: [
        { product_id: 'part', name: 'some part' },
        { product_id: 'image', name: 'app', product_identification_helper: { purl: image } },
      ],
      relationships: [
        {
          category: 'default_component_of',
          product_reference: 'part',
          relates_to_product_reference: 'image',
          full_product_name: { product_id: 'both', name: 'some part of app' },
        },
      ],
    },
    vulnerabilities: [{ cve: 'CVE-2024-0001', product_status: { known_not_affected: ['both'] } }],
  };
  assert.equal(found(judged(csaf)).length, 1);
});

test('a statement about a Go module in lower case, as package URLs have it, is about that module', () => {
  const module = 'pkg:golang/github.com/Masterminds/goutils@v1.1.0';
  const name = 'github.com/Masterminds/goutils';
  const go = one('golang', name, 'v1.1.0', { purl: module });
  const result = scan([advisory('GO-1', 'Go', name, '1.1.1')], [go]);
  const about = (id: string): number => {
    const json = {
      '@context': 'https://openvex.dev/ns/v0.2.0',
      timestamp: past,
      statements: [{ vulnerability: 'GO-1', products: [id], status: 'fixed' }],
    };
    const vex = [{ file: 'a', document: unwrap(parseVex(utf8(JSON.stringify(json)))) }];
    return refine(result, sbomOf([go]), { nowMs: NOW, vex }).findings.length;
  };
  assert.equal(about(module), 0);
  assert.equal(about(module.toLowerCase()), 0);
  assert.equal(about('pkg:golang/github.com/MASTERMINDS/goutils'), 1);
});
