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

/** What both have to say alike: status and, of a body in JSON, its number and its type where the other says JSON. */
const numbers = (answer: Answered, isTyped: boolean): object => ({
  status: answer.status,
  code: errorOf(answer).code ?? null,
  ...(isTyped ? { type: typeOf(answer) } : {}),
});

const typeOf = ({ headers }: Answered): string | undefined => headers.get('content-type')?.split(';')[0];

/** Ours has the status, the number and the words of theirs, and its own code behind them. */
export function assertAlike(ours: Answered, theirs: Answered, words?: 'own'): void {
  const both = `\nours:   ${ours.status} ${ours.text}\ntheirs: ${theirs.status} ${theirs.text}`;
  // The timestamp authority calls its errors timestamps.
  const isTyped = typeOf(theirs) !== 'application/timestamp-reply';
  assert.deepEqual(numbers(ours, isTyped), numbers(theirs, isTyped), both);
  const [said = '', theirWords = ''] = [errorOf(ours).message, errorOf(theirs).message];
  assert.ok(words === 'own' || said.startsWith(theirWords.trimEnd()), both);
}
