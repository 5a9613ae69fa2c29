/**
 * `npm run mutation [-- --files REGEXP] [--every N] [--list]`: takes every check of the verifier away, one at a
 * time, and asks the tests. Ends with `N killed, N survived (reviewed), N failed`; a survivor nobody reviewed,
 * and a review of a check that is noticed or no longer there, fail the run.
 */
import { parseArgs } from 'node:util';
import { discard, type Outcome, runMutants, snapshot } from './mutation.ts';
import { reviewed } from './reviewed.ts';
import { allMutants } from './targets.ts';

const { values } = parseArgs({
  options: {
    files: { type: 'string' },
    every: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
  },
});
const every = Number(values.every);
if (!Number.isInteger(every) || every < 1) {
  console.error(`--every: expected a count of at least 1, actual ${values.every}`);
  process.exit(3);
}
const files = values.files === undefined ? undefined : new RegExp(values.files);
const folder = snapshot();
process.on('exit', () => discard(folder));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const mutants = allMutants(folder, files).filter((_, index) => index % every === 0);
if (values.list) {
  for (const { line, key } of mutants) console.log(`${line} ${key}`);
  console.log(`${mutants.length} checks`);
} else await mutate();

async function mutate(): Promise<void> {
  console.log(`mutation: ${mutants.length} checks`);
  const started = performance.now();
  const outcomes = await runMutants(mutants, folder, {
    testMsMax: 600,
    mutantMsMax: 60_000,
    progress: (done, { mutant, killedBy }) => {
      const known = Object.hasOwn(reviewed, mutant.key) ? ' (reviewed)' : '';
      if (killedBy === undefined) console.log(`survived${known}: line ${mutant.line} of ${mutant.key}`);
      if (done % 100 === 0) console.log(`mutation: ${done} of ${mutants.length}`);
    },
  });

  const killed = outcomes.filter(({ killedBy }) => killedBy !== undefined);
  const survivors = outcomes.filter(({ killedBy }) => killedBy === undefined);
  const unreviewed = survivors.filter(({ mutant }) => !Object.hasOwn(reviewed, mutant.key));
  const present = new Set(mutants.map(({ key }) => key));
  const isWhole = files === undefined && every === 1;
  const stale = [
    ...killed.map(({ mutant }) => mutant.key).filter((key) => Object.hasOwn(reviewed, key)),
    ...(isWhole ? Object.keys(reviewed).filter((key) => !present.has(key)) : []),
  ];
  for (const key of stale) console.log(`reviewed, but noticed or gone: ${key}`);
  report(outcomes, started);
  console.log(
    `${killed.length} killed, ${survivors.length - unreviewed.length} survived (reviewed), ${unreviewed.length + stale.length} failed`,
  );
  process.exitCode = unreviewed.length + stale.length === 0 && killed.length > 0 ? 0 : 1;
}

/** Rate by file, and how long it took. */
function report(outcomes: readonly Outcome[], started: number): void {
  for (const [file, list] of Map.groupBy(outcomes, ({ mutant }) => mutant.file)) {
    const dead = list.filter(({ killedBy }) => killedBy !== undefined).length;
    console.log(`${file}: ${dead} of ${list.length}`);
  }
  console.log(`mutation: ${((performance.now() - started) / 1000).toFixed(0)} s`);
}
