/**
 * A small fuzzer: seeds are spoilt again and again, and an input that got an answer not seen before becomes a seed
 * itself. Everything follows from the number the run starts with.
 */
import type { Mutator } from './mutate.ts';
import { SeededRandom } from './random.ts';

export interface Target {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  readonly mutate: Mutator;
  /**
   * Puts one input through the parser and throws when a promise is broken. The answer names what happened
   * (`ok` with its kind, or code and check of the refusal): new answers are how the fuzzer learns.
   */
  readonly run: (input: Uint8Array) => string;
}

export interface Finding {
  readonly target: string;
  readonly execution: number;
  readonly input: Uint8Array;
  readonly error: unknown;
}

export interface FuzzReport {
  readonly executions: number;
  /** Different answers seen. */
  readonly answers: number;
  readonly slowestMs: number;
  readonly finding: Finding | undefined;
}

/** Of work: far above what any input of 64 KiB takes, far below what an unbounded loop takes. */
const INPUT_MS_MAX = 2000;
const POOL_MAX = 2000;

/** Milliseconds this process has worked: a machine that is busy elsewhere adds none. */
function worked(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** A collection of garbage is slow once; a loop without bound is slow every time. */
function isSlow({ run }: Target, input: Uint8Array): boolean {
  return [1, 2, 3].every(() => {
    const start = worked();
    run(input);
    return worked() - start > INPUT_MS_MAX;
  });
}

export function fuzz(target: Target, seed: number, goOn: (executions: number) => boolean): FuzzReport {
  const random = new SeededRandom(seed);
  const pool = [...target.seeds];
  const answers = new Set<string>();
  let executions = 0;
  let slowestMs = 0;
  const report = (finding?: Finding): FuzzReport => ({
    executions,
    answers: answers.size,
    slowestMs,
    finding,
  });
  const execute = (input: Uint8Array): Finding | undefined => {
    executions++;
    const start = worked();
    try {
      const answer = target.run(input);
      if (!answers.has(answer)) {
        answers.add(answer);
        if (pool.length < POOL_MAX) pool.push(input);
      }
    } catch (error) {
      return { target: target.name, execution: executions, input, error };
    }
    const took = worked() - start;
    slowestMs = Math.max(slowestMs, took);
    if (took <= INPUT_MS_MAX || !isSlow(target, input)) return undefined;
    return { target: target.name, execution: executions, input, error: new Error(`took ${took} ms`) };
  };
  for (const input of target.seeds) {
    const finding = execute(input);
    if (finding !== undefined) return report(finding);
  }
  while (goOn(executions)) {
    let input = random.pick(pool);
    for (let steps = 1 + random.below(4); steps > 0; steps--)
      input = target.mutate(input, random.pick(pool), random);
    const finding = execute(input);
    if (finding !== undefined) return report(finding);
  }
  return report();
}
