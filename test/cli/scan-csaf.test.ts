/** `scan -o csaf`: what CSAF 2.0 demands of its profile VEX (4.1, 4.5, 6.1), and read back as it was meant. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { unwrap } from '#base/result';
import { parseVex, type VexStatement } from '#formats/vex';
import { good, inFolder, makeImage, readJson, writeDatabase, writeJson, writeLayout } from './scan-world.ts';

let layout = '';
let digest = '';
before(async () => {
  const made = await makeImage();
  digest = made.manifest.digest;
  layout = writeLayout('image', made);
  await writeDatabase();
  const product = { '@id': digest };
  const about = (purl: string): object => ({ ...product, subcomponents: [{ '@id': purl }] });
  writeJson('decided.json', {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': 'urn:test',
    author: 'a',
    timestamp: '2026-11-01T00:00:00Z',
    version: 1,
    statements: [
      {
        vulnerability: 'CVE-2026-1001',
        status: 'not_affected',
        justification: 'vulnerable_code_not_in_execute_path',
        impact_statement: 'never called',
        products: [about('pkg:npm/left@1.0.0')],
      },
      {
        vulnerability: { name: 'CVE-2026-1002' },
        status: 'not_affected',
        impact_statement: 'not shipped',
        products: [product],
      },
      { vulnerability: 'CVE-2026-1006', status: 'fixed', products: [about('pkg:deb/debian/libssl3')] },
    ],
  });
});

const scanned = async (...words: readonly string[]): Promise<Csaf> => {
  await good(['scan', layout, '-o', `csaf=${inFolder('csaf.json')}`, ...words]);
  return readJson('csaf.json') as Csaf;
};
const decided = (): Promise<Csaf> =>
  scanned(
    '--scope',
    'all-layers',
    '--vex',
    inFolder('decided.json'),
    '-o',
    `openvex=${inFolder('open.json')}`,
  );

interface FullProductName {
  readonly product_id: string;
  readonly name: string;
  readonly product_identification_helper?: { readonly purl: string };
}
interface OfProducts {
  readonly product_ids: readonly string[];
}
interface Vulnerability {
  readonly cve?: string;
  readonly ids?: readonly { readonly system_name: string; readonly text: string }[];
  readonly notes: readonly { readonly category: string; readonly text: string }[];
  readonly product_status: Readonly<Record<string, readonly string[]>>;
  readonly flags?: readonly (OfProducts & { readonly label: string })[];
  readonly threats?: readonly (OfProducts & { readonly category: string; readonly details: string })[];
  readonly remediations?: readonly (OfProducts & { readonly category: string; readonly details: string })[];
}
interface Csaf {
  readonly document: Readonly<Record<string, unknown>> & {
    readonly tracking: Readonly<Record<string, unknown>>;
    readonly publisher: Readonly<Record<string, unknown>>;
  };
  readonly product_tree?: {
    readonly full_product_names: readonly FullProductName[];
    readonly relationships: readonly {
      readonly category: string;
      readonly product_reference: string;
      readonly relates_to_product_reference: string;
      readonly full_product_name: FullProductName;
    }[];
  };
  readonly vulnerabilities?: readonly Vulnerability[];
}

/** 4.1: what every document has. */
function requireBase({ document: { category, csaf_version, publisher, title, tracking } }: Csaf): void {
  assert.equal(csaf_version, '2.0');
  assert.equal(typeof category, 'string');
  assert.ok(
    ['coordinator', 'discoverer', 'other', 'translator', 'user', 'vendor'].includes(
      String(publisher['category']),
    ),
  );
  assert.ok(typeof publisher['name'] === 'string' && publisher['name'] !== '');
  assert.ok(URL.canParse(String(publisher['namespace'])));
  assert.ok(typeof title === 'string' && title !== '');
  assert.match(String(tracking['id']), /^[\S](.*[\S])?$/);
  assert.ok(['draft', 'final', 'interim'].includes(String(tracking['status'])));
  for (const key of ['current_release_date', 'initial_release_date']) {
    assert.equal(tracking[key], '2026-09-21T14:13:20Z');
  }
  // 6.1.16, 6.1.20: the version is that of the newest revision, and no draft's.
  assert.equal(tracking['version'], '1');
  const [revision, ...others] = tracking['revision_history'] as Record<string, string>[];
  assert.deepEqual(others, []);
  assert.deepEqual(Object.keys(revision ?? {}).sort(), ['date', 'number', 'summary']);
  assert.equal(revision?.['number'], '1');
}

