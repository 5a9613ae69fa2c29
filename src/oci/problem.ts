/** What is attached and cannot be read, kept beside what can. */
import { type Reason, WaybillError } from '#base/reason';
import { R } from './reasons.ts';

/** Something that is attached but cannot be read: shown, never trusted, never a reason to miss the rest. */
export interface Problem {
  readonly from: string;
  readonly reason: Reason;
}

/**
 * What is broken is set aside, an answer that is none (WB-520) with it: it must not hide what lies in another
 * place. What could not be asked is thrown, since the answer might be there.
 */
export async function orProblem<T>(
  from: string,
  problems: Problem[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    if (error.reason.side === 'environment' && !isNonsense(error)) throw error;
    problems.push({ from, reason: error.reason });
    return undefined;
  }
}

/** An answer of the registry that is not what it was asked for. */
export const isNonsense = (error: unknown): error is WaybillError =>
  error instanceof WaybillError && error.reason.code === R.answer.code;
