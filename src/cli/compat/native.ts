/**
 * What every compatibility mode does: the words of another tool become the words of one of our verbs, the verb
 * runs in this process, and its result is given back in the other tool's form. No mode judges anything itself.
 */
import { Command } from 'commander';
import { fail, type Reason, WaybillError } from '#base/reason';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';

/** The module of a verb; the table of verbs names the modes too, so it is not imported here. */
interface VerbModule {
  register(program: Command, context: CliContext): void;
}

export interface NativeRun {
  /** Exit code of the native verb. */
  readonly exit: number;
  /** The object it prints with `--json`; undefined when it failed before it had a result. */
  readonly value: unknown;
  /** What it printed on standard output when it was asked for text. */
  readonly printed: readonly (string | Uint8Array)[];
  /** Lines it wrote on standard error. */
  readonly messages: readonly string[];
  /** Why it ended, when it ended with a reason. */
  readonly reason?: Reason;
}

export interface NativeOptions {
  /** False: the verb prints its text, kept in `printed`. Default true. */
  readonly json?: boolean;
  readonly progress?: (text: string) => void;
}

/** Runs a native verb; a refusal is a result, a defect is thrown. */
export async function runNative(
  load: () => Promise<VerbModule>,
  argv: readonly string[],
  context: CliContext,
  options: NativeOptions = {},
): Promise<NativeRun> {
  const printed: (string | Uint8Array)[] = [];
  const messages: string[] = [];
  let exit = 0;
  let value: unknown;
  const native: CliContext = {
    ...context,
    json: options.json ?? true,
    stdout: (text) => printed.push(text),
    stderr: (text) => messages.push(text),
    progress: options.progress ?? context.progress,
    result: (_schema, result, text) => {
      value = result;
      if (options.json === false) printed.push(text());
    },
    exit: (code) => {
      exit = code;
    },
  };
  const program = new Command('waybill').exitOverride();
  (await load()).register(program, native);
  for (const command of program.commands) refuseBy(command, `waybill ${command.name()}`);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return { exit, value, printed, messages };
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    return { exit: error.reason.exit, value, printed, messages, reason: error.reason };
  }
}

/** Usage errors of a mode name the flag, and end with the 1 that all these tools end with. */
export function refuseBy(command: Command, tool: string): Command {
  const supported = command.options
    .filter((option) => !option.negate)
    .map((option) => option.long ?? option.short)
    .join(' ');
  return Object.assign(command.allowExcessArguments(false), {
    error: (message: string): never => {
      const actual = message.replace(/^error: /, '');
      throw fail(R.compat, {
        expected: `${tool} as waybill translates it${supported === '' ? '' : `: ${supported}`}`,
        actual,
      });
    },
  });
}

/** A value of a flag that this mode does not translate. */
export const unsupported = (tool: string, flag: string, values: string): WaybillError =>
  fail(R.compat, { expected: `${tool} with ${values}`, actual: flag });

type Translation = (value: string) => readonly string[];

/**
 * The flags given to `command`, as words for the native verb: under the same name, or as `translate` says
 * (by long name; a list of no words drops one).
 */
export function givenFlags(
  command: Command,
  translate: Readonly<Record<string, Translation>> = {},
): string[] {
  return command.options.flatMap((option): readonly string[] => {
    const name = option.attributeName();
    const long = option.long ?? '';
    if (option.negate || command.getOptionValueSource(name) !== 'cli') return [];
    const value: unknown = command.getOptionValue(name);
    const words = Array.isArray(value) ? (value as unknown[]).map(String) : [String(value)];
    const own = translate[long];
    if (own !== undefined) return words.flatMap((word) => own(word));
    return option.isBoolean() ? [long] : words.map((word) => `${long}=${word}`);
  });
}
