/**
 * Verdicts compared with real Grype on the same records: the Go vulnerability database as OSV files, written into
 * Grype's own format with its own library, and an SBOM of modules at and around the bounds of every range.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { requirePeer } from './cache.ts';
import { taken } from './verdict-world.ts';

const grype = requirePeer('grype');
const grypedb = requirePeer('grypedb');
const data = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'advisories/golang-vulndb.jsonl.zst');
if (!existsSync(data)) throw new Error(`${data} is absent: the comparison with Grype has no records`);

const folder = mkdtempSync(join(tmpdir(), 'waybill-grype-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

/** Grype needs a minute for a thousand modules with their findings. */
const ONE_IN = 20;

interface Osv {
  readonly id: string;
  readonly withdrawn?: string;
  readonly affected?: readonly {
    readonly package: { readonly name: string };
    readonly ranges?: readonly {
      readonly events: readonly { readonly introduced?: string; readonly fixed?: string }[];
    }[];
  }[];
}

interface Key {
  readonly id: string;
  readonly name: string;
  readonly version: string;
}

const text = ({ id, name, version }: Key): string => `${id} ${name} ${version}`;

const env = {
  ...process.env,
  GRYPE_DB_CACHE_DIR: at('cache'),
  GRYPE_DB_AUTO_UPDATE: 'false',
  GRYPE_DB_VALIDATE_AGE: 'false',
  GRYPE_CHECK_FOR_APP_UPDATE: 'false',
  XDG_CACHE_HOME: at('xdg'),
  WAYBILL_DB: at('waybill.db'),
};

function run(program: string, ...args: readonly string[]): string {
  const ran = spawnSync(program, args, { encoding: 'utf8', env, cwd: folder, maxBuffer: 1 << 30 });
  assert.ok(ran.status === 0 || ran.status === 2, `${program} ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout;
}

/** Every bound of every range, one below a fix and one above it. */
function versionsOf(record: Osv): [string, string][] {
  return (record.affected ?? []).flatMap(({ package: { name }, ranges = [] }) =>
    ranges.flatMap(({ events }) =>
      events.flatMap(({ introduced, fixed }): [string, string][] => {
        if (introduced !== undefined) return [[name, introduced === '0' ? '0.0.1' : introduced]];
        if (fixed === undefined) return [];
        const match = /^(\d+)\.(\d+)\.(\d+)$/.exec(fixed);
        const [, major, minor, patch] = match ?? [];
        const above: [string, string][] =
          match === null ? [] : [[name, `${major}.${minor}.${Number(patch) + 1}`]];
        const below: [string, string][] =
          patch === undefined || patch === '0' ? [] : [[name, `${major}.${minor}.${Number(patch) - 1}`]];
        return [[name, fixed], ...above, ...below];
      }),
    ),
  );
}

before(() => {
  mkdirSync(at('osv'));
  const packages = new Map<string, [string, string]>();
  const lines = zstdDecompressSync(readFileSync(data)).toString().trim().split('\n');
  for (const line of lines.filter((_, i) => taken(ONE_IN, i))) {
    const record = JSON.parse(line) as Osv;
    if (record.withdrawn !== undefined) continue;
    writeFileSync(join(at('osv'), `${record.id}.json`), line);
    for (const [name, version] of versionsOf(record)) packages.set(`${name}@${version}`, [name, version]);
  }
  const components = [...packages.values()].map(([name, version], i) => ({
    type: 'library',
    'bom-ref': String(i),
    name,
    version: `v${version}`,
    purl: `pkg:golang/${name}@v${encodeURIComponent(version)}`,
  }));
  const metadata = { component: { type: 'container', 'bom-ref': 'root', name: 'app', version: 'sha256:0' } };
  const bom = { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, metadata, components };
  writeFileSync(at('sbom.json'), JSON.stringify(bom));
  run(grypedb, at('osv'), at('db'), '1000');
  run(grype, 'db', 'import', join(at('db'), 'vulnerability.db'));
  run(resolve('bin/waybill'), 'db', 'build', at('osv'), '--out', at('waybill.db'));
});

interface Report {
  readonly matches: readonly {
    readonly vulnerability: { readonly id: string };
    readonly artifact: { readonly name: string; readonly version: string };
  }[];
}

/** The tool that writes Grype's database numbers the entries of a record after the first: `GO-1#2`. */
function keysOf(json: string): Map<string, Key> {
  const { matches } = JSON.parse(json) as Report;
  return new Map(
    matches.map(({ vulnerability, artifact }) => {
      const id = /^GO-\d{4}-\d+/.exec(vulnerability.id)?.[0] ?? vulnerability.id;
      const key = { id, name: artifact.name, version: artifact.version };
      return [text(key), key];
    }),
  );
}

function ours(...args: readonly string[]): Map<string, Key> {
  const json = run(resolve('bin/waybill'), 'scan', 'sbom:sbom.json', '-o', 'json', ...args);
  const { findings } = JSON.parse(json) as {
    findings: { advisories: string[]; package: { name: string; version: string } }[];
  };
  const keys = findings.flatMap(({ advisories, package: { name, version } }) =>
    advisories.map((id): Key => ({ id, name, version })),
  );
  return new Map(keys.map((key) => [text(key), key]));
}

const theirs = (...args: readonly string[]): Map<string, Key> =>
  keysOf(run(grype, 'sbom:sbom.json', '-o', 'json', '-q', ...args));

function compare(mine: Map<string, Key>, other: Map<string, Key>): void {
  const only = (from: Map<string, Key>, against: Map<string, Key>): string[] =>
    [...from.keys()].filter((key) => !against.has(key)).slice(0, 20);
  const shared = [...mine.keys()].filter((key) => other.has(key)).length;
  console.log(`${mine.size} of waybill, ${other.size} of Grype, ${shared} in both`);
  assert.deepEqual(
    { onlyMine: only(mine, other), onlyTheirs: only(other, mine) },
    { onlyMine: [], onlyTheirs: [] },
  );
}

test('waybill and Grype find the same at and around every bound of the Go vulnerability database', () => {
  const mine = ours();
  assert.ok(mine.size > 400, String(mine.size));
  compare(mine, theirs());
});

test('a VEX document takes the same off both lists', () => {
  const [first] = ours().values();
  assert.ok(first !== undefined);
  const statement = {
    vulnerability: { name: first.id },
    products: [{ '@id': `pkg:golang/${first.name}@${first.version}` }],
    status: 'not_affected',
    justification: 'vulnerable_code_not_present',
  };
  const document = {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': 'urn:test',
    author: 'test',
    timestamp: '2026-01-01T00:00:00Z',
    version: 1,
    statements: [statement],
  };
  writeFileSync(at('vex.json'), JSON.stringify(document));
  const mine = ours('--vex', 'vex.json');
  assert.ok(!mine.has(text(first)));
  compare(mine, theirs('--vex', 'vex.json'));
});

test('rules of .grype.yaml take the same off both lists', () => {
  const [first] = ours().values();
  assert.ok(first !== undefined);
  writeFileSync(
    at('.grype.yaml'),
    `ignore:\n  - vulnerability: ${first.id}\n  - package: {name: "golang.org/x/.*"}\n  - {fix-state: not-fixed, package: {type: go-module, name: "k8s.io/kubernetes"}}\n`,
  );
  compare(ours('--ignore-file', '.grype.yaml'), theirs('-c', '.grype.yaml'));
});
