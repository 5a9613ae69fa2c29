import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Command } from 'commander';
import * as doctor from '../../src/cli/commands/doctor.ts';
import * as log from '../../src/cli/commands/log.ts';
import * as serve from '../../src/cli/commands/serve.ts';
import * as stack from '../../src/cli/commands/stack.ts';
import * as trust from '../../src/cli/commands/trust.ts';
import * as witness from '../../src/cli/commands/witness.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { runPage } from './run-page.ts';

test('docs/operate.md speaks of every verb of stack, doctor, trust, witness and log, and of every station', async () => {
  const page = await readFile('docs/operate.md', 'utf8');
  const program = new Command();
  for (const { register } of [stack, doctor, serve, trust, witness, log]) {
    register(program, {} as CliContext);
  }
  const missing = program.commands.flatMap((noun) => verbsOf(noun).filter((verb) => !isSaid(page, verb)));
  assert.deepEqual(missing, []);
});

/** `witness`, `stack up`, `trust root next`: what a person types to have something done. */
function verbsOf(command: Command): string[] {
  if (command.commands.length === 0) return [command.name()];
  return command.commands.flatMap((one) => verbsOf(one).map((rest) => `${command.name()} ${rest}`));
}

/** Stations are listed in one line, clients in one sentence. Workflows and the webhook have pages of their own. */
function isSaid(page: string, words: string): boolean {
  if (words === 'doctor workflow' || words === 'serve admission') return true;
  const [noun, station, client] = words.split(' ');
  if (client !== undefined && station === 'connect')
    return page.includes(`\`${client}\``) || page.includes(words);
  return noun === 'serve'
    ? new RegExp(`waybill serve (?:[a-z|]*\\|)?${station}\\b`).test(page)
    : page.includes(words);
}

// Some forty commands, each a process of its own.
test('every block of docs/operate.md runs, one after the other, in an empty folder', {
  timeout: 900_000,
}, async (t) => {
  const count = await runPage('docs/operate.md', { ports: '186', timeoutMs: 880_000 });
  assert.ok(count >= 17, `${count} blocks`);
  t.diagnostic(`${count} blocks`);
});
