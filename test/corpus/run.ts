/**
 * `npm run corpus`: every case of the attack corpus through every door, then mutants of every accepted bundle.
 *
 *     -- --class BND        one station        -- --case CRT-12      one row, or CRT-12.2 for one case
 *     -- --mutants 100000   how many mutants   -- --seed 7           which of them
 *
 * Ends with `N passed, N failed`; exit 1 when something failed or nothing ran.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Case, faultsOf, readCases, stations } from './case.ts';
import { runChildren } from './children.ts';
import { cliFile, cliImage } from './cli-door.ts';
import { type Failure, runMutants } from './generators/run.ts';
import { type DoorName, type Finding, judgeCase, memoryDoors } from './judge.ts';

const MUTANTS = 5000;
const SEED = 20_260_601;

const { values } = parseArgs({
  options: {
    class: { type: 'string' },
    case: { type: 'string' },
    mutants: { type: 'string' },
    seed: { type: 'string' },
  },
});

let passed = 0;
let failed = 0;

/** Many small files with a sync each: memory where the system has a file system in it. */
const place = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'waybill-corpus-'));
let folders = 0;
const folderOf = (): string => join(place, `${++folders}`);

function wanted(item: Case): boolean {
  if (values.class !== undefined && item.station !== values.class) return false;
  const { case: one } = values;
  return one === undefined || item.id === one || item.row === one;
}

const doorNames: readonly DoorName[] = ['library', 'digest', 'admission', 'cli image', 'cli file', 'room'];
const all = readCases();
const chosen = all.filter(wanted);

async function runCases(): Promise<void> {
  for (const fault of faultsOf(all)) {
    failed++;
    console.log(`FAILED data: ${fault}`);
  }
  const doors = { ...memoryDoors, 'cli image': cliImage(folderOf), 'cli file': cliFile(folderOf) };
  const findings: (Finding & { readonly station: string })[] = [];
  for (const item of chosen) {
    const found = await judgeCase(item, doors);
    findings.push(...found.map((finding) => ({ ...finding, station: item.station })));
    for (const { door, fault } of found) {
      if (fault !== undefined) console.log(`FAILED ${item.id} ${item.title} (${door}): ${fault}`);
    }
  }
  printTable(findings);
  passed += findings.filter(({ fault, missing }) => fault === undefined && missing === undefined).length;
  failed += findings.filter(({ fault }) => fault !== undefined).length;
}

function printTable(findings: readonly (Finding & { readonly station: string })[]): void {
  console.log(['class', 'cases', ...doorNames].map((word) => word.padEnd(10)).join(''));
  for (const station of stations) {
    const ours = findings.filter((finding) => finding.station === station);
    if (ours.length === 0) continue;
    const cells = doorNames.map((door) => {
      const here = ours.filter((finding) => finding.door === door && finding.missing === undefined);
      const bad = here.filter(({ fault }) => fault !== undefined).length;
      return bad === 0 ? `${here.length}` : `${here.length - bad}/${here.length}`;
    });
    const cases = new Set(ours.map(({ id }) => id)).size;
    console.log([station, `${cases}`, ...cells].map((word) => word.padEnd(10)).join(''));
  }
  const unasked = Map.groupBy(
    findings.filter(({ missing }) => missing !== undefined),
    ({ door, missing }) => `${door}: ${missing}`,
  );
  for (const [what, list] of unasked) console.log(`not asked at the ${what} (${list.length})`);
}

async function mutate(count: number): Promise<void> {
  const seed = Number(values.seed ?? SEED);
  const started = Date.now();
  const progress = (judged: number): void => console.log(`  ${judged} of ${count}`);
  const tally = await runMutants({ count, seed, progress });
  const machines = [...tally.byMachine].map(([name, number]) => `${name} ${number}`).join(', ');
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`mutants: ${tally.judged} (seed ${seed}, ${seconds} s): ${machines}`);
  console.log(
    `  refused ${tally.refused}: ${[...tally.byClass].map(([name, n]) => `${name} ${n}`).join(', ')}`,
  );
  console.log(`  accepted by a rule ${tally.explained}, unexplained ${tally.failures.length}`);
  for (const [why, number] of tally.byRule) console.log(`    ${number}: ${why}`);
  tally.failures.forEach(keep);
  passed += tally.refused + tally.explained;
  failed += tally.failures.length;
}

/** Writes what failed where it can be looked at. */
function keep(failure: Failure, index: number): void {
  const folder = join(tmpdir(), 'waybill-corpus-failures', `${index}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'bundle.sigstore.json'), JSON.stringify(failure.bundle, null, 2));
  writeFileSync(join(folder, 'artifact'), failure.exhibit.artifact);
  writeFileSync(join(folder, 'trusted_root.json'), failure.exhibit.trustedRoot);
  writeFileSync(join(folder, 'ask.json'), JSON.stringify(failure.exhibit.ask, null, 2));
  console.log(`FAILED mutant of ${failure.sample}: ${failure.mutant}: ${failure.what} (kept in ${folder})`);
}

try {
  await runCases();
  if (values.class === undefined && values.case === undefined) {
    const children = await runChildren(chosen, folderOf);
    for (const { id, fault } of children) {
      if (fault !== undefined) console.log(`FAILED ${id} (child process): ${fault}`);
    }
    console.log(`real processes: ${children.length}`);
    passed += children.filter(({ fault }) => fault === undefined).length;
    failed += children.filter(({ fault }) => fault !== undefined).length;
    await mutate(Number(values.mutants ?? MUTANTS));
  } else if (values.mutants !== undefined) await mutate(Number(values.mutants));
} finally {
  rmSync(place, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
