/** What benchmarks share: a median, and the last line. */
import { writeFileSync } from 'node:fs';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
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
