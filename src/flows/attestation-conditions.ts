/** Conditions on a verified predicate, in CEL. They are asked after the verifier, never instead of it. */
import { fail, type Reason, reason, WaybillError } from '#base/reason';
import { attempt } from '#base/result';
import type { Statement } from '#formats/intoto';
import { compileCel, type Json } from '#policy';
import { R } from './verify-reasons.ts';

export interface Conditions {
  /** Why the statement does not do; undefined when every condition is true. WB-908 or WB-914. */
  fault(statement: Statement): Reason | undefined;
  /** Throws the fault; also when there is no statement. */
  require(statement: Statement | undefined): void;
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
  const fault = (statement: Statement): Reason | undefined => {
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
  };
  return {
    fault,
    require(statement) {
      const why =
        statement === undefined
          ? reason(R.condition, { expected: texts.join(' and '), actual: 'a signature without a statement' })
          : fault(statement);
      if (why !== undefined) throw new WaybillError(why);
    },
  };
}
