/** Entry of the CLI: finds the verb, loads its module, runs it, maps the outcome to an exit code. */
import { Command, CommanderError } from 'commander';
import { fail, type Reason, WaybillError } from '#base/reason';
import { normaliseArgv } from './argv.ts';
import { type CliContext, processContext } from './context.ts';
import { R } from './reasons.ts';
import { renderReason } from './render/reason.ts';
import { nearest } from './suggest.ts';
import { type Verb, verbs } from './verbs.ts';
import { packageVersion } from './version.ts';

const EXIT_DEFECT = 1;
const EXIT_USAGE = 3;

async function main(argv: readonly string[]): Promise<void> {
  const version = packageVersion();
  const json = argv.includes('--json');
  const context = processContext({ json, quiet: argv.includes('--quiet'), version });
  // A reader that left (`waybill … | head`) is not an error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });
  try {
    await runVerb(argv, context, version);
  } catch (error) {
    process.exitCode = report(error, context);
  }
}

async function runVerb(argv: readonly string[], context: CliContext, version: string): Promise<void> {
  const name = argv.find((word) => !word.startsWith('-'));
  const first = argv[0];
  if (name === undefined || name === 'help' || first === '--help' || first === '-h') {
    if (first === '--version' || first === '-V') return context.stdout(version);
    return help(argv, context, version);
  }
  if (name === 'version') return context.result('waybill.dev/version/v1', { version }, () => version);
  const verb = verbs.find((candidate) => candidate.name === name);
  if (verb === undefined) {
    const close = nearest(
      name,
      verbs.map((candidate) => candidate.name),
    );
    throw fail(R.unknownVerb, {
      expected: 'a command of waybill',
      actual: JSON.stringify(name),
      ...(close === undefined ? {} : { hint: `did you mean 'waybill ${close}'? See waybill help` }),
    });
  }
  const program = await programFor([verb], context, version);
  await program.parseAsync(normaliseArgv(argv, program), { from: 'user' });
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
  return program;
}

/** Every leaf command takes --json and --quiet and refuses extra words. */
function withCommonOptions(command: Command): void {
  command
    .exitOverride()
    .allowExcessArguments(false)
    .copyInheritedSettings(command.parent ?? command);
  for (const child of command.commands) withCommonOptions(child);
  if (command.commands.length > 0) return;
  const has = (flag: string): boolean => command.options.some((option) => option.long === flag);
  if (!has('--json')) command.option('--json', 'print the result as one JSON object');
  if (!has('--quiet')) command.option('--quiet', 'print no progress');
}

async function help(argv: readonly string[], context: CliContext, version: string): Promise<void> {
  const topic = argv[0] === 'help' ? argv[1] : undefined;
  const verb = verbs.find((candidate) => candidate.name === topic);
  if (verb !== undefined) {
    const program = await programFor([verb], context, version);
    return context.stdout((program.commands[0] as Command).helpInformation());
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
function report(error: unknown, context: CliContext): number {
  if (error instanceof WaybillError) return reportReason(error.reason, context);
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    const actual = error.message.replace(/^error: /, '');
    return reportReason(fail(R.usage, { expected: 'a valid command line', actual }).reason, context);
  }
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

await main(process.argv.slice(2));
