/** The command lines of Grype and Trivy, as scripts use them: documents, exit codes, refused flags. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'waybill-scan-compat-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function waybill(...args: readonly string[]): Ran {
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    NO_COLOR: '1',
    WAYBILL_DB: 'a.db',
    SOURCE_DATE_EPOCH: '0',
  };
  const ran = spawnSync(resolve('bin/waybill'), args, { encoding: 'utf8', cwd: folder, env });
  return { code: ran.status, out: ran.stdout, err: ran.stderr };
}

const affected = (name: string, severity: string, fixed?: string): object => ({
  id: `GHSA-${name}`,
  aliases: [`CVE-2024-000${name.length}`],
  summary: `about ${name}`,
  database_specific: { severity },
  affected: [
    {
      package: { ecosystem: 'npm', name },
      ranges: [
        { type: 'SEMVER', events: [{ introduced: '0' }, ...(fixed === undefined ? [] : [{ fixed }])] },
      ],
    },
  ],
});

before(() => {
  const records = [
    affected('high', 'HIGH', '2.0.0'),
    affected('lo', 'LOW'),
    affected('x', 'MODERATE', '3.0.0'),
  ];
  writeFileSync(join(folder, 'a.json'), JSON.stringify(records));
  assert.equal(waybill('db', 'build', 'a.json', '--out', 'a.db').code, 0);
  const components = ['high', 'lo', 'x'].map((name) => ({
    type: 'library',
    name,
    version: '1.0.0',
    purl: `pkg:npm/${name}@1.0.0`,
  }));
  const metadata = { component: { type: 'container', name: 'app' } };
  writeFileSync(
    join(folder, 's.json'),
    JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', metadata, components }),
  );
  writeFileSync(join(folder, '.trivyignore'), 'CVE-2024-0004\n');
  writeFileSync(join(folder, '.grype.yaml'), 'ignore:\n  - vulnerability: GHSA-high\n');
});

test('an SBOM comes from standard input too, with the same verdict', () => {
  const env = { PATH: process.env['PATH'], HOME: folder, NO_COLOR: '1', WAYBILL_DB: 'a.db' };
  const input = readFileSync(join(folder, 's.json'));
  const piped = (...words: string[]): number | null =>
    spawnSync(resolve('bin/waybill'), words, { cwd: folder, env, input }).status;
  assert.equal(piped('scan', 'sbom:-', '--fail-on', 'high'), 2);
  assert.equal(piped('grype', 'sbom:-', '--fail-on', 'high'), 2);
  assert.equal(piped('scan', 'sbom:-', '--fail-on', 'critical'), 0);
});

test('grype: the threshold of a configuration counts, and a setting that chooses findings is never dropped', () => {
  const config = join(folder, 'set');
  mkdirSync(config, { recursive: true });
  const with_ = (text: string, ...more: string[]): number | null => {
    writeFileSync(join(config, '.grype.yaml'), text);
    return waybill('grype', 'sbom:s.json', '-c', join(config, '.grype.yaml'), ...more).code;
  };
  assert.equal(with_('fail-on-severity: high\n'), 2);
  assert.equal(with_('fail-on-severity: high\n', '--fail-on', 'critical'), 0);
  assert.equal(with_('fail-on-severity: ""\nonly-fixed: false\nexclude: []\nlog: {level: warn}\n'), 0);
  for (const text of ['only-fixed: true\n', 'exclude: ["/app"]\n', 'ignores: []\n', 'fail-on-severity: hi\n'])
    assert.equal(with_(text), 1, text);
});

test('grype: the threshold decides between 0 and 2, documents go where they are told', () => {
  assert.equal(waybill('grype', 'sbom:s.json').code, 0);
  assert.equal(waybill('grype', 'sbom:s.json', '--fail-on', 'high').code, 2);
  assert.equal(waybill('grype', 'sbom:s.json', '--fail-on', 'critical').code, 0);
  assert.equal(waybill('grype', 'sbom:s.json', '-f', 'Negligible').code, 2);
  const ran = waybill(
    'grype',
    'sbom:s.json',
    '-o',
    'table',
    '-o',
    'json=g.json',
    '-o',
    'sarif=g.sarif',
    '-q',
  );
  assert.match(ran.out, /^NAME\s+INSTALLED\s+FIXED IN\s+TYPE\s+VULNERABILITY\s+SEVERITY/);
  assert.match(ran.out, /^high\s+1\.0\.0\s+2\.0\.0\s+npm\s+CVE-2024-0004\s+High/m);
  const { matches } = JSON.parse(readFileSync(join(folder, 'g.json'), 'utf8')) as {
    matches: { vulnerability: { id: string; fix: { state: string } }; artifact: { name: string } }[];
  };
  assert.deepEqual(
    matches
      .map((one) => `${one.vulnerability.id} ${one.artifact.name} ${one.vulnerability.fix.state}`)
      .sort(),
    ['GHSA-high high fixed', 'GHSA-lo lo not-fixed', 'GHSA-x x fixed'],
  );
  assert.ok(existsSync(join(folder, 'g.sarif')));
});

test('grype: states, ignore rules and its configuration count before the threshold', () => {
  const count = (...args: readonly string[]): number => {
    const { out } = waybill('grype', 'sbom:s.json', '-o', 'json', ...args);
    return (JSON.parse(out) as { matches: unknown[] }).matches.length;
  };
  assert.equal(count('--only-fixed'), 2);
  assert.equal(count('--only-notfixed'), 1);
  assert.equal(count('--ignore-states', 'not-fixed,wont-fix'), 2);
  assert.equal(count('-c', '.grype.yaml'), 2);
  assert.equal(waybill('grype', 'sbom:s.json', '-c', '.grype.yaml', '--fail-on', 'high').code, 0);
});

test('trivy: severities choose what counts, the exit code is the one asked for', () => {
  assert.equal(waybill('trivy', 'sbom', 's.json').code, 0);
  assert.equal(waybill('trivy', 'sbom', 's.json', '--exit-code', '5').code, 5);
  const high = ['trivy', 'sbom', 's.json', '--severity', 'HIGH,CRITICAL', '--exit-code', '1'];
  assert.equal(waybill(...high).code, 1);
  assert.match(waybill(...high).out, /^Total: 1 \(HIGH: 1, CRITICAL: 0\)$/m);
  assert.equal(waybill(...high, '--ignorefile', '.trivyignore').code, 0);
  assert.match(
    waybill('trivy', 'sbom', 's.json', '--severity', 'LOW,HIGH').out,
    /^Total: 2 \(LOW: 1, HIGH: 1\)$/m,
  );
  assert.match(waybill('trivy', 'sbom', 's.json', '--ignore-unfixed').out, /^Total: 2 /m);
  assert.match(waybill('trivy', 'sbom', 's.json', '--pkg-types', 'os').out, /^Total: 0 /m);
});

test('names of others move no cursor in the tables of either tool', () => {
  const name = 'x\u001b]0;title\u0007\u202e';
  const purl = 'pkg:npm/high@1.0.0%1B%5B2J';
  const components = [{ type: 'library', name: 'high', version: '1.0.0\u001b[2J', purl }];
  const metadata = { component: { type: 'container', name } };
  const document = { bomFormat: 'CycloneDX', specVersion: '1.6', metadata, components };
  writeFileSync(join(folder, 'odd.json'), JSON.stringify(document));
  for (const words of [
    ['trivy', 'sbom', 'odd.json'],
    ['grype', 'sbom:odd.json'],
    ['scan', 'sbom:odd.json'],
  ]) {
    const { out, err } = waybill(...words);
    assert.doesNotMatch(out + err, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/, words.join(' '));
  }
});

test('trivy: reports have its form, and are filtered as it filters', () => {
  const ran = waybill(
    'trivy',
    'sbom',
    '-f',
    'json',
    '--severity',
    'HIGH',
    '--skip-db-update',
    '-q',
    's.json',
  );
  const { Results } = JSON.parse(ran.out) as {
    Results: { Vulnerabilities: { VulnerabilityID: string; Severity: string; Status: string }[] }[];
  };
  assert.deepEqual(
    Results.flatMap((one) => one.Vulnerabilities).map(
      (one) => `${one.VulnerabilityID} ${one.Severity} ${one.Status}`,
    ),
    ['CVE-2024-0004 HIGH fixed'],
  );
  assert.equal(waybill('trivy', 'sbom', '--format', 'cosign-vuln', '-o', 'v.json', 's.json').code, 0);
  const predicate = JSON.parse(readFileSync(join(folder, 'v.json'), 'utf8')) as {
    scanner: { result: { SchemaVersion: number } };
  };
  assert.equal(predicate.scanner.result.SchemaVersion, 2);
});

test('folders are read in the words of syft and grype; trivy has other verbs for them', () => {
  const app = join(folder, 'app');
  mkdirSync(app, { recursive: true });
  writeFileSync(join(app, 'package.json'), '{"name":"in-a-folder","version":"1.0.0"}');
  assert.match(waybill('syft', `dir:${app}`, '-o', 'purls').out, /pkg:npm\/in-a-folder@1\.0\.0/);
  assert.equal(waybill('grype', `dir:${app}`).code, 0);
  assert.match(waybill('trivy', 'image', `dir:${app}`).err, /WB-1310/);
});

test('what is not translated is refused by name, with the exit code of the tool', () => {
  for (const [words, name] of [
    [['grype', 'sbom:s.json', '--add-cpes-if-none'], '--add-cpes-if-none'],
    [['grype', 'sbom:s.json', '-o', 'template'], '-o template'],
    [['grype', 'sbom:s.json', '--fail-on', 'severe'], '--fail-on severe'],
    [['grype', 'singularity:app'], 'singularity:app'],
    [['trivy', 'sbom', 's.json', '--compliance', 'x'], '--compliance'],
    [['trivy', 'sbom', 's.json', '--scanners', 'secret'], '--scanners secret'],
    [['trivy', 'sbom', 's.json', '--exit-code', 'many'], '--exit-code many'],
    [['trivy', 'sbom', 's.json', '--severity', 'SEVERE'], '--severity SEVERE'],
  ] as const) {
    const ran = waybill(...words);
    assert.ok(ran.err.includes(name), `${words.join(' ')}: ${ran.err}`);
    assert.notEqual(ran.code, 0, words.join(' '));
    assert.equal(ran.out, '', words.join(' '));
  }
});

test('the same scan gives the same bytes in another time zone and another order of components', () => {
  const sbom = JSON.parse(readFileSync(join(folder, 's.json'), 'utf8')) as { components: unknown[] };
  writeFileSync(
    join(folder, 'r.json'),
    JSON.stringify({ ...sbom, components: sbom.components.toReversed() }),
  );
  const bytes = (file: string, zone: string, format: string): string => {
    const env = {
      PATH: process.env['PATH'],
      HOME: folder,
      TZ: zone,
      WAYBILL_DB: 'a.db',
      SOURCE_DATE_EPOCH: '0',
    };
    return spawnSync(resolve('bin/waybill'), ['scan', `sbom:${file}`, '-o', format], {
      encoding: 'utf8',
      cwd: folder,
      env,
    }).stdout;
  };
  for (const format of ['json', 'sarif', 'cyclonedx-vex', 'junit', 'grype-json']) {
    const first = bytes('s.json', 'UTC', format);
    assert.ok(first.length > 100, format);
    assert.equal(bytes('r.json', 'Pacific/Auckland', format), first, format);
  }
});