test('every member that the profile VEX demands is there, and every reference leads to a product', async () => {
  const csaf = await decided();
  requireBase(csaf);
  assert.equal(csaf.document['category'], 'csaf_vex');
  const { product_tree: tree, vulnerabilities = [] } = csaf;
  assert.ok(tree !== undefined && vulnerabilities.length > 0);
  const named = [...tree.full_product_names, ...tree.relationships.map((one) => one.full_product_name)];
  const known = new Set(named.map((one) => one.product_id));
  assert.equal(known.size, named.length, '6.1.2: a product id is defined once');
  for (const one of named)
    assert.ok(one.name !== '' && one.product_identification_helper?.purl.startsWith('pkg:'));
  for (const one of tree.relationships) {
    assert.ok(known.has(one.product_reference) && known.has(one.relates_to_product_reference));
  }
  const cves = vulnerabilities.flatMap(({ cve }) => cve ?? []);
  assert.equal(new Set(cves).size, cves.length, '6.1.23: a CVE stands once');
  for (const one of vulnerabilities) requireVex(one, known);
});

function requireVex(one: Vulnerability, known: ReadonlySet<string>): void {
  const label = one.cve ?? JSON.stringify(one.ids);
  // 6.1.27.8, 6.1.27.5: an id, and notes with their category.
  assert.ok(one.cve === undefined ? (one.ids ?? []).length > 0 : /^CVE-\d{4}-\d{4,}$/.test(one.cve));
  for (const id of one.ids ?? []) assert.ok(id.system_name !== '' && id.text !== '');
  assert.ok(
    one.notes.length > 0 && one.notes.every(({ category, text }) => category !== '' && text !== ''),
    label,
  );
  const {
    known_affected = [],
    known_not_affected = [],
    fixed = [],
    under_investigation = [],
    ...other
  } = one.product_status;
  assert.deepEqual(other, {});
  const all = [...known_affected, ...known_not_affected, ...fixed, ...under_investigation];
  assert.ok(all.length > 0, '6.1.27.7: a status');
  assert.equal(new Set(all).size, all.length, '6.1.6: no product has two');
  for (const list of [
    ...(one.flags ?? []),
    ...(one.threats ?? []),
    ...(one.remediations ?? []),
    { product_ids: all },
  ]) {
    assert.ok(list.product_ids.length > 0 && list.product_ids.every((id) => known.has(id)), label);
  }
  const has = (list: readonly OfProducts[] | undefined, id: string): number =>
    (list ?? []).filter(({ product_ids }) => product_ids.includes(id)).length;
  for (const id of known_not_affected) {
    assert.ok(has(one.flags, id) + has(one.threats, id) > 0, '6.1.27.9: an impact statement');
    assert.ok(has(one.flags, id) <= 1, '6.1.33: one justification');
  }
  for (const id of known_affected)
    assert.equal(has(one.remediations, id), 1, '6.1.27.10: an action statement');
}

test('our reader reads the same statements as from OpenVEX, and what is under investigation besides', async () => {
  await decided();
  const statements = (file: string): readonly VexStatement[] =>
    unwrap(parseVex(readFileSync(inFolder(file)))).statements;
  const key = ({ ids, status, justification, impact, products, atMs }: VexStatement): string =>
    JSON.stringify([[...ids].sort(), status, justification, impact, products, atMs]);
  const [csaf, openvex] = [statements('csaf.json'), statements('open.json')];
  const open = csaf.filter(({ status }) => status === 'under_investigation');
  const told = csaf.filter(({ status }) => status !== 'under_investigation');
  assert.deepEqual(told.map(key).sort(), openvex.map(key).sort());
  assert.deepEqual(told.map(({ status }) => status).sort(), [
    'affected',
    'fixed',
    'not_affected',
    'not_affected',
  ]);
  assert.deepEqual(
    open.map(({ ids, products }) => [ids, products[0]?.parts]),
    [[['GHSA-odd1-odd1-odd1'], ['pkg:npm/odd@latest']]],
  );
});

test('given back to a scan, it takes the same findings off', async () => {
  await decided();
  interface Result {
    readonly findings: readonly { readonly id: string }[];
    readonly suppressed: readonly { readonly id: string; readonly vex?: { readonly status: string } }[];
  }
  const list = async (file: string): Promise<unknown> => {
    const { value } = await good(['scan', layout, '--vex', inFolder(file)], { json: true });
    const { findings, suppressed } = value as Result;
    return [findings.map(({ id }) => id), suppressed.map(({ id, vex }) => [id, vex])];
  };
  assert.deepEqual(await list('csaf.json'), await list('decided.json'));
});

test('a scan that states nothing is a document of the base profile, which demands no vulnerability', async () => {
  const csaf = await scanned('--select-cataloguers', 'rust');
  requireBase(csaf);
  assert.equal(csaf.document['category'], 'csaf_base');
  assert.deepEqual(Object.keys(csaf), ['document']);
  assert.deepEqual(unwrap(parseVex(readFileSync(inFolder('csaf.json')))).statements, []);
});

test('equal scans give equal bytes, other findings another id', async () => {
  const { document } = await decided();
  const first = readFileSync(inFolder('csaf.json'));
  await decided();
  assert.deepEqual(readFileSync(inFolder('csaf.json')), first);
  const other = await scanned();
  assert.notEqual(other.document.tracking['id'], document.tracking['id']);
});
