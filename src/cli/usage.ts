/** What is wrong with a command line, as one reason each. */
import type { Command, CommanderError } from 'commander';
import { nearestWord } from '#base/nearest';
import { fail, type WaybillError } from '#base/reason';
import { R } from './reasons.ts';

/** From commander's message. `argv` says which command was meant. */
export function usageError(error: CommanderError, argv: readonly string[], program: Command): WaybillError {
  const command = commandOf(argv, program);
  const path = pathOf(command);
  const children = command.commands.map((child) => child.name());
  if (error.code === 'commander.help' || error.code === 'commander.unknownCommand') {
    const given = /unknown command '([^']*)'/.exec(error.message)?.[1];
    const close = given === undefined ? undefined : nearestWord(given, children);
    return fail(R.usage, {
      expected: `${path} followed by one of ${children.join(', ')}`,
      actual: given === undefined ? 'nothing' : JSON.stringify(given),
      ...hint(path, close === undefined ? undefined : `${path} ${close}`),
    });
  }
  // A misspelt option that is required is misspelt first and missing second.
  const unknown =
    error.code === 'commander.missingMandatoryOptionValue' ? unknownOption(argv, command) : undefined;
  if (unknown !== undefined) {
    const close = nearestWord(unknown, optionNames(command));
    const actual = `unknown option '${unknown}'`;
    return fail(R.usage, { expected: `a command line ${path} understands`, actual, ...hint(path, close) });
  }
  const [first = '', second = ''] = error.message.replace(/^error: /, '').split('\n');
  const close = /^\(Did you mean (.*)\?\)$/.exec(second)?.[1];
  return fail(R.usage, {
    expected: `a command line ${path} understands`,
    actual: first,
    ...hint(path, close),
  });
}

function hint(path: string, close: string | undefined): { readonly hint: string } {
  const help = `see ${path.replace(/^waybill/, 'waybill help')}`;
  return {
    hint: close === undefined ? help : `did you mean ${close}? ${help[0]?.toUpperCase()}${help.slice(1)}`,
  };
}

const optionNames = (command: Command): string[] =>
  command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]));

function unknownOption(argv: readonly string[], command: Command): string | undefined {
  const known = optionNames(command);
  const given = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : argv.length);
  return given
    .map((word) => word.replace(/=.*$/s, ''))
    .find((word) => word.startsWith('--') && !known.includes(word) && word !== '--help');
}

/**
 * An option or argument that was given as nothing: `--identity-token "$(a command that failed)"` must not mean the
 * same as no option at all.
 */
export function refuseEmpty(command: Command): void {
  const empty = (value: unknown): boolean => value === '' || (Array.isArray(value) && value.includes(''));
  const option = command.options.find(
    (one) =>
      command.getOptionValueSource(one.attributeName()) === 'cli' &&
      empty(command.getOptionValue(one.attributeName())),
  );
  const argument = command.registeredArguments.find(
    // What is no file has a reader of its own that says what it expects.
    (one, at) => one.name() === 'file' && empty(command.processedArgs[at]),
  );
  const name = option?.long ?? (argument === undefined ? undefined : `<${argument.name()}>`);
  if (name === undefined) return;
  throw fail(R.optionValue, { expected: `${name} with a value`, actual: 'an empty one' });
}

/** The innermost command the words name. */
export function commandOf(argv: readonly string[], program: Command): Command {
  let command = program;
  for (const word of argv) {
    const child = command.commands.find((candidate) => candidate.name() === word);
    if (child === undefined) {
      if (command !== program) break;
      continue;
    }
    command = child;
  }
  return command;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/**
 * An option that takes one value and was given two: the command refuses. The last would win silently, and a
 * verification would expect something else than half of its command line says.
 */
export function refuseRepeats(command: Command): void {
  for (const option of command.options) {
    const isList = option.variadic || (option.parseArg !== undefined && option.argChoices === undefined);
    if (isList || !option.required) continue;
    let before: string | undefined;
    command.on(`option:${option.name()}`, (value: string) => {
      if (before !== undefined && before !== value) {
        const expected = `${option.long ?? option.name()} once`;
        throw fail(R.optionValue, {
          expected,
          actual: `${JSON.stringify(before)} and ${JSON.stringify(value)}`,
        });
      }
      before = value;
    });
  }
}
