/**
 * Go's flag package takes `--flag=true` and `--flag=false` on booleans, and scripts written for cosign use it.
 * commander does not; this rewrites those words, and only for options that take no value.
 */
import type { Command } from 'commander';
import { commandOf } from './usage.ts';

export function normaliseArgv(argv: readonly string[], command: Command): string[] {
  const booleans = new Map<string, { readonly positive: boolean; readonly negative: boolean }>();
  collect(command, booleans);
  const out: string[] = [];
  let isRest = false;
  for (const word of argv) {
    if (word === '--') isRest = true;
    const match = isRest
      ? null
      : /^--([A-Za-z0-9-]+)=(true|false|1|0|t|f|T|F|True|False|TRUE|FALSE)$/.exec(word);
    const name = match?.[1] ?? '';
    const known = booleans.get(name);
    if (match === null || known === undefined) {
      if (!isRest) refuseOther(word, commandOf(argv, command));
      out.push(word);
      continue;
    }
    const isTrue = /^(true|1|t)$/i.test(match[2] as string);
    if (isTrue && known.positive) out.push(`--${name}`);
    if (!isTrue && known.negative) out.push(`--no-${name}`);
  }
  return out;
}

/** A boolean with a value that is none: to commander an option nobody knows. */
function refuseOther(word: string, command: Command): void {
  const [, long, value = ''] = /^(--[A-Za-z0-9-]+)=(.*)$/s.exec(word) ?? [];
  if (long === undefined || command.options.find((option) => option.long === long)?.isBoolean() !== true)
    return;
  command.error(`error: ${long} is true or false, not ${JSON.stringify(value)}`);
}

function collect(command: Command, into: Map<string, { positive: boolean; negative: boolean }>): void {
  for (const option of command.options) {
    if (option.required || option.optional || option.long === undefined || option.long === null) continue;
    const name = option.long.replace(/^--(no-)?/, '');
    const before = into.get(name) ?? { positive: false, negative: false };
    into.set(name, {
      positive: before.positive || !option.negate,
      negative: before.negative || option.negate,
    });
  }
  for (const child of command.commands) collect(child, into);
}
