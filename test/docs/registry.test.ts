import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { createLayout } from '#oci';
import * as registry from '../../src/cli/commands/registry.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { putImage } from '../oci/helpers.ts';
import { runPage } from './run-page.ts';

test('docs/registry.md speaks of every verb of the registry', async () => {
  const page = await readFile('docs/registry.md', 'utf8');
  const program = new Command();
  registry.register(program, {} as CliContext);
  const verbs = program.commands.flatMap((noun) => noun.commands.map((verb) => verb.name()));
  assert.deepEqual(
    verbs.filter((verb) => !page.includes(`registry ${verb}`)),
    [],
  );
});

test('every block of docs/registry.md runs, one after the other', { timeout: 900_000 }, async () => {
  const count = await runPage('docs/registry.md', {
    ports: '187',
    timeoutMs: 880_000,
    prepare: async (folder) => {
      const layout = await createLayout(join(folder, 'image'));
      for (const tag of ['first', 'second']) await putImage(layout, tag, { tag });
    },
  });
  assert.equal(count, 4);
});
