/**
 * `npm run mutation [-- TARGET…] [--every N] [--list]`: takes every check of the verifier away, one at a time, and
 * asks the tests. A target is a file of the core (`chain`, `formats/sct`) or a room (`verify`, `formats`, `base`);
 * none: all. One line a target with its counts, and `N killed, N survived (reviewed), N failed` at the end; a
 * survivor nobody reviewed, and a review of a check that is noticed or no longer there, fail the run.
 */
import { parseArgs } from 'node:util';
import { discard, type Outcome, runMutants, snapshot } from './mutation.ts';
import { reviewed } from './reviewed.ts';
import type { SourceMutant } from './sites.ts';
import { allMutants, testFiles } from './targets.ts';

interface Counts {
  sites: number;
  killed: number;
  reviewed: number;
  failed: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
  },
});
const every = Number(values.every);
if (!Number.isInteger(every) || every < 1)
  stop(`--every: expected a count of at least 1, actual ${values.every}`);
const folder = snapshot();
process.on('exit', () => discard(folder));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const everything = allMutants(folder);
const known = [...new Set(everything.map(({ file }) => file.slice('src/'.length, -'.ts'.length)))];
for (const target of positionals) {
  if (!known.some((name) => isOf(name, target))) stop(`unknown target ${target}; known: ${known.join(', ')}`);
}
const chosen = everything.filter(
  ({ file }) =>
    positionals.length === 0 || positionals.some((target) => isOf(file.slice(4, -'.ts'.length), target)),
);
const mutants = chosen.filter((_, index) => index % every === 0);
if (values.list) {
  for (const { line, key } of mutants) console.log(`${line} ${key}`);
  console.log(`${mutants.length} checks`);
} else await mutate();

function stop(why: string): never {
  console.error(why);
  process.exit(3);
}

/** `verify/sct` is the target `verify/sct`, `sct` and `verify`. */
function isOf(name: string, target: string): boolean {
  return name === target || name.split('/').includes(target);
}

async function mutate(): Promise<void> {
  console.log(
    `mutation: ${mutants.length} checks in ${new Set(mutants.map(({ file }) => file)).size} targets`,
  );
  const started = performance.now();
  const byFile = new Map<string, Counts>();
  const sites = Map.groupBy(mutants, ({ file }) => file);
  await runMutants(mutants, folder, {
    testFiles,
    testMsMax: 200,
    mutantMsMax: 60_000,
    progress: (outcome) => {
      const { file } = outcome.mutant;
      const counts = byFile.get(file) ?? { sites: 0, killed: 0, reviewed: 0, failed: 0 };
      byFile.set(file, counts);
      count(outcome, counts);
      if (counts.sites === sites.get(file)?.length) console.log(`${file}: ${countsText(counts)}`);
    },
  });
  const total = { sites: 0, killed: 0, reviewed: 0, failed: gone(mutants).length };
  for (const counts of byFile.values()) {
    for (const name of Object.keys(total) as (keyof Counts)[]) total[name] += counts[name];
  }
  console.log(`mutation: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  console.log(`${total.killed} killed, ${total.reviewed} survived (reviewed), ${total.failed} failed`);
  process.exitCode = total.failed === 0 && total.killed > 0 ? 0 : 1;
}

/** Counts one mutant, and says what is wrong with it. */
function count({ mutant: { key, line }, killedBy }: Outcome, counts: Counts): void {
  const isReviewed = Object.hasOwn(reviewed, key);
  counts.sites++;
  if (killedBy === undefined && isReviewed) counts.reviewed++;
  else if (killedBy !== undefined && !isReviewed) counts.killed++;
  else {
    counts.failed++;
    const what = isReviewed ? `reviewed, but noticed by ${killedBy}` : 'survived';
    console.log(`${what}: line ${line} of ${key}`);
  }
}

const countsText = ({ sites, killed, reviewed: seen, failed }: Counts): string =>
  `${sites} checks, ${killed} killed, ${seen} survived (reviewed), ${failed} failed`;

/** Reviews of checks that are no longer there, of the files that were looked at whole. */
function gone(asked: readonly SourceMutant[]): string[] {
  if (every !== 1) return [];
  const present = new Set(asked.map(({ key }) => key));
  const files = [...new Set(asked.map(({ file }) => `${file} `))];
  const isWhole = positionals.length === 0;
  const stale = Object.keys(reviewed).filter(
    (key) => !present.has(key) && (isWhole || files.some((file) => key.startsWith(file))),
  );
  for (const key of stale) console.log(`reviewed, but gone: ${key}`);
  return stale;
}
