/** What `waybill scan -o csaf` writes, given to real Grype and real Trivy: it takes the same findings off as there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { requirePeer } from './cache.ts';

const [grype, grypedb] = [requirePeer('grype'), requirePeer('grypedb')];
const [trivy, trivydb] = [requirePeer('trivy'), requirePeer('trivydb')];
const folder = mkdtempSync(join(tmpdir(), 'waybill-csaf-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

const env = {
  ...process.env,
  GRYPE_DB_CACHE_DIR: at('cache'),
  GRYPE_DB_AUTO_UPDATE: 'false',
  GRYPE_DB_VALIDATE_AGE: 'false',
  GRYPE_CHECK_FOR_APP_UPDATE: 'false',
  XDG_CACHE_HOME: at('xdg'),
  HOME: folder,
};

function run(program: string, ...args: readonly string[]): string {
  const ran = spawnSync(program, args, { encoding: 'utf8', env, cwd: folder, maxBuffer: 1 << 28 });
  assert.equal(ran.status, 0, `${program} ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout;
}

const names = ['left', 'right', 'third'];
const cveOf = (name: string): string => `CVE-2026-${1001 + names.indexOf(name)}`;

before(() => {
  mkdirSync(at('osv'));
  for (const name of names) {
    const events = [{ introduced: '0' }, { fixed: '2.0.0' }];
    const affected = [{ package: { ecosystem: 'npm', name }, ranges: [{ type: 'SEMVER', events }] }];
    const record = { id: cveOf(name), modified: '2026-01-01T00:00:00Z', affected };
    writeFileSync(at(`osv/${name}.json`), JSON.stringify(record));
  }
  const digest = `sha256:${'a'.repeat(64)}`;
  const purl = `pkg:oci/app@${encodeURIComponent(digest)}?repository_url=${encodeURIComponent('ghcr.io/acme/app')}`;
  const component = { type: 'container', 'bom-ref': 'root', name: 'ghcr.io/acme/app', version: digest, purl };
  const components = names.map((name) => ({
    ...{ type: 'library', 'bom-ref': name, name, version: '1.0.0' },
    purl: `pkg:npm/${name}@1.0.0`,
  }));
  const dependencies = [{ ref: 'root', dependsOn: names }];
  const bom = { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, metadata: { component } };
  writeFileSync(at('sbom.json'), JSON.stringify({ ...bom, components, dependencies }));
  const statement = (name: string, rest: object): object => ({
    vulnerability: { name: cveOf(name) },
    products: [{ '@id': `pkg:npm/${name}@1.0.0` }],
    ...rest,
  });
  const decided = {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': 'urn:test',
    author: 'test',
    timestamp: '2026-01-01T00:00:00Z',
    version: 1,
    statements: [
      statement('left', { status: 'not_affected', justification: 'vulnerable_code_not_present' }),
      statement('right', { status: 'fixed' }),
    ],
  };
  writeFileSync(at('decided.json'), JSON.stringify(decided));
  const waybill = resolve('bin/waybill');
  run(waybill, 'db', 'build', 'osv', '--out', 'a.db');
  run(waybill, 'scan', 'sbom:sbom.json', '--db', 'a.db', '--vex', 'decided.json', '-o', 'csaf=csaf.json');
});

test('Grype takes off what the document says is not affected or fixed, and leaves the rest', () => {
  run(grypedb, at('osv'), at('grype'), '1000');
  run(grype, 'db', 'import', join(at('grype'), 'vulnerability.db'));
  const found = (...words: readonly string[]): string[] => {
    const { matches } = JSON.parse(run(grype, 'sbom:sbom.json', '-o', 'json', '-q', ...words)) as {
      matches: { vulnerability: { id: string } }[];
    };
    return matches.map(({ vulnerability }) => vulnerability.id).sort();
  };
  assert.deepEqual(found(), names.map(cveOf));
  assert.deepEqual(found('--vex', 'csaf.json'), [cveOf('third')]);
});

test('so does Trivy', () => {
  run(trivydb, at('osv'), at('trivy'));
  const flags = ['--skip-db-update', '--skip-java-db-update', '--offline-scan', '--skip-version-check', '-q'];
  const found = (...words: readonly string[]): string[] => {
    const json = run(
      trivy,
      'sbom',
      '--cache-dir',
      at('trivy'),
      ...flags,
      '-f',
      'json',
      ...words,
      'sbom.json',
    );
    const { Results = [] } = JSON.parse(json) as {
      Results?: { Vulnerabilities?: { VulnerabilityID: string }[] }[];
    };
    return Results.flatMap(({ Vulnerabilities = [] }) =>
      Vulnerabilities.map((one) => one.VulnerabilityID),
    ).sort();
  };
  assert.deepEqual(found(), names.map(cveOf));
  assert.deepEqual(found('--vex', 'csaf.json'), [cveOf('third')]);
});
