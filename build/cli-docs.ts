/**
 * Writes docs/cli.md from the commands themselves: every verb with its help text, and the tables of docs/cosign.md.
 * `--check` compares instead.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { processContext } from '../src/cli/context.ts';
import { verbs } from '../src/cli/verbs.ts';
import { withCosignTables } from './cosign-docs.ts';

export async function renderCliDocs(): Promise<string> {
  const context = processContext({ json: false, quiet: true, version: '' });
  const lines = [
    '# Commands',
    '',
    'Generated from the commands themselves by `node build/cli-docs.ts`. Results go to standard output, everything else',
    'to standard error; `--json` makes the result one object that names its schema, also on failure, `--quiet` leaves',
    'progress away, `--ca-file FILE` believes further authorities of servers. Exit codes and error codes:',
    '[errors.md](errors.md).',
  ];
  let group = '';
  for (const verb of verbs) {
    if (verb.group !== group) lines.push('', `## ${verb.group}`);
    group = verb.group;
    const program = new Command('waybill').helpCommand(false);
    (await verb.load()).register(program, context);
    for (const command of program.commands) describe(command, `waybill ${command.name()}`, lines);
  }
  return `${lines.join('\n')}\n`;
}

function describe(command: Command, path: string, lines: string[]): void {
  command.configureHelp({ helpWidth: 110 }).configureOutput({ getOutHasColors: () => false });
  lines.push('', `### \`${path}\``, '', '```text', command.helpInformation().trimEnd(), '```');
  if (path === 'waybill cosign') {
    lines.push('', 'Its verbs and flags, those that are refused too: [cosign.md](cosign.md).');
    return;
  }
  for (const child of command.commands) describe(child, `${path} ${child.name()}`, lines);
}

const COSIGN = 'docs/cosign.md';

if (import.meta.main) {
  const text = await renderCliDocs();
  const page = readFileSync(COSIGN, 'utf8');
  const tables = withCosignTables(page);
  if (process.argv.includes('--check')) {
    process.exitCode = readFileSync('docs/cli.md', 'utf8') === text && page === tables ? 0 : 1;
  } else {
    writeFileSync('docs/cli.md', text);
    writeFileSync(COSIGN, tables);
  }
}
