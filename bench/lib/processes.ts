/** Whole processes, timed from the outside, one after the other in turns. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median } from './report.ts';

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Ran {
  /** From start to end, milliseconds. */
  readonly ms: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; throws unless it ends with 0. */
export function run({ command, args, cwd, env }: Program): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint();
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      const ms = Number(process.hrtime.bigint() - start) / 1e6;
      const [stdout, stderr] = [Buffer.concat(out).toString(), Buffer.concat(err).toString()];
      if (code === 0) resolve({ ms, stdout, stderr });
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr}`));
    });
  });
}

/** Milliseconds of each program in each of `rounds` turns; one turn before that is not counted. */
export async function inTurns<K extends string>(
  programs: Readonly<Record<K, Program>>,
  rounds: number,
): Promise<Record<K, number[]>> {
  const names = Object.keys(programs) as K[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      const { ms } = await run(programs[name]);
      if (round >= 0) times[name].push(ms);
    }
  }
  return times;
}

/** The median of the ratios of neighbours. */
export const ratioOf = (some: readonly number[], others: readonly number[]): number =>
  median(some.map((ms, i) => ms / (others[i] ?? Number.NaN)));

/** Peak resident memory of a Node program in MiB; `folder` takes a helper file. */
export async function peakMemory(program: Program, folder: string): Promise<number> {
  const helper = join(folder, 'peak.cjs');
  writeFileSync(
    helper,
    "process.on('exit', () => process.stderr.write(`\\npeak ${process.resourceUsage().maxRSS}`));",
  );
  const { stderr } = await run({ ...program, args: ['--require', helper, ...program.args] });
  return Number(/peak (\d+)$/.exec(stderr)?.[1]) / 1024;
}
