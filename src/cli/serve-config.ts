/** `--config FILE`: the options of a command as YAML, by their long names. What stands on the command line wins. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { readFileLimited } from '#platform/files';
import { R } from './reasons.ts';

const FILE_BYTES_MAX = 256 * 1024;

/** The flags of `command` with those of the file beside them. Throws WB-209, WB-1305 for an unknown name. */
export async function withConfigFile<T extends { readonly config?: string }>(
  flags: T,
  command: Command,
  cwd: string,
): Promise<T> {
  if (flags.config === undefined) return flags;
  const { parse } = await import('yaml');
  const text = utf8Text(await readFileLimited(resolve(cwd, flags.config), FILE_BYTES_MAX));
  const wrong = (expected: string, actual: string): Error =>
    fail(R.optionValue, { expected: `${flags.config}: ${expected}`, actual });
  let settings: unknown;
  try {
    settings = parse(text, { maxAliasCount: 0, uniqueKeys: true });
  } catch (error) {
    throw wrong('YAML', (error as Error).message);
  }
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw wrong('a map', typeof settings);
  }
  const found: Record<string, unknown> = { ...flags };
  for (const [name, given] of Object.entries(settings)) {
    const option = command.options.find(({ long }) => long === `--${name}` || long === `--no-${name}`);
    if (option === undefined || name === 'config') {
      throw wrong('options of this command by their long names', JSON.stringify(name));
    }
    const attribute = option.attributeName();
    if (command.getOptionValueSource(attribute) === 'cli') continue;
    const value = optionValueOf(option, given, (expected) =>
      wrong(`${name} as ${expected}`, JSON.stringify(given)),
    );
    // `no-delete: true` says what `--no-delete` does, and `delete: false` the same.
    found[attribute] = option.negate && option.long === `--${name}` ? value !== true : value;
  }
  return found as T;
}

function optionValueOf(
  option: Command['options'][number],
  given: unknown,
  wrong: (expected: string) => Error,
): unknown {
  if (!option.required && !option.optional) {
    if (typeof given === 'boolean') return given;
    throw wrong('true or false');
  }
  const one = (text: unknown): string => {
    if (typeof text !== 'string' && typeof text !== 'number') throw wrong('a text or a number');
    if (option.argChoices !== undefined && !option.argChoices.includes(`${text}`)) {
      throw wrong(option.argChoices.join(', '));
    }
    return `${text}`;
  };
  const isList = Array.isArray(option.defaultValue);
  if (!isList) return one(given);
  return (Array.isArray(given) ? given : [given]).map(one);
}
