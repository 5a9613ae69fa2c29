/**
 * How long 1,000 packages take against 250,000 advisories: the real records under WAYBILL_SHARED, padded with
 * synthetic ones, which the output says. Warm: open the database and match, in a process that did it before. Cold:
 * the command line from nothing. The recall of the same run is printed beside the times.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { cycloneDxBytes } from '#formats/cyclonedx';
import type { OsvRecord } from '#formats/osv';
import { packageId, type Sbom, type SbomPackage } from '#formats/sbom';
import { loadDatabase, loadRecords, matchPackages } from '#scan';

const ADVISORIES = 250_000;
const PACKAGES = 1_000;
const ROUNDS = 9;
const GATES = { warmMs: 250, coldMs: 600 };

const shared = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'advisories');
const types: Readonly<Record<string, string>> = {
  Go: 'golang',
  PyPI: 'pypi',
  npm: 'npm',
  'crates.io': 'cargo',
  Packagist: 'composer',
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

async function realRecords(): Promise<readonly OsvRecord[]> {
  if (!existsSync(shared)) return [];
  const names = readdirSync(shared).filter((name) => name.endsWith('.zst'));
  return (await loadRecords(names.map((name) => join(shared, name)))).records;
}

const synthetic = (i: number): object => ({
  id: `GHSA-pad-${i.toString(36).padStart(6, '0')}`,
  aliases: [`CVE-2099-${100_000 + i}`],
  modified: '2026-01-01T00:00:00Z',
  summary: `synthetic advisory ${i} that pads the database`,
  severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N' }],
  affected: [
    {
      package: { ecosystem: i % 2 === 0 ? 'npm' : 'PyPI', name: `padding-${i % 100_000}` },
      ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: `1.${i % 50}.0` }] }],
    },
  ],
});

function packageOf(type: string, name: string, version: string): SbomPackage {
  const purl = `pkg:${type}/${name.replace(/^@/, '%40')}@${encodeURIComponent(version)}`;
  const id = packageId(type, name, version, purl, 'bench');
  return { id, type, name, version, purl, foundBy: 'bench', locations: [], licenses: [], dependsOn: [] };
}

interface Workload {
  readonly sbom: Sbom;
  /** `id name` that must be found. */
  readonly expected: ReadonlySet<string>;
}

/** A third real packages at the last release a record lists, a third padded ones that are affected, a third unheard of. */
function workload(records: readonly OsvRecord[]): Workload {
  const expected = new Set<string>();
  const packages = new Map<string, SbomPackage>();
  const third = Math.floor(PACKAGES / 3);
  for (const record of records) {
    if (packages.size >= third) break;
    const affected = record.affected.find(
      (one) => types[one.ecosystem] !== undefined && one.versions[0] !== undefined,
    );
    const version = affected?.versions.at(-1);
    if (affected === undefined || version === undefined) continue;
    const one = packageOf(types[affected.ecosystem] as string, affected.name, version);
    packages.set(one.id, one);
    expected.add(`${record.id} ${one.name}`);
  }
  for (let i = 0; i < third; i++) {
    const at = i * 277;
    const one = packageOf(at % 2 === 0 ? 'npm' : 'pypi', `padding-${at % 100_000}`, '0.1.0');
    packages.set(one.id, one);
    if (at % 50 !== 0) expected.add(`GHSA-pad-${at.toString(36).padStart(6, '0')} ${one.name}`);
  }
  for (let i = 0; packages.size < PACKAGES; i++) {
    const one = packageOf('npm', `unheard-of-${i}`, `1.${i}.0`);
    packages.set(one.id, one);
  }
  const tool = { name: 'waybill', version: '0' };
  const sbom = {
    subject: { name: 'bench' },
    packages: [...packages.values()],
    layers: [],
    unknowns: [],
    tool,
  };
  return { sbom, expected };
}

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-scan-'));
try {
  const real = await realRecords();
  const padding = Math.max(0, ADVISORIES - real.length);
  const pad = join(folder, 'padding.jsonl');
  writeFileSync(pad, Array.from({ length: padding }, (_, i) => JSON.stringify(synthetic(i))).join('\n'));
  const file = join(folder, 'advisories.db');
  const sources = real.length === 0 ? [pad] : [shared, pad];
  const built = spawnSync(resolve('bin/waybill'), ['db', 'build', ...sources, '--out', file], {
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(built.stderr);
  const { sbom, expected } = workload(real);
  const document = join(folder, 'sbom.json');
  writeFileSync(document, cycloneDxBytes(sbom, { createdMs: 0 }));

  const loads: number[] = [];
  const warm: number[] = [];
  const cold: number[] = [];
  let found = new Set<string>();
  for (let round = -2; round < ROUNDS; round++) {
    const start = performance.now();
    const database = loadDatabase(file);
    const loaded = performance.now();
    const result = matchPackages(sbom, database);
    const end = performance.now();
    database.close();
    found = new Set(
      result.findings.flatMap((one) => one.advisories.map((id) => `${id} ${one.package.name}`)),
    );
    const from = performance.now();
    const ran = spawnSync(resolve('bin/waybill'), ['scan', `sbom:${document}`, '--db', file, '-o', 'json'], {
      maxBuffer: 1 << 28,
    });
    if (ran.status !== 0) throw new Error(String(ran.stderr));
    if (round < 0) continue;
    loads.push(loaded - start);
    warm.push(end - start);
    cold.push(performance.now() - from);
  }
  const missed = [...expected].filter((one) => !found.has(one));
  const [loadMs, warmMs, coldMs] = [median(loads), median(warm), median(cold)];
  const size = (statSync(file).size / 1e6).toFixed(1);
  console.log(`${real.length} real advisories, ${padding} synthetic ones (padding); file of ${size} MB`);
  console.log(
    `${sbom.packages.length} packages, ${found.size} findings, recall ${expected.size - missed.length}/${expected.size}`,
  );
  console.log(
    `open ${loadMs.toFixed(1)} ms, open and match ${warmMs.toFixed(1)} ms, process ${coldMs.toFixed(0)} ms`,
  );
  const ratios = {
    warmToGate: Number((warmMs / GATES.warmMs).toFixed(3)),
    coldToGate: Number((coldMs / GATES.coldMs).toFixed(3)),
  };
  const pass = warmMs <= GATES.warmMs && coldMs <= GATES.coldMs && missed.length === 0;
  for (const one of missed.slice(0, 5)) console.log(`  missed ${one}`);
  console.log(JSON.stringify({ bench: 'scan', ratios, pass }));
  process.exitCode = pass ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
