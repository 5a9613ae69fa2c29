/**
 * The machines over accepted bundles: every part swapped, emptied, doubled, cut, made null or of another type.
 * The order is fixed, so that a number names a mutant; a seed chooses which of them are judged.
 */
import { utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import type { JsonObject } from '#formats/json';
import { bases, type Step } from '../case.ts';
import { type Answer, admission, library } from '../doors.ts';
import { type Exhibit, exhibit } from '../draft.ts';
import { draftOf } from '../recipes/index.ts';
import { allPaths, type Machine, type Mutant, mutations, swaps } from './mutants.ts';
import { explanationOf, type Traits, traitsOf } from './rules.ts';

export interface Sample {
  readonly name: string;
  readonly exhibit: Exhibit;
  readonly json: JsonObject;
  readonly traits: Traits;
}

/** Accepted bundles of every form, each also with a sister that differs in one dimension. */
export const forms: Readonly<Record<string, readonly Step[]>> = Object.fromEntries(
  Object.entries(bases).filter(([name]) => !name.startsWith('legacy')),
);
const sisters: Readonly<Record<string, readonly Step[]>> = {
  again: [],
  'another key': [['oneCertificate', 'p256/sister']],
};

export function sampleOf(name: string, steps: readonly Step[]): Sample {
  const made = exhibit(draftOf(steps));
  if (!(made.evidence instanceof Uint8Array)) throw new Error(`${name} is no bundle`);
  const bundle = unwrap(parseBundle(made.evidence));
  const json = JSON.parse(Buffer.from(made.evidence).toString()) as JsonObject;
  return { name, exhibit: made, json, traits: traitsOf(bundle, made.ask) };
}

/** Every mutant of a sample: its own, then with the parts of all others. Lazy: nothing is built until judged. */
export function* mutantsOf(sample: Sample, others: readonly Sample[]): Generator<Mutant> {
  for (const path of allPaths(sample.json)) yield* mutations(sample.json, path);
  for (const other of others) {
    if (other !== sample) yield* swaps(sample.json, other.json, other.name);
  }
}

export interface Tally {
  judged: number;
  refused: number;
  explained: number;
  readonly byMachine: Map<Machine, number>;
  readonly byClass: Map<string, number>;
  readonly byRule: Map<string, number>;
  /** What must not be: accepted without a rule, undecided, thrown, a defect, or two doors that disagree. */
  readonly failures: Failure[];
}

export interface Failure {
  readonly sample: string;
  readonly mutant: string;
  readonly what: string;
  readonly bundle: JsonObject;
  readonly exhibit: Exhibit;
}

export const newTally = (): Tally => ({
  judged: 0,
  refused: 0,
  explained: 0,
  byMachine: new Map(),
  byClass: new Map(),
  byRule: new Map(),
  failures: [],
});

/** Every so many mutants also go through the admission verifier, which must agree. */
const ADMISSION_EVERY = 20;

export async function judgeMutant(sample: Sample, mutant: Mutant, tally: Tally): Promise<void> {
  const { bundle } = mutant;
  const attack = { ...sample.exhibit, evidence: utf8(JSON.stringify(bundle)) };
  const fail = (what: string): void => {
    tally.failures.push({ sample: sample.name, mutant: mutant.name, what, bundle, exhibit: attack });
  };
  tally.judged++;
  count(tally.byMachine, mutant.machine);
  try {
    const answer = await library(attack);
    if (tally.judged % ADMISSION_EVERY === 0) {
      const other = await admission(attack);
      if (!agrees(sample, answer, other)) fail(`library ${said(answer)}, admission ${said(other)}`);
    }
    const fault = settle(sample, mutant, answer, tally);
    if (fault !== undefined) fail(fault);
  } catch (error) {
    fail(`thrown: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}

/** An item that says it is of another type than asked for is no evidence for an image, whatever else is wrong. */
function agrees({ exhibit: { ask } }: Sample, answer: Answer, atImage: Answer): boolean {
  const isLeftOut = ask.predicateTypes !== undefined && atImage.reason?.class === 'no-evidence';
  return said(answer) === said(atImage) || (isLeftOut && answer.verdict === 'reject');
}

const said = ({ verdict, reason }: Answer): string =>
  reason === undefined ? verdict : `${verdict}:${reason.class}`;

function settle(sample: Sample, mutant: Mutant, answer: Answer, tally: Tally): string | undefined {
  const { reason } = answer;
  if (answer.verdict === 'accept') {
    const why = explanationOf(mutant, sample.traits);
    if (why === undefined) return 'accepted without a rule';
    tally.explained++;
    count(tally.byRule, why);
    return undefined;
  }
  tally.refused++;
  count(tally.byClass, reason?.class ?? 'none');
  const isVerdict = answer.verdict === 'reject' && reason?.class !== 'internal' && reason?.side !== 'defect';
  return isVerdict ? undefined : `${said(answer)} (${reason?.code})`;
}

function count<K>(map: Map<K, number>, key: K): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

/** A sequence that a seed fixes (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface MutantRun {
  readonly count: number;
  readonly seed: number;
  readonly progress?: (judged: number) => void;
}

/**
 * Judges `count` mutants: rounds over fresh samples of every form, of each round a share that the seed picks,
 * until the number is reached. Ends early at twenty failures.
 */
export async function runMutants({ count: wanted, seed, progress }: MutantRun): Promise<Tally> {
  const tally = newTally();
  const random = randomFrom(seed);
  while (tally.judged < wanted && tally.failures.length < FAILURES_MAX) {
    const samples = Object.entries(forms).map(([name, steps]) => sampleOf(name, steps));
    const related = Object.entries(forms).flatMap(([name, steps]) =>
      Object.entries(sisters).map(([how, more]) => sampleOf(`${name} ${how}`, [...steps, ...more])),
    );
    const partnersOf = (sample: Sample): Sample[] => [
      ...related.filter(({ name }) => name.startsWith(`${sample.name} `)),
      ...samples.filter((other) => other !== sample && random() < PARTNERS / samples.length),
    ];
    const pairs = samples.map((sample) => [sample, partnersOf(sample)] as const);
    const total = pairs.reduce((sum, [sample, others]) => sum + [...mutantsOf(sample, others)].length, 0);
    const share = Math.min(1, (wanted - tally.judged) / total);
    for (const [sample, others] of pairs) {
      for (const mutant of mutantsOf(sample, others)) {
        if (random() >= share) continue;
        await judgeMutant(sample, mutant, tally);
        if (tally.judged % 5000 === 0) progress?.(tally.judged);
        if (tally.failures.length >= FAILURES_MAX) return tally;
      }
    }
  }
  return tally;
}

/** Failures after which there is no need for more. */
const FAILURES_MAX = 20;
/** Forms whose parts each form is given, besides those of its sisters; picked anew each round. */
const PARTNERS = 6;
