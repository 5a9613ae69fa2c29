/** One question of the checklist and its answer. */
import { fail, type Reason, WaybillError } from '#base/reason';
import type { Accepted } from '#verify';
import { R } from './check-reasons.ts';

export type CheckAnswer = 'yes' | 'no' | 'unknown';

export interface CheckItem {
  readonly id: string;
  readonly question: string;
  readonly answer: CheckAnswer;
  /** What was found, for people. A `yes` has at least one line. */
  readonly evidence: readonly string[];
  /** Why it is not `yes`. */
  readonly reason?: Reason;
}

/** What a question found when the answer is yes, and what it can hand to another question. */
export interface Found<T = undefined> {
  readonly evidence: readonly [string, ...string[]];
  readonly value: T;
  /** The signatures and attestations that were accepted on the way. */
  readonly accepted?: readonly Accepted[];
}

/** A failure that has seen something: shown beside the reason. */
export class CheckFailure extends Error {
  readonly why: WaybillError;
  readonly evidence: readonly string[];

  constructor(why: WaybillError, evidence: readonly string[]) {
    super(why.message, { cause: why });
    this.why = why;
    this.evidence = evidence;
  }
}

/** The question is asked; nothing in the profile says what the answer has to be. */
export const notAsked = (expected: string, hint?: string): WaybillError =>
  fail(R.notAsked, { expected, actual: 'nothing', ...(hint === undefined ? {} : { hint }) });

/** What another question found; its failure is told where it was asked, but trouble is trouble for both. */
export interface Settled<T> {
  readonly found?: Found<T>;
  readonly trouble?: WaybillError;
}

export const settled = <T>(work: Promise<Found<T>>): Promise<Settled<T>> =>
  work.then(
    (found) => ({ found }),
    (error: unknown) => {
      const why = error instanceof CheckFailure ? error.why : error;
      const isTrouble = why instanceof WaybillError && why.reason.side === 'environment';
      return isTrouble ? { trouble: why } : {};
    },
  );

/** Trouble on the way and missing expectations are `unknown`; everything else that was found is `no`. */
export function itemOf(
  id: string,
  question: string,
  outcome: PromiseSettledResult<Found<unknown>>,
): CheckItem {
  if (outcome.status === 'fulfilled') {
    return { id, question, answer: 'yes', evidence: outcome.value.evidence };
  }
  const error: unknown = outcome.reason;
  const seen = error instanceof CheckFailure ? error.evidence : [];
  const why = error instanceof CheckFailure ? error.why : error;
  // A defect of ours is no answer.
  if (!(why instanceof WaybillError) || why.reason.side === 'defect') throw why;
  const { reason } = why;
  const isOpen = reason.side === 'environment' || reason.side === 'usage';
  return { id, question, answer: isOpen ? 'unknown' : 'no', evidence: seen, reason };
}

const EXIT_NO = 2;
const EXIT_UNAVAILABLE = 20;

/** 0: all yes. 20: nothing is known to be wrong, and what is open could not be reached. 2: everything else. */
export function checkExit(items: readonly CheckItem[]): number {
  const open = items.filter(({ answer }) => answer !== 'yes');
  if (open.length === 0 && items.length > 0) return 0;
  const isTrouble = open.every(
    ({ answer, reason }) => answer === 'unknown' && reason?.side === 'environment',
  );
  return isTrouble && open.length > 0 ? EXIT_UNAVAILABLE : EXIT_NO;
}

/** `by NAME (ISSUER), TIME`. */
export function signedText({ signer, times }: Accepted): string {
  const who = signer.kind === 'certificate' ? `${signer.san.value} (${signer.issuer})` : 'the key given';
  const [time] = times;
  return `by ${who}${time === undefined ? '' : `, ${new Date(time.at).toISOString()}`}`;
}

export const countText = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
