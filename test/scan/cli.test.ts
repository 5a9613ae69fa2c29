import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { type Entry, image } from '../sbom/fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-scan-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const layout = join(folder, 'image');
const broken = join(folder, 'broken');

const status = `Package: libssl3
Status: install ok installed
Source: openssl (3.0.11-1~deb12u1)
Architecture: amd64
Version: 3.0.11-1~deb12u1

`;
const entries: readonly Entry[] = [
  { path: 'etc/os-release', text: 'ID=debian\nVERSION_ID="12"\n' },
  { path: 'var/lib/dpkg/status', text: status },
  { path: 'app/package.json', text: '{"name":"app","version":"1.0.0","dependencies":{"minimist":"*"}}' },
  {
    path: 'app/node_modules/minimist/package.json',
    text: '{"name":"minimist","version":"1.2.5","license":"MIT"}',
  },
  { path: 'app/node_modules/debug/package.json', text: '{"name":"debug","version":"4.4.2"}' },
];

async function writeLayout(path: string, list: readonly Entry[], damage = false): Promise<void> {
  const made = await image(list);
  mkdirSync(join(path, 'blobs/sha256'), { recursive: true });
  for (const [digest, bytes] of made.blobs) {
    const isLayer = made.manifest.layers.some((layer) => layer.digest === digest);
    const stored = damage && isLayer ? bytes.subarray(0, bytes.length - 20) : bytes;
    writeFileSync(join(path, 'blobs', digest.replace(':', '/')), stored);
  }
  const { mediaType, digest, bytes } = made.manifest;
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size: bytes.length, annotations }] };
  writeFileSync(join(path, 'index.json'), JSON.stringify(index));
  writeFileSync(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

before(async () => {
  await writeLayout(layout, entries);
  await writeLayout(broken, entries, true);
});

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function waybill(...args: readonly string[]): Ran {
  const ran = spawnSync(resolve('bin/waybill'), args, {
    encoding: 'utf8',
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      SOURCE_DATE_EPOCH: '1700000000',
      NO_COLOR: '1',
      DOCKER_HOST: `unix://${join(folder, 'no-engine.sock')}`,
    },
  });
  return { code: ran.status, out: ran.stdout, err: ran.stderr };
}

const image_ = (path = layout): string => `oci:${path}`;

test('sbom writes the same bytes every time, to a file and to standard output', () => {
  const first = waybill('sbom', image_(), '-o', 'cyclonedx-json=one.json', '--quiet');
  assert.equal(first.code, 0, first.err);
  assert.equal(first.out, '');
  const second = waybill('sbom', image_(), '-o', 'cyclonedx-json', '--quiet');
  assert.equal(second.out, readFileSync(join(folder, 'one.json'), 'utf8'));
  const json = JSON.parse(second.out) as { metadata: { timestamp: string; component: { name: string } } };
  assert.equal(json.metadata.timestamp, '2023-11-14T22:13:20Z');
  assert.equal(json.metadata.component.name, 'image');
  assert.ok(!second.out.includes(folder), 'the document must not name a folder of this machine');
  const twice = join(folder, 'twice');
  for (const other of [twice, join(folder, 'x', '..', 'twice')]) {
    const ran = waybill('sbom', `oci:${layout}`, '-o', `purls=${twice}`, '-o', `table=${other}`);
    assert.equal(ran.code, 3);
    assert.match(ran.err, /WB-1305[\s\S]*a file of its own/);
  }
});

test('sbom writes several forms in one run and says what it did with --json', () => {
  const ran = waybill(
    'sbom',
    image_(),
    '-o',
    'spdx-json=two.json',
    '-o',
    'purls=purls.txt',
    '--json',
    '--quiet',
  );
  assert.equal(ran.code, 0, ran.err);
  const value = JSON.parse(ran.out) as Record<string, unknown>;
  assert.equal(value['schema'], 'waybill.dev/sbom/v1');
  assert.deepEqual(value['byType'], { deb: 1, npm: 3 });
  assert.match(readFileSync(join(folder, 'purls.txt'), 'utf8'), /^pkg:npm\/minimist@1\.2\.5$/m);
});

test('sbom --fail-on-unknown writes the document, names the gap and exits 2', async () => {
  const gaps = join(folder, 'gaps');
  await writeLayout(gaps, [...entries, { path: 'n/node_modules/b/package.json', text: '{"name":' }]);
  const lenient = waybill('sbom', image_(gaps), '-o', 'purls', '--quiet');
  assert.equal(lenient.code, 0);
  assert.match(lenient.err, /not read: n\/node_modules\/b\/package\.json/);
  const strict = waybill('sbom', image_(gaps), '-o', 'purls', '--quiet', '--fail-on-unknown');
  assert.equal(strict.code, 2);
  assert.equal(strict.out, lenient.out);
  assert.match(strict.err, /WB-849/);
});

test('sbom of a folder: words take away from what is read in folders', () => {
  const tree = join(folder, 'tree');
  mkdirSync(tree);
  writeFileSync(join(tree, 'package.json'), '{"name":"here","version":"1.0.0"}');
  writeFileSync(join(tree, 'Cargo.lock'), '[[package]]\nname = "serde"\nversion = "1.0.0"\n');
  const purls = (...words: readonly string[]): string =>
    waybill('sbom', 'dir:tree', '-o', 'purls', '--quiet', ...words).out;
  assert.equal(purls(), 'pkg:cargo/serde@1.0.0\npkg:npm/here@1.0.0\n');
  assert.equal(purls('--select-cataloguers=-installed'), 'pkg:cargo/serde@1.0.0\n');
  assert.equal(purls('--select-cataloguers=-declared'), 'pkg:npm/here@1.0.0\n');
});

