/**
 * `npm run mutation [-- TARGET…] [--near] [--every N] [--list]`: takes every check of the verifier away, one at a time, and
 * asks the tests. A target is a file of the core (`chain`, `formats/sct`) or a room (`verify`, `formats`, `base`);
 * none: all. `--near` asks only the tests of the room, which is quicker. One line a target with its counts, and `N killed, N survived (reviewed), N failed` at the end; a
 * survivor nobody reviewed, and a review of a check that is noticed or no longer there, fail the run.
 */
import { parseArgs } from 'node:util';
import { discard, type Outcome, runMutants, snapshot } from './mutation.ts';
import { reviewed } from './reviewed.ts';
import type { SourceMutant } from './sites.ts';
import { mutantsIn, targets, testFiles } from './targets.ts';

/** Tests that take longer are not asked. */
const TEST_MS_MAX = 400;
/** A mutant that takes longer does not end. */
const MUTANT_MS_MAX = 600_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
    near: { type: 'boolean', default: false },
  },
});
const every = Number(values.every);
if (!Number.isInteger(every) || every < 1)
  stop(`--every: expected a count of at least 1, actual ${values.every}`);
const chosen = targets.filter(
  ({ file }) => positionals.length === 0 || positionals.some((name) => isOf(file, name)),
);
for (const name of positionals) {
  if (chosen.some(({ file }) => isOf(file, name))) continue;
  stop(`unknown target ${name}; known: ${targets.map(({ file }) => nameOf(file)).join(', ')}`);
}
const folder = snapshot();
process.on('exit', () => discard(folder));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const mutants = new Map(
  chosen.map((target) => [target.file, mutantsIn(folder, target).filter((_, index) => index % every === 0)]),
);
const everything = [...mutants.values()].flat();
if (values.list) {
  for (const { line, key } of everything) console.log(`${line} ${key}`);
  console.log(`${everything.length} checks`);
} else await mutate();

function stop(why: string): never {
  console.error(why);
  process.exit(3);
}

function nameOf(file: string): string {
  return file.slice('src/'.length, -'.ts'.length);
}

/** `verify/sct` is the target `verify/sct`, `sct` and `verify`. */
function isOf(file: string, target: string): boolean {
  return nameOf(file) === target || nameOf(file).split('/').includes(target);
}

async function mutate(): Promise<void> {
  console.log(`mutation: ${everything.length} checks in ${chosen.length} targets`);
  const started = performance.now();
  const limits = { testMsMax: TEST_MS_MAX, mutantMsMax: MUTANT_MS_MAX };
  const outcomes: Outcome[] = [];
  const settle = (outcome: Outcome): void => {
    outcomes.push(outcome);
    tell(outcome);
    const { file } = outcome.mutant;
    const done = outcomes.filter(({ mutant }) => mutant.file === file);
    if (done.length === mutants.get(file)?.length) console.log(`${file}: ${countsText(done)}`);
  };
  // First the tests of the room, together for targets that share them.
  for (const [tests, list] of Map.groupBy(chosen, (target) => target.tests)) {
    const asked = list.flatMap(({ file }) => mutants.get(file) ?? []);
    const left: SourceMutant[] = [];
    const progress = (outcome: Outcome): void => {
      if (isOpen(outcome) && !values.near) left.push(outcome.mutant);
      else settle(outcome);
    };
    await runMutants(asked, folder, { ...limits, testFiles: tests, progress });
    // What they let pass and nobody reviewed, all other tests may still notice.
    await runMutants(left, folder, { ...limits, testFiles, progress: settle });
  }
  const counts = countsOf(outcomes);
  const stale = gone();
  console.log(`mutation: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  console.log(
    `${counts.killed} killed, ${counts.reviewed} survived (reviewed), ${counts.failed + stale.length} failed`,
  );
  process.exitCode = counts.failed + stale.length === 0 && counts.killed > 0 ? 0 : 1;
}

function isReviewed({ mutant }: Outcome): boolean {
  return Object.hasOwn(reviewed, mutant.key);
}

function isOpen(outcome: Outcome): boolean {
  return outcome.killedBy === undefined && !isReviewed(outcome);
}

function countsOf(outcomes: readonly Outcome[]): { killed: number; reviewed: number; failed: number } {
  const noticed = outcomes.filter(({ killedBy }) => killedBy !== undefined);
  const killed = noticed.filter((one) => !isReviewed(one)).length;
  const failed = noticed.length - killed + outcomes.filter(isOpen).length;
  return { killed, reviewed: outcomes.length - killed - failed, failed };
}

/** Says what is wrong, if anything is. */
function tell(outcome: Outcome): void {
  const { mutant, killedBy } = outcome;
  if (isReviewed(outcome) === (killedBy === undefined)) return;
  const what = killedBy === undefined ? 'survived' : `reviewed, but noticed by ${killedBy}`;
  console.log(`${what}: line ${mutant.line} of ${mutant.key}`);
}

function countsText(outcomes: readonly Outcome[]): string {
  const { killed, reviewed: seen, failed } = countsOf(outcomes);
  return `${outcomes.length} checks, ${killed} killed, ${seen} survived (reviewed), ${failed} failed`;
}

/** Reviews of checks that are no longer there, of the files that were looked at whole. */
function gone(): string[] {
  if (every !== 1) return [];
  const present = new Set(everything.map(({ key }: SourceMutant) => key));
  const stale = Object.keys(reviewed).filter(
    (key) => !present.has(key) && (positionals.length === 0 || mutants.has(key.slice(0, key.indexOf(' ')))),
  );
  for (const key of stale) console.log(`reviewed, but gone: ${key}`);
  return stale;
}
