/**
 * How long 1,000 packages take against 250,000 advisories: the real records under WAYBILL_SHARED, padded with
 * synthetic ones, which the output says. Warm: open the database and match, in a process that did it before. Cold:
 * the published command line from nothing, in turns with a Node process that does nothing. The recall of the same run
 * is printed beside the times. Last line: `{"bench":"scan","ratios":{…},"pass":…}`.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cycloneDxBytes } from '#formats/cyclonedx';
import type { OsvRecord } from '#formats/osv';
import { packageId, type Sbom, type SbomPackage } from '#formats/sbom';
import { buildDatabase, loadDatabase, loadRecords, matchPackages } from '#scan';
import { commandLine } from '../build/command-line.ts';
import { type Program, run, usageOf } from './lib/processes.ts';
import { median, quantile, report } from './lib/report.ts';

const ADVISORIES = 250_000;
const PACKAGES = 1_000;
const ROUNDS = { least: 7, most: 40, untilMs: 60_000 };
const GATES = { warmMs: 250, coldMs: 600 };

const shared = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'advisories');
const types: Readonly<Record<string, string>> = {
  Go: 'golang',
  PyPI: 'pypi',
  npm: 'npm',
  'crates.io': 'cargo',
  Packagist: 'composer',
};

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

/**
 * A third real packages of every ecosystem at the last release a record lists, a third padded ones that are affected,
 * a third unheard of.
 */
function workload(records: readonly OsvRecord[]): Workload {
  const expected = new Set<string>();
  const packages = new Map<string, SbomPackage>();
  const third = Math.floor(PACKAGES / 3);
  const usable = records.flatMap((record) => {
    const affected = record.affected.find(
      ({ ecosystem, versions }) => types[ecosystem] && versions.length > 0,
    );
    return affected === undefined ? [] : [{ record, affected }];
  });
  const step = Math.max(1, Math.floor(usable.length / third));
  for (let at = 0; at < usable.length && packages.size < third; at += step) {
    const { record, affected } = usable[at] as (typeof usable)[number];
    const version = affected.versions.at(-1) as string;
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

/** In a process that did it before. */
function warm(
  file: string,
  sbom: Sbom,
): { openMs: number; ms: number; cpuMs: number; found: ReadonlySet<string> } {
  const before = process.cpuUsage();
  const start = performance.now();
  const database = loadDatabase(file);
  const opened = performance.now();
  const result = matchPackages(sbom, database);
  const end = performance.now();
  const { user, system } = process.cpuUsage(before);
  database.close();
  const found = result.findings.flatMap((one) => one.advisories.map((id) => `${id} ${one.package.name}`));
  return { openMs: opened - start, ms: end - start, cpuMs: (user + system) / 1000, found: new Set(found) };
}

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-scan-'));
try {
  const real = await realRecords();
  const padding = Math.max(0, ADVISORIES - real.length);
  const pad = join(folder, 'padding.jsonl');
  writeFileSync(pad, Array.from({ length: padding }, (_, i) => JSON.stringify(synthetic(i))).join('\n'));
  const file = join(folder, 'advisories.db');
  await buildDatabase(real.length === 0 ? [pad] : [shared, pad], file, { builtMs: 0 });
  const { sbom, expected } = workload(real);
  const document = join(folder, 'sbom.json');
  writeFileSync(document, cycloneDxBytes(sbom, { createdMs: 0 }));
  await commandLine(join(folder, 'dist'), '0.0.0');
  const home = join(folder, 'home');
  mkdirSync(join(home, '.cache'), { recursive: true, mode: 0o700 });
  const env = { HOME: home, PATH: process.env['PATH'] ?? '' };
  const node = (args: readonly string[]): Program => ({ command: process.execPath, args, cwd: folder, env });
  writeFileSync(join(folder, 'empty.cjs'), '');
  const words = ['scan', `sbom:${document}`, '--db', file, '-o', `json=${join(folder, 'out.json')}`];
  const command = node([join(folder, 'dist', 'bin', 'waybill'), ...words, '--quiet']);
  const empty = node(['empty.cjs']);

  const cpu: number[] = [];
  const ms = { open: [] as number[], warm: [] as number[], cold: [] as number[], empty: [] as number[] };
  let found: ReadonlySet<string> = new Set();
  for (let round = 0; round < 3; round++) found = warm(file, sbom).found;
  // The first run keeps its compiled code for those after it.
  for (let round = 0; round < 2; round++) await run(command);
  const start = performance.now();
  for (let round = 0; round < ROUNDS.most; round++) {
    if (round >= ROUNDS.least && performance.now() - start > ROUNDS.untilMs) break;
    const once = warm(file, sbom);
    ms.open.push(once.openMs);
    ms.warm.push(once.ms);
    cpu.push(once.cpuMs);
    ms.cold.push((await run(command)).ms);
    ms.empty.push((await run(empty)).ms);
  }
  const missed = [...expected].filter((one) => !found.has(one));
  const size = (statSync(file).size / 1e6).toFixed(1);
  console.log(`${real.length} real advisories, ${padding} synthetic ones (padding); file of ${size} MB`);
  console.log(
    `${sbom.packages.length} packages, ${found.size} findings, recall ${expected.size - missed.length} of ${expected.size}`,
  );
  const names = { open: 'open', warm: 'open and match', cold: 'process', empty: 'empty process' };
  for (const [name, list] of Object.entries(ms)) {
    const quick = quantile(list, 0.1).toFixed(1);
    console.log(
      `${names[name as keyof typeof names].padEnd(14)} ${median(list).toFixed(1)} ms, quickest tenth ${quick} ms`,
    );
  }
  const { cpuMs, peakMb } = await usageOf(command, folder);
  console.log(
    `processor time: open and match ${median(cpu).toFixed(0)} ms, process ${cpuMs.toFixed(0)} ms; peak ${peakMb.toFixed(0)} MB`,
  );
  const share = (list: readonly number[], gate: number): number => Number((median(list) / gate).toFixed(2));
  const ratios = {
    'warm, of 250 ms': share(ms.warm, GATES.warmMs),
    'process, of 600 ms': share(ms.cold, GATES.coldMs),
    'warm ms, quickest tenth': Math.round(quantile(ms.warm, 0.1)),
    'process ms, quickest tenth': Math.round(quantile(ms.cold, 0.1)),
  };
  for (const one of missed.slice(0, 5)) console.log(`  missed ${one}`);
  report(
    'scan',
    ratios,
    median(ms.warm) <= GATES.warmMs && median(ms.cold) <= GATES.coldMs && missed.length === 0,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
