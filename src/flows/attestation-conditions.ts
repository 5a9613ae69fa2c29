/** Conditions on a verified predicate, in CEL. They are asked after the verifier, never instead of it. */
import { fail, type Reason, reason } from '#base/reason';
import { attempt } from '#base/result';
import type { Statement } from '#formats/intoto';
import { type CelProgram, compileCel, type Json } from '#policy';
import { R } from './verify-reasons.ts';

export interface Conditions {
  /** Why a verified statement, or the lack of one, does not do. Undefined: all are true. WB-908 or WB-914. */
  fault(statement: Statement | undefined): Reason | undefined;
}

const variables = ['predicate', 'predicateType', 'subject'] as const;

/** Compiles every expression. Throws WB-915 naming the one that cannot be used. */
export function compileConditions(texts: readonly string[]): Conditions {
  const programs = texts.map((text) => {
    const compiled = attempt(() => compileCel(text, variables));
    if (compiled.ok) return compiled.value;
    throw fail(R.conditionText, {
      expected: 'a CEL expression over predicate, predicateType and subject',
      actual: `${text}: ${compiled.error.actual}`,
    });
  });
  return {
    fault(statement) {
      if (statement === undefined) {
        const expected = texts.join(' and ');
        return reason(R.condition, { expected, actual: 'a signature without a statement' });
      }
      return firstFault(programs, statement);
    },
  };
}

function firstFault(programs: readonly CelProgram[], statement: Statement): Reason | undefined {
  const { predicate, predicateType, subject } = statement;
  const values = { predicate, predicateType, subject } as unknown as Record<string, Json>;
  for (const program of programs) {
    const run = attempt(() => program.run(values));
    if (!run.ok) {
      const actual = `${run.error.actual} (${program.text})`;
      return reason(R.conditionFailed, { expected: `${program.text} to be true or false`, actual });
    }
    if (!run.value) {
      return reason(R.condition, { expected: program.text, actual: `false on the ${predicateType}` });
    }
  }
  return undefined;
}
