/** Use case: put the recorded uses of exceptions into a transparency log, and keep the proofs. */
import { digest, digestHex } from '#base/digest';
import { fail } from '#base/reason';
import { type NonEmpty, unwrap } from '#base/result';
import type { TransparencyLogEntry } from '#formats/bundle';
import { type Subject, statementBytes } from '#formats/intoto';
import { parseReference, repositoryText } from '#formats/reference';
import { EXCEPTION_USE_V1 } from '#policy';
import { type Outbox, type PendingUse, useJson } from './exception-outbox.ts';
import { R } from './exception-reasons.ts';
import type { ExceptionSignDeps } from './exception-sign.ts';
import { signStatement } from './sign-image.ts';

export interface Drained {
  readonly uses: number;
  readonly entries: readonly TransparencyLogEntry[];
}

/** Uses in one statement. */
const BATCH_MAX = 100;

/**
 * Logs what is pending, a statement for each hundred uses. At least once: a crash between log and outbox logs a
 * batch again. Throws what signing throws, WB-966 without a proof; the rest stays pending.
 */
export async function drainOutbox(outbox: Outbox, deps: ExceptionSignDeps): Promise<Drained[]> {
  const drained: Drained[] = [];
  for (;;) {
    const [first, ...more] = outbox.pending(BATCH_MAX);
    if (first === undefined) return drained;
    drained.push(await drainBatch(outbox, [first, ...more], deps));
  }
}

async function drainBatch(
  outbox: Outbox,
  uses: NonEmpty<PendingUse>,
  deps: ExceptionSignDeps,
): Promise<Drained> {
  const statement = statementBytes({
    subject: subjectsOf(uses),
    predicateType: EXCEPTION_USE_V1,
    predicate: { uses: uses.map(({ record }) => useJson(record)) },
  });
  const result = await signStatement(statement, { digest: digest(uses[0].record.digest) }, deps);
  const { entries } = result;
  if (entries.length === 0 || entries.some((entry) => entry.inclusionProof === undefined)) {
    throw fail(R.unproven, { expected: 'a log entry with an inclusion proof', actual: 'one without' });
  }
  outbox.logged(uses, result.bundle, deps.clock.now());
  return { uses: uses.length, entries };
}

/** Each image once. */
function subjectsOf(uses: NonEmpty<PendingUse>): NonEmpty<Subject> {
  const subjects = new Map(uses.map(({ record }) => [record.digest, subjectOf(record)] as const));
  const [first, ...more] = subjects.values();
  return [first ?? subjectOf(uses[0].record), ...more];
}

function subjectOf({ image, digest: text }: PendingUse['record']): Subject {
  return {
    name: repositoryText(unwrap(parseReference(image))),
    digest: { sha256: digestHex(digest(text)) },
  };
}
