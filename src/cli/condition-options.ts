/** `--condition`: what a verified predicate must say, in CEL. */
import type { Command } from 'commander';
import type { Conditions } from '#flows/attestation-conditions';

export interface ConditionFlags {
  readonly condition: readonly string[];
}

export function addConditionOption(command: Command): Command {
  const collect = (value: string, before: readonly string[]): string[] => [...before, value];
  return command.option(
    '--condition <cel>',
    'CEL that must hold on predicate, predicateType and subject (repeatable)',
    collect,
    [],
  );
}

/** Compiled before anything is fetched; undefined without a condition. WB-915 for what is not CEL. */
export async function conditionsFrom({ condition }: ConditionFlags): Promise<Conditions | undefined> {
  if (condition.length === 0) return undefined;
  const { compileConditions } = await import('#flows/attestation-conditions');
  return compileConditions(condition);
}
