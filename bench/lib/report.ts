/** What benchmarks share: medians, and the last line. */
import { writeFileSync } from 'node:fs';

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** The value below which the part `q` of the values lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * q)] ?? Number.NaN;
}

/** Prints the result as the last line, writes it to the file after `--json`, and sets the exit code. */
export function report(bench: string, ratios: Readonly<Record<string, number>>, pass: boolean): void {
  const result = JSON.stringify({ bench, ratios, pass });
  const at = process.argv.indexOf('--json');
  const target = at < 0 ? undefined : process.argv[at + 1];
  if (target !== undefined) writeFileSync(target, result);
  console.log(result);
  process.exitCode = pass ? 0 : 1;
}
