/** Rooms that decide what the verifier does not: each answers for the twin and for the case. */
import { type Reason, reason, WaybillError } from '#base/reason';
import type { Result } from '#base/result';
import { readCatalogue } from '../../../build/errors.ts';
import type { Case, Step } from '../case.ts';
import type { Answer } from '../doors.ts';

export interface RoomAnswers {
  readonly twin: Answer;
  readonly answer: Answer;
}

export type RoomRecipe = (step: Step, item: Case) => Promise<RoomAnswers> | RoomAnswers;
export type Room = Readonly<Record<string, RoomRecipe>>;

export const accepted: Answer = { verdict: 'accept' };
export const refusedFor = (reason: Reason): Answer => ({ verdict: 'reject', reason });

export const answerOfResult = (result: Result<unknown>): Answer =>
  result.ok ? accepted : refusedFor(result.error);

/** What a body came to: nothing thrown is acceptance; here every reason that is thrown is a refusal. */
export async function outcome(body: () => Promise<unknown> | unknown): Promise<Answer> {
  try {
    await body();
    return accepted;
  } catch (error) {
    if (error instanceof WaybillError) return refusedFor(error.reason);
    throw error;
  }
}

/** The reason a code stands for, where only the code is told. */
export async function reasonOf(code: string, actual: string): Promise<Reason> {
  const spec = (await readCatalogue()).find((row) => row.code === code);
  if (spec === undefined) throw new Error(`no reason has the code ${code}`);
  return reason(spec, { expected: 'what the catalogue says', actual });
}
