/** The same bad request to a server of Sigstore and to ours: status, numbers and words of both, laid side by side. */
import assert from 'node:assert/strict';

export interface Answered {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

interface ErrorBody {
  readonly code?: number;
  readonly message?: string;
}

export function errorOf({ text }: Answered): ErrorBody {
  try {
    return JSON.parse(text) as ErrorBody;
  } catch {
    return { message: text };
  }
}

/** What both have to say alike: status and, of a body in JSON, its number. */
export const numbers = (answer: Answered): object => ({
  status: answer.status,
  code: errorOf(answer).code ?? null,
  type: answer.headers.get('content-type')?.split(';')[0] ?? null,
});

/** Ours has the status, the number and the words of theirs, and its own code behind them. */
export function assertAlike(ours: Answered, theirs: Answered, words?: 'own'): void {
  const both = `\nours:   ${ours.status} ${ours.text}\ntheirs: ${theirs.status} ${theirs.text}`;
  assert.deepEqual(numbers(ours), numbers(theirs), both);
  const [said = '', theirWords = ''] = [errorOf(ours).message, errorOf(theirs).message];
  assert.ok(words === 'own' || said.startsWith(theirWords.trimEnd()), both);
}
