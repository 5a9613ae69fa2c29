/** Exceptions at judgement: which refusals they excuse, and what everybody is told about it. */
import type { Digest } from '#base/brand';
import { rfc3339 } from '#base/clock';
import type { Reason } from '#base/reason';
import type { CheckResult, Decision } from '../decision.ts';
import { isBlocking } from '../explain.ts';
import { type ApprovedException, isAbout, isCurrent, type Refused } from './approval.ts';
import type { Exception } from './exception.ts';

/** What a file of exceptions came to. */
export type LoadedException = {
  /** For messages. */
  readonly file: string;
} & (
  | { readonly state: 'approved'; readonly exception: ApprovedException }
  /** The terms are what the file claims: for messages only. */
  | { readonly state: 'refused'; readonly reason: Reason; readonly claims?: Exception }
);

/** Excuses what the exceptions in force are about. A request that passes without them is left as it is. */
export function applyExceptions(
  decision: Decision,
  namespace: string,
  exceptions: readonly LoadedException[],
  nowMs: number,
): Decision {
  if (decision.isAllowed || exceptions.length === 0) return decision;
  const inForce = exceptions.flatMap((loaded) =>
    loaded.state === 'approved' && isCurrent(loaded.exception, nowMs).ok ? [loaded.exception] : [],
  );
  const results = decision.results.map((result): CheckResult => {
    const exception = isBlocking(result)
      ? inForce.find((candidate) => isAbout(candidate, refusedBy(result, namespace)).ok)
      : undefined;
    return exception === undefined ? result : { ...result, exception };
  });
  return { ...decision, results, isAllowed: !results.some(isBlocking) };
}

const refusedBy = ({ image, policy, rule }: CheckResult, namespace: string): Refused => ({
  namespace,
  image,
  policy,
  rule,
});

/** An image that was let in by an exception. */
export interface ExceptionUse {
  readonly exception: ApprovedException;
  readonly image: string;
  readonly digest: Digest;
  /** The checks that did not pass, `policy/rule`. */
  readonly excused: readonly string[];
}

/** The uses of an allowed decision, one for each exception and image. */
export function exceptionUses(decision: Decision): ExceptionUse[] {
  if (!decision.isAllowed) return [];
  const uses = new Map<string, ExceptionUse>();
  for (const { exception, image, policy, rule } of decision.results) {
    if (exception === undefined) continue;
    const key = `${exception.id} ${image}`;
    const excused = [...(uses.get(key)?.excused ?? []), `${policy}/${rule}`];
    uses.set(key, { exception, image, digest: exception.digest, excused });
  }
  return [...uses.values()];
}

/** One warning a use. */
export const useText = ({ exception, image, excused }: ExceptionUse): string => {
  const { name, notAfter, reason, ticket } = exception;
  const until = rfc3339(notAfter);
  return `admitted by exception ${name} until ${until}, reason ${reason} (${ticket}): ${excused.join(', ')} refused ${image}`;
};

const HINTS_MAX = 3;

/** For a request that stays refused: exceptions that nearly applied, and why they did not. */
export function exceptionHints(
  decision: Decision,
  namespace: string,
  exceptions: readonly LoadedException[],
  nowMs: number,
): string[] {
  if (decision.isAllowed) return [];
  const blocking = decision.results.filter(isBlocking).map((result) => refusedBy(result, namespace));
  const hints = exceptions.flatMap((loaded) => {
    const terms = loaded.state === 'approved' ? loaded.exception : loaded.claims;
    if (terms === undefined) return [];
    const near = blocking.find(
      (refused) => refused.namespace === terms.namespace || refused.image.endsWith(`@${terms.digest}`),
    );
    const why = near === undefined ? undefined : whyNot(loaded, terms, near, nowMs);
    if (why === undefined) return [];
    return [
      `exception ${terms.name} does not apply: ${why.code} expected ${why.expected}, got ${why.actual}`,
    ];
  });
  return hints.slice(0, HINTS_MAX);
}

function whyNot(
  loaded: LoadedException,
  terms: Exception,
  refused: Refused,
  nowMs: number,
): Reason | undefined {
  if (loaded.state === 'refused') return loaded.reason;
  const about = isAbout(terms, refused);
  if (!about.ok) return about.error;
  const current = isCurrent(terms, nowMs);
  return current.ok ? undefined : current.error;
}
