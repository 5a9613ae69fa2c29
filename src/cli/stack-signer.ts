/** `stack up --signer`: a program beside the stack that holds keys of its stations. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { StackSignerSettings } from '#stack';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';
import { collect } from './sign-options.ts';

export interface StackSignerFlags {
  readonly signer?: string;
  readonly signerArg: readonly string[];
  readonly signerKey: readonly string[];
}

export function addStackSigner(command: Command): Command {
  return command
    .option('--signer <program>', 'a program beside it that holds keys of its stations (docs/keys.md)')
    .option('--signer-arg <argument>', 'argument of that program (repeatable)', collect, [])
    .option(
      '--signer-key <station=key>',
      'ca, ct, log, log2, tsa, tuf, or a later one as ca@2, and its name there; without this ca=ca and tsa=tsa (repeatable)',
      collect,
      [],
    );
}

/** Throws WB-1305. */
export function stackSignerFrom(
  { signer, signerArg: args, signerKey: given }: StackSignerFlags,
  { env }: CliContext,
): StackSignerSettings | undefined {
  if (signer === undefined) {
    if (args.length + given.length === 0) return undefined;
    throw fail(R.optionValue, { expected: '--signer with --signer-arg and --signer-key', actual: 'none' });
  }
  const pairs = given.map((pair): [string, string] => {
    const [, name, key] = /^((?:ca|ct|log|log2|tsa|tuf)(?:@(?:[2-9]|[1-9]\d+))?)=(.+)$/.exec(pair) ?? [];
    if (name !== undefined && key !== undefined) return [name, key];
    throw fail(R.optionValue, {
      expected: '--signer-key as ca=KEY, ct, log, log2, tsa, tuf, or ca@2=KEY',
      actual: JSON.stringify(pair),
    });
  });
  const all: readonly [string, string][] =
    pairs.length > 0
      ? pairs
      : [
          ['ca', 'ca'],
          ['tsa', 'tsa'],
        ];
  return { command: signer, args, env, keys: new Map(all) };
}
