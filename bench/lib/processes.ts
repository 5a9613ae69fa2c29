/** Whole processes, timed from the outside, one after the other in turns. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
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

export interface Usage {
  /** Processor time of all threads, milliseconds: what a busy machine does not change much. */
  readonly cpuMs: number;
  /** Peak resident memory, MiB. */
  readonly peakMb: number;
}

/** What a Node program takes; `folder` takes a helper file. */
export async function usageOf(program: Program, folder: string): Promise<Usage> {
  const helper = join(folder, 'usage.cjs');
  const { stderr } = await run({ ...program, args: ['--require', usageHelper(helper), ...program.args] });
  const [, peak, user, system] = /peak (\d+) cpu (\d+) (\d+)$/.exec(stderr) ?? [];
  return { cpuMs: (Number(user) + Number(system)) / 1000, peakMb: Number(peak) / 1024 };
}

function usageHelper(file: string): string {
  // The peak that the process itself reports may be that of its parent before it became another program.
  const text = `process.on('exit', () => {
    const { user, system } = process.cpuUsage();
    let peak = process.resourceUsage().maxRSS;
    try {
      peak = /VmHWM:\\s+(\\d+)/.exec(require('node:fs').readFileSync('/proc/self/status', 'latin1'))[1];
    } catch {}
    process.stderr.write('\\npeak ' + peak + ' cpu ' + user + ' ' + system);
  });`;
  writeFileSync(file, text);
  return file;
}

/** Peak resident memory of a Node program in MiB; `folder` takes a helper file. */
export const peakMemory = async (program: Program, folder: string): Promise<number> =>
  (await usageOf(program, folder)).peakMb;

const TICKS_A_SECOND = 100;

/** Processor time of all threads of a running process so far, milliseconds (proc(5): utime and stime). */
export function processorMs(pid: number | undefined): number {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [user, system] = fields.split(' ').slice(11, 13).map(Number) as [number, number];
  return ((user + system) * 1000) / TICKS_A_SECOND;
}
