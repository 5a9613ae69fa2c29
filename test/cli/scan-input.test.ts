/** Words and files that must not be taken for something else: days, keys that sign nothing, components told twice. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { loadDatabase } from '#scan';
import {
  good,
  inFolder,
  makeImage,
  readJson,
  refused,
  run,
  writeDatabase,
  writeJson,
  writeLayout,
} from './scan-world.ts';

let layout = '';
before(async () => {
  layout = writeLayout('image', await makeImage());
  await writeDatabase();
  await good(['sbom', layout, '-o', `cyclonedx-json=${inFolder('s.json')}`]);
});

interface Finding {
  readonly id: string;
  readonly package: { readonly name: string; readonly locations: readonly string[] };
}
interface Result {
  readonly packages: number;
  readonly findings: readonly Finding[];
  readonly suppressed: readonly (Finding & { readonly by: string; readonly reason: string })[];
  readonly notes: readonly string[];
}
const scan = async (...words: readonly string[]): Promise<Result> =>
  (await good(['scan', ...words], { json: true })).value as Result;

test('a day that does not exist is refused in every form of ignore file', async () => {
  const own = (expires: string): string =>
    `ignore:\n  - id: CVE-2026-1001\n    reason: r\n    owner: o\n    expires: ${expires}\n`;
  const files: readonly (readonly [string, (day: string) => string])[] = [
    ['rules.yaml', own],
    ['quoted.yaml', (day) => own(`"${day}"`)],
    ['.trivyignore', (day) => `CVE-2026-1001 exp:${day}\n`],
    ['.trivyignore.yaml', (day) => `vulnerabilities:\n  - id: CVE-2026-1001\n    expired_at: ${day}\n`],
  ];
  const none = [
    '2026-02-31',
    '2026-02-29',
    '2026-04-31',
    '2026-13-01',
    '2026-00-10',
    '2026-01-00',
    '2026-1-1',
  ];
  for (const [name, write] of files) {
    for (const day of [...none, '31.12.2026', '2026-12-31garbage']) {
      writeFileSync(inFolder(name), write(day));
      await refused(['scan', layout, '--ignore-file', inFolder(name)], 'WB-882', name);
    }
    for (const day of ['2026-11-30', '2028-02-29']) {
      writeFileSync(inFolder(name), write(day));
      const { suppressed } = await scan(layout, '--ignore-file', inFolder(name));
      assert.ok(
        suppressed.some(({ by }) => by === 'ignore-rule'),
        `${name} ${day}`,
      );
    }
  }
  writeFileSync(inFolder('rules.yaml'), own('2026-12-31T00:00:00Z'));
  assert.ok((await scan(layout, '--ignore-file', inFolder('rules.yaml'))).suppressed.length > 0);
});

test('db build with what is for signing, but without --sign, is refused and builds nothing', async () => {
  const words = ['db', 'build', inFolder('records.json'), '--out', inFolder('none.db')];
  for (const [option = '', ...value] of [
    ['--key', 'cosign.key'],
    ['--identity-token', 't'],
    ['--fulcio-url', 'https://ca.example'],
    ['--no-tlog-upload'],
    ['--trusted-root', 'r.json'],
    ['--stack', 's'],
  ]) {
    const { reason, stdout } = await run([...words, option, ...value]);
    assert.equal(reason?.code, 'WB-1312', option);
    assert.equal(reason?.actual, option);
    assert.equal(stdout, '');
    assert.equal(existsSync(inFolder('none.db')), false);
  }
  await good(words);
  assert.equal(existsSync(inFolder('none.db')), true);
  const other = ['db', 'build', inFolder('records.json'), '--out', inFolder('other.db'), '--sign'];
  assert.equal((await run([...other, '--key', inFolder('gone.key')])).reason?.code, 'WB-607');
  assert.equal(existsSync(inFolder('other.db')), false, 'who cannot sign builds nothing');
});

test('db build and db status tell what a source held that cannot be used, and dates nobody knows', async () => {
  writeFileSync(inFolder('epss.csv'), 'cve,epss,percentile\nCVE-2026-1001,0.5,0.9\nCVE-2026-1002,7,0.9\n');
  const zero = { id: 'GO-1', modified: '0001-01-01T00:00:00Z', affected: [] };
  writeJson('go.json', zero);
  const sources = [inFolder('go.json'), inFolder('epss.csv')];
  const built = await good(['db', 'build', ...sources, '--out', inFolder('part.db')]);
  assert.match(built.stderr, /^skipped .*epss\.csv:3: not a CVE with two numbers/m);
  const told = await good(['db', 'status', '--db', inFolder('part.db')]);
  for (const text of [built.stdout, told.stdout]) {
    assert.match(text, /newest record of unknown date/);
    assert.match(text, /from epss\.csv: 1 records, 1 SKIPPED that could not be used, newest of unknown date/);
    assert.match(text, /from go\.json: 1 records, newest of unknown date/);
    assert.doesNotMatch(text, /0001-01-01/);
  }
  const status = loadDatabase(inFolder('part.db'));
  status.close();
  assert.deepEqual(status.info.sources, [
    { name: 'epss.csv', records: 1, skipped: 1 },
    { name: 'go.json', records: 1 },
  ]);
});

test('a component that a document lists twice gives its findings once', async () => {
  const document = readJson('s.json') as { components: { 'bom-ref': string; name: string }[] };
  const once = await scan(`sbom:${inFolder('s.json')}`);
  const twin = document.components.flatMap((one) => [one, { ...one, 'bom-ref': `${one['bom-ref']}-again` }]);
  writeJson('twice.json', { ...document, components: twin });
  const twice = await scan(`sbom:${inFolder('twice.json')}`);
  const ids = ({ findings }: Result): unknown => findings.map((one) => [one.id, one.package]);
  assert.deepEqual(ids(twice), ids(once));
  assert.equal(twice.packages, once.packages);
  assert.deepEqual(
    twice.suppressed.map(({ id, by, reason }) => [id, by, reason]),
    once.suppressed.map(({ id, by, reason }) => [id, by, reason]),
  );
});

test('a package in two places is one finding with both; owned in one of them only, it is not the distribution’s', async () => {
  const { findings } = await scan(layout);
  assert.deepEqual(findings.find(({ package: one }) => one.name === 'left')?.package.locations, [
    '/app/node_modules/left/package.json',
    '/opt/copy/node_modules/left/package.json',
  ]);
  const document = readJson('s.json') as {
    components: { 'bom-ref': string; name: string; properties?: { name: string; value: string }[] }[];
  };
  const six = document.components.find(({ name }) => name === 'six') ?? assert.fail('six');
  const { properties: _places, ...elsewhere } = six;
  const components = [...document.components, { ...elsewhere, 'bom-ref': 'pip-copy' }];
  writeJson('copy.json', { ...document, components });
  const before = await scan(`sbom:${inFolder('s.json')}`);
  assert.equal(before.suppressed.find(({ id }) => id === 'CVE-2026-1005')?.by, 'distribution');
  const after = await scan(`sbom:${inFolder('copy.json')}`);
  assert.ok(after.findings.some(({ id }) => id === 'CVE-2026-1005'));
  assert.equal(after.suppressed.filter(({ id }) => id === 'CVE-2026-1005').length, 0);
});

test('a scan of the image and of every form of its SBOM decide the same, ownership and gaps included', async () => {
  const direct = await scan(layout);
  const told = ({ findings, suppressed, packages }: Result): unknown => [
    packages,
    findings.map((one) => [one.id, one.package.name]),
    suppressed.map((one) => [one.id, one.package.name, one.by, one.reason]),
  ];
  assert.ok(direct.suppressed.some(({ by }) => by === 'distribution'));
  for (const format of [
    'cyclonedx-json@1.5',
    'cyclonedx-json',
    'cyclonedx-json@1.7',
    'spdx-json',
    'spdx-json@3.0',
    'syft-json',
  ]) {
    await good(['sbom', layout, '-o', `${format}=${inFolder('form.json')}`]);
    assert.deepEqual(told(await scan(`sbom:${inFolder('form.json')}`)), told(direct), format);
    await good(['sbom', 'convert', inFolder('form.json'), '-o', `cyclonedx-json=${inFolder('back.json')}`]);
    assert.deepEqual(told(await scan(`sbom:${inFolder('back.json')}`)), told(direct), `${format} converted`);
  }
});

test('a package URL that cannot be read is said in every form of the result, not "nothing found" alone', async () => {
  const purl = 'pkg:npm%zz';
  const library = { type: 'library', name: 'left', version: '1.0.0', purl };
  const cyclonedx = { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, components: [library] };
  const locator = { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl };
  const one = { SPDXID: 'SPDXRef-a', name: 'left', versionInfo: '1.0.0', externalRefs: [locator] };
  const spdx = { spdxVersion: 'SPDX-2.3', SPDXID: 'SPDXRef-DOCUMENT', name: 'x', packages: [one] };
  const expected = /"left" with a package URL that cannot be read: "pkg:npm%zz"/;
  for (const [name, document] of Object.entries({ cyclonedx, spdx })) {
    writeJson(`${name}.json`, document);
    const path = inFolder(`${name}.json`);
    const table = await good(['scan', `sbom:${path}`]);
    assert.match(table.stdout, expected);
    assert.doesNotMatch(table.stderr, expected);
    for (const words of [
      ['scan', `sbom:${path}`, '-o', 'sarif'],
      ['scan', `sbom:${path}`, '-o', 'junit'],
      ['grype', `sbom:${path}`],
      ['trivy', 'sbom', path],
    ]) {
      assert.match((await good(words)).stderr, expected, words.join(' '));
    }
    const { value } = await good(['scan', `sbom:${path}`], { json: true });
    assert.match(JSON.stringify((value as { unknowns: object }).unknowns), /cannot be read/);
    const gated = await run(['scan', `sbom:${path}`, '--fail-on-unknown']);
    assert.equal(gated.exit, 2);
  }
});
