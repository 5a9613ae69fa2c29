/** What is written so that it says more, or less, than it seems: rules, ranges, links in reports, forms of documents. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { utf8 } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { parseSbom } from '#formats/sbom-read';
import { parseVex } from '#formats/vex';
import { ignoreFiles, refine, sarifReport } from '#scan';
import { advisory, found, one, range, record, sbomOf, scan } from './records.ts';

const { grypeSettings, parseIgnoreFile } = await ignoreFiles();

const refusal = (file: string, text: string): string => {
  try {
    parseIgnoreFile(file, text);
    return '';
  } catch (error) {
    assert.ok(error instanceof WaybillError, String(error));
    return `${error.reason.code} ${error.reason.expected}`;
  }
};

test('a rule whose conditions are empty is refused: it would match everything', () => {
  const own = (fields: string): string =>
    refusal('rules.yaml', `ignore:\n  - {${fields}, reason: r, owner: o, expires: 2026-12-31}`);
  assert.equal(own('id: CVE-2024-1'), '');
  for (const [fields, what] of [
    ['id: ', 'a value for id'],
    ['id: " "', 'a value for id'],
    ['id: CVE-2024-1, package: ', 'a value for package'],
    ['id: CVE-2024-1, paths: ', 'a value for paths'],
    ['id: CVE-2024-1, paths: []', 'texts for paths'],
  ] as const) {
    assert.match(own(fields), new RegExp(`WB-882 .*${what}`), fields);
  }
  assert.match(
    refusal('rules.yaml', 'ignore:\n  - {id: CVE-2024-1, reason: " ", owner: o, expires: 2026-12-31}'),
    /a reason, an owner/,
  );
  for (const rule of ['package:', 'vulnerability: ""', 'package: {name: ""}', 'reason: r']) {
    assert.match(refusal('.grype.yaml', `ignore:\n  - ${rule}\n`), /a condition in every rule/, rule);
  }
});

test('a file of rules that holds none is told, and what is written beside the rules is refused', () => {
  assert.match(refusal('rules.yaml', 'ignores:\n  - {id: CVE-2024-1}'), /only ignore beside the rules/);
  const result = scan([advisory('CVE-2024-1', 'npm', 'x', '2.0.0')], [one('npm', 'x', '1.0.0')]);
  const { notes, unused } = refine(result, sbomOf([]), {
    nowMs: 0,
    staleDays: 100_000,
    emptyRuleFiles: ['.grype.yaml'],
  });
  assert.deepEqual(notes, ['.grype.yaml: holds no rules that could match']);
  assert.deepEqual(unused, [{ file: '.grype.yaml', kind: 'ignore-rule', unused: 0, of: 0 }]);
  assert.deepEqual(grypeSettings('.grype.yaml', 'fail-on-severity: high\nignore: []\n'), {
    'fail-on-severity': 'high',
  });
});

test('events of a range written from the end on are taken in the order of their versions', () => {
  const written = record({
    id: 'X-1',
    affected: [
      {
        package: { ecosystem: 'npm', name: 'x' },
        ranges: range({ fixed: '2.0.0' }, { introduced: '1.0.0' }),
      },
    ],
  });
  const hits = ['0.9.0', '1.0.0', '1.9.9', '2.0.0', '3.0.0'].filter(
    (version) => found(scan([written], [one('npm', 'x', version)])).length > 0,
  );
  assert.deepEqual(hits, ['1.0.0', '1.9.9']);
});

test('SARIF holds no link and no control character that a package or an advisory brought', () => {
  const name = 'x[click](https://evil.example)\u001b[2J';
  const path = 'app/\ud800x';
  const records = [
    advisory('CVE-2024-1', 'npm', name, '2.0.0', { summary: 'see [here](javascript:1)\u0007' }),
  ];
  const result = scan(records, [one('npm', name, '1.0.0', { locations: [{ path }] })]);
  const text = JSON.stringify(sarifReport(result, '1'));
  assert.match(text, /x\[click\] \(https:/);
  assert.doesNotMatch(text, /\]\(|\\u001b|\\u0007/);
});

test('other forms of SBOMs are refused by name; a mark of UTF-8 and GitHub’s wrapping are read', () => {
  const spdx = (referenceType: string): object => ({
    spdxVersion: 'SPDX-2.3',
    packages: [
      {
        SPDXID: 'SPDXRef-a',
        name: 'jquery',
        versionInfo: '1.8.0',
        externalRefs: [{ referenceType, referenceLocator: 'pkg:npm/jquery@1.8.0' }],
      },
    ],
  });
  const typeOf = (bytes: Uint8Array): string => {
    const read = parseSbom(bytes);
    return read.ok ? (read.value.packages[0]?.type ?? 'none') : `${read.error.code} ${read.error.actual}`;
  };
  const plain = utf8(JSON.stringify(spdx('purl')));
  assert.equal(typeOf(plain), 'npm');
  assert.equal(typeOf(Uint8Array.of(0xef, 0xbb, 0xbf, ...plain)), 'npm');
  assert.equal(typeOf(utf8(JSON.stringify({ sbom: spdx('purl') }))), 'npm');
  assert.equal(typeOf(utf8(JSON.stringify(spdx('http://spdx.org/rdf/references/purl')))), 'npm');
  assert.match(typeOf(gzipSync(plain)), /^WB-192 gzip/);
  assert.match(
    typeOf(Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from('{}', 'utf16le')])),
    /^WB-192 .*UTF-16/,
  );
  assert.match(typeOf(utf8('<?xml version="1.0"?><bom/>')), /^WB-192 XML/);
  assert.match(typeOf(utf8('SPDXVersion: SPDX-2.3\n')), /^WB-192 SPDX as tags/);
});

test('a reference of CycloneDX that is not encoded as addresses are is taken as it is', () => {
  const bom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    vulnerabilities: [
      { id: 'CVE-2024-1', analysis: { state: 'exploitable' }, affects: [{ ref: 'urn:cdx:x/1#100%' }] },
    ],
  };
  const read = parseVex(utf8(JSON.stringify(bom)));
  assert.deepEqual(read.ok && read.value.statements[0]?.products, [{ ids: ['100%'], parts: [] }]);
});

test('a product of CSAF that its tree does not explain is no name of an image', () => {
  const document = {
    document: { title: 'x', publisher: { name: 'a' }, tracking: { id: 'a' } },
    vulnerabilities: [{ cve: 'CVE-2024-1', product_status: { known_not_affected: ['app'] } }],
  };
  const read = parseVex(utf8(JSON.stringify(document)));
  assert.ok(read.ok);
  const result = scan([advisory('CVE-2024-1', 'npm', 'x', '2.0.0')], [one('npm', 'x', '1.0.0')]);
  assert.equal(result.sbom.subject.name, 'app');
  const vex = [{ file: 'v.json', document: read.value }];
  const refined = refine(result, sbomOf([]), { nowMs: 0, vex });
  assert.deepEqual(found(refined), ['CVE-2024-1 x']);
  assert.equal(refined.unused?.length, 1);
});