test('scanning an image and scanning its SBOM give the same findings', () => {
  waybill('sbom', image_(), '-o', 'cyclonedx-json=three.json', '--quiet');
  const direct = waybill('scan', image_(), '--json', '--quiet');
  const viaSbom = waybill('scan', 'sbom:three.json', '--json', '--quiet');
  const strip = (text: string): object => ({
    ...(JSON.parse(text) as object),
    started: 0,
    finished: 0,
    database: 0,
  });
  assert.deepEqual(strip(viaSbom.out), strip(direct.out));
  const { findings } = JSON.parse(direct.out) as { findings: { id: string; severity: string }[] };
  assert.deepEqual(
    findings.map((one) => `${one.id} ${one.severity}`),
    [
      'MAL-2025-46974 critical',
      'CVE-2021-44906 critical',
      'CVE-2023-5363 high',
      'CVE-2024-6119 high',
      'CVE-2026-63072 unknown',
    ],
  );
});

test('the gate: sample refused, then findings, each with exit 2 and its code; without a gate exit 0', () => {
  assert.equal(waybill('scan', image_(), '--quiet').code, 0);
  const sample = waybill('scan', image_(), '--fail-on', 'high', '--quiet');
  assert.equal(sample.code, 2);
  assert.match(sample.err, /WB-873/);
  assert.match(sample.err, /WB-874/);
  const allowed = waybill('scan', image_(), '--fail-on', 'high', '--allow-sample-db', '--quiet');
  assert.equal(allowed.code, 2);
  assert.doesNotMatch(allowed.err, /WB-874/);
  assert.match(allowed.out, /SAMPLE database/);
  assert.match(allowed.err, /sample advisories only/);
});

test('db build and db status; a scan with that database is no sample scan', () => {
  const source = join(folder, 'advisories');
  mkdirSync(source, { recursive: true });
  const affected = [{ package: { ecosystem: 'npm', name: 'nothing' }, versions: ['1'] }];
  writeFileSync(join(source, 'a.json'), JSON.stringify({ id: 'A-1', affected }));
  const built = waybill('db', 'build', source, '--out', 'my.db', '--json');
  assert.equal(built.code, 0, built.err);
  assert.equal((JSON.parse(built.out) as { records: number }).records, 1);
  const shown = waybill('db', 'status', '--db', 'my.db');
  assert.match(shown.out, /1 advisories \(schema 3\), built 2023-11-14/);
  const blind = waybill('scan', image_(), '--db', 'my.db', '--fail-on', 'low', '--quiet');
  assert.equal(blind.code, 2, 'a gate does not pass an operating system nobody has advisories for');
  assert.match(blind.out, /Debian:12: 1 packages, NOT COVERED/);
  assert.match(blind.err, /WB-875[\s\S]*no advisories for Debian:12/);
  const debian = { package: { ecosystem: 'Debian:12', name: 'nothing' }, versions: ['1'] };
  writeFileSync(join(source, 'b.json'), JSON.stringify({ id: 'A-2', affected: [debian] }));
  waybill('db', 'build', source, '--out', 'both.db');
  const clean = waybill('scan', image_(), '--db', 'both.db', '--fail-on', 'low', '--quiet');
  assert.equal(clean.code, 0, clean.err);
  const strict = waybill(
    'scan',
    image_(),
    '--db',
    'my.db',
    '--fail-on',
    'low',
    '--fail-on-unknown',
    '--quiet',
  );
  assert.equal(strict.code, 2);
  assert.match(strict.err, /WB-875/);
});

test('an SBOM of another image is refused where a digest is expected', () => {
  waybill('sbom', image_(), '-o', 'cyclonedx-json=four.json', '--quiet');
  const other = `sha256:${'0'.repeat(64)}`;
  const ran = waybill('scan', 'sbom:four.json', '--expect-digest', other, '--quiet');
  assert.equal(ran.code, 2);
  assert.match(ran.err, /WB-878/);
});

test('a name of an engine is looked for in the engine by every verb, and never in a registry', () => {
  for (const words of [['sbom'], ['scan'], ['explain', 'CVE-2021-44906']]) {
    const { code, err } = waybill(...words, 'docker:app:v1', '--quiet');
    assert.match(err, /WB-518/, words.join(' '));
    assert.equal(code, 20, words.join(' '));
  }
});

test('bad input ends with its code and its exit code', () => {
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['sbom', image_(), '-o', 'xml'], 3, /WB-847/],
    [['scan', image_(), '-o', 'xml'], 3, /WB-877/],
    [['scan', image_(), '--fail-on', 'serious'], 3, /WB-876/],
    [['scan', image_(), '--db', 'image/oci-layout'], 3, /WB-870/],
    [['scan', 'sbom:image/oci-layout'], 3, /WB-192/],
    [['scan', 'sbom:nowhere.json'], 3, /WB-209/],
    [['db', 'build', 'nowhere', '--out', 'x.db'], 3, /WB-871/],
    [['sbom', image_(), '--nonsense'], 3, /WB-1301/],
  ];
  for (const [args, code, pattern] of cases) {
    const ran = waybill(...args, '--quiet');
    assert.match(ran.err, pattern, args.join(' '));
    assert.equal(ran.code, code, args.join(' '));
    assert.equal(ran.out, '', args.join(' '));
  }
});

test('a damaged layer ends the catalogue with a named error and no document', () => {
  const ran = waybill('sbom', image_(broken), '-o', 'cyclonedx-json=five.json', '--quiet');
  assert.notEqual(ran.code, 0);
  assert.match(ran.err, /WB-(?:188|84[13]|5\d\d)/);
  assert.throws(() => readFileSync(join(folder, 'five.json')));
});
