/** One command line: finds the verb, loads its module, runs it, maps a failure to an exit code. */
import { Command, CommanderError } from 'commander';
import { nearestWord } from '#base/nearest';
import { fail, type Reason, WaybillError } from '#base/reason';
import { normaliseArgv } from './argv.ts';
import { addTlsOptions, believeAuthorities } from './authorities.ts';
import type { CliContext } from './context.ts';
import { EXIT_DEFECT } from './ending.ts';
import { R } from './reasons.ts';
import { renderReason } from './render/reason.ts';
import { commandOf, refuseEmpty, refuseRepeats, usageError } from './usage.ts';
import { type Verb, verbs } from './verbs.ts';

const EXIT_USAGE = 3;

/** The exit code of a failure that was reported; undefined when there was none. */
export async function runCommandLine(
  argv: readonly string[],
  context: CliContext,
  version: string,
): Promise<number | undefined> {
  try {
    await runVerb(argv, context, version);
    return undefined;
  } catch (error) {
    return report(error, context);
  }
}

/** Known before the command line is parsed: how to report that it cannot be. */
export const reportFlags = (
  argv: readonly string[],
): { readonly json: boolean; readonly quiet: boolean } => ({
  json: hasFlag(argv, 'json'),
  quiet: hasFlag(argv, 'quiet'),
});

function hasFlag(argv: readonly string[], name: string): boolean {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  return words.some((word) => new RegExp(`^--${name}(?:=(?:true|1|t))?$`, 'i').test(word));
}

async function runVerb(argv: readonly string[], context: CliContext, version: string): Promise<void> {
  const [first, ...rest] = argv;
  if (first === undefined || first === 'help' || first === '--help' || first === '-h') {
    return help(rest, context, version);
  }
  if (first === 'version' || first === '--version' || first === '-V') {
    const extra = rest.find((word) => word !== '--json' && word !== '--quiet');
    if (extra === undefined) return context.result('waybill.dev/version/v1', { version }, () => version);
    throw fail(R.usage, { expected: `nothing after ${first}`, actual: JSON.stringify(extra) });
  }
  const program = await programFor([verbNamed(first)], context, version);
  try {
    await program.parseAsync(normaliseArgv(argv, program), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode !== 0) throw usageError(error, argv, program);
    throw error;
  }
}

function verbNamed(name: string): Verb {
  const verb = verbs.find((candidate) => candidate.name === name);
  if (verb !== undefined) return verb;
  const names = verbs.map((candidate) => candidate.name);
  const close = name.startsWith('-') ? undefined : nearestWord(name, names);
  throw fail(R.unknownVerb, {
    expected: name.startsWith('-') ? 'a command of waybill before its options' : 'a command of waybill',
    actual: JSON.stringify(name),
    ...(close === undefined ? {} : { hint: `did you mean 'waybill ${close}'? See waybill help` }),
  });
}

async function programFor(some: readonly Verb[], context: CliContext, version: string): Promise<Command> {
  const program = new Command('waybill');
  program.version(version).exitOverride().showHelpAfterError(false).showSuggestionAfterError(true);
  program.configureOutput({
    writeOut: (text) => context.stdout(text),
    // Usage errors are reported once, by `report`.
    writeErr: () => {},
  });
  for (const verb of some) (await verb.load()).register(program, context);
  for (const command of program.commands) withCommonOptions(command);
  program.hook('preAction', (_program, action) => {
    // Modes that stand for others' tools take what those take.
    if (!isMode(action)) refuseEmpty(action);
    return believeAuthorities(action.opts(), context);
  });
  return program;
}

const modes: ReadonlySet<string> = new Set([
  'cosign',
  'slsa-verifier',
  'rekor-cli',
  'syft',
  'grype',
  'trivy',
]);
const isMode = (command: Command): boolean =>
  modes.has(command.name()) || (command.parent !== null && isMode(command.parent));

/** Every command that does something itself takes --json, --quiet and the options of TLS, and refuses extra words. */
function withCommonOptions(command: Command): void {
  command
    .exitOverride()
    .allowExcessArguments(false)
    .copyInheritedSettings(command.parent ?? command);
  for (const child of command.commands) withCommonOptions(child);
  // A noun with verbs below it may also stand alone: then it takes arguments.
  if (command.commands.length > 0 && command.registeredArguments.length === 0) return;
  const has = (flag: string): boolean => command.options.some((option) => option.long === flag);
  if (!has('--json')) command.option('--json', 'print the result as one JSON object');
  if (!has('--quiet')) command.option('--quiet', 'print no progress');
  addTlsOptions(command);
  refuseRepeats(command);
}

async function help(words: readonly string[], context: CliContext, version: string): Promise<void> {
  const topic = words.find((word) => !word.startsWith('-'));
  if (topic !== undefined) {
    const program = await programFor([verbNamed(topic)], context, version);
    return context.stdout(commandOf(words, program).helpInformation());
  }
  const groups = Map.groupBy(verbs, (candidate) => candidate.group);
  const lines = [
    'waybill: the container supply chain in one system',
    '',
    'Usage: waybill COMMAND [OPTIONS]',
    '',
  ];
  for (const [group, members] of groups) {
    lines.push(`${group}:`);
    for (const member of members) lines.push(`  ${member.name.padEnd(20)} ${member.summary}`);
    lines.push('');
  }
  lines.push("'waybill help COMMAND' shows its options. Exit codes and error codes: docs/errors.md.");
  context.stdout(lines.join('\n'));
}

/** Prints what went wrong and returns the exit code. */
async function report(error: unknown, context: CliContext): Promise<number> {
  if (error instanceof WaybillError) return reportReason(error.reason, context);
  // Help that was asked for ends in this class too.
  if (error instanceof CommanderError) return error.exitCode;
  const { asFileError } = await import('#platform/files');
  const file = asFileError(error);
  if (file !== undefined) return reportReason(file.reason, context);
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  context.stderr(`waybill: internal error (please report it)\n${text}`);
  if (context.json) {
    context.stdout(JSON.stringify({ schema: 'waybill.dev/error/v1', ok: false, defect: true }));
  }
  return EXIT_DEFECT;
}

function reportReason(why: Reason, context: CliContext): number {
  if (context.json) {
    context.stdout(JSON.stringify({ schema: 'waybill.dev/error/v1', ok: false, reason: why }));
  }
  context.stderr(renderReason(why, context.useColor));
  return why.side === 'usage' ? Math.max(why.exit, EXIT_USAGE) : why.exit;
}
