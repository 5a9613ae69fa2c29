/**
 * `npm run fuzz [-- TARGET…] [--seconds N | --runs N] [--seed N]`: spoils inputs of every target, or of those named,
 * for that long each. A run with the same seed and the same `--runs` is the same run. An input that breaks a
 * promise is written to a file, and the run ends with `N passed, N failed`.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Finding, fuzz } from './engine.ts';
import { targets } from './targets.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    runs: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});

function count(name: 'seconds' | 'runs' | 'seed', text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  console.error(`--${name}: expected a number of at least 1, actual ${JSON.stringify(text)}`);
  process.exit(3);
}

const unknown = positionals.filter((name) => !targets.some((target) => target.name === name));
if (unknown.length > 0) {
  console.error(`no target ${unknown.join(', ')}; there are: ${targets.map(({ name }) => name).join(', ')}`);
  process.exit(3);
}
const seed = count('seed', values.seed);
const seconds = count('seconds', values.seconds);
const runs = values.runs === undefined ? undefined : count('runs', values.runs);
const chosen = positionals.length === 0 ? targets : targets.filter(({ name }) => positionals.includes(name));

console.log(`fuzz: seed ${seed}, ${runs === undefined ? `${seconds} s` : `${runs} runs`} a target`);
let failed = 0;
for (const target of chosen) {
  const end = performance.now() + seconds * 1000;
  const goOn = runs === undefined ? () => performance.now() < end : (executions: number) => executions < runs;
  const { executions, answers, slowestMs, finding } = fuzz(target, seed, goOn);
  const mark = finding === undefined ? 'ok' : 'FAILED';
  const detail = `${executions} executions, ${answers} answers, slowest ${slowestMs.toFixed(1)} ms`;
  console.log(`${mark} ${target.name}: ${detail}`);
  if (finding !== undefined) {
    failed++;
    explain(finding);
  }
}
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function explain({ target, execution, input, error }: Finding): void {
  const file = join(mkdtempSync(join(tmpdir(), 'waybill-fuzz-')), target);
  writeFileSync(file, input);
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  console.log(`  execution ${execution} of seed ${seed}, input in ${file}\n  ${text.replace(/\n/g, '\n  ')}`);
}
