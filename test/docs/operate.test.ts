import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Command } from 'commander';
import * as doctor from '../../src/cli/commands/doctor.ts';
import * as serve from '../../src/cli/commands/serve.ts';
import * as stack from '../../src/cli/commands/stack.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { runPage } from './run-page.ts';

test('docs/operate.md speaks of every verb of stack and doctor, and of every station', async () => {
  const page = await readFile('docs/operate.md', 'utf8');
  const program = new Command();
  for (const { register } of [stack, doctor, serve]) register(program, {} as CliContext);
  const missing = program.commands.flatMap((noun) =>
    noun.commands.map((verb) => verb.name()).filter((verb) => !isSaid(page, noun.name(), verb)),
  );
  assert.deepEqual(missing, []);
});

/** `stack up`; stations are listed in one line. Workflows and the webhook have pages of their own. */
function isSaid(page: string, noun: string, verb: string): boolean {
  if (verb === 'workflow' && noun === 'doctor') return true;
  if (verb === 'admission') return true;
  return noun === 'serve'
    ? new RegExp(`waybill serve (?:[a-z|]*\\|)?${verb}\\b`).test(page)
    : page.includes(`${noun} ${verb}`);
}

// Some forty commands, each a process of its own.
test('every block of docs/operate.md runs, one after the other, in an empty folder', {
  timeout: 400_000,
}, async (t) => {
  const count = await runPage('docs/operate.md', { ports: '186', timeoutMs: 380_000 });
  assert.ok(count >= 14, `${count} blocks`);
  t.diagnostic(`${count} blocks`);
});
