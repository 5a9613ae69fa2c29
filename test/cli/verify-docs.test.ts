/** The pages on verifying and trust name verbs, options, codes and files that exist. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Command } from 'commander';
import { readCatalogue } from '../../build/errors.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { verbs } from '../../src/cli/verbs.ts';

const program = new Command('waybill');
for (const verb of verbs) (await verb.load()).register(program, {} as CliContext);

/** The innermost command that the words name. */
function commandOf(words: readonly string[]): Command {
  let command = program;
  for (const word of words) {
    const child = command.commands.find((one) => one.name() === word);
    if (child === undefined) break;
    command = child;
  }
  return command;
}
const optionsOf = (command: Command): string[] => command.options.flatMap(({ long }) => long ?? []);
const everywhere = ['--json', '--quiet'];

for (const page of ['docs/verify.md', 'docs/trust.md']) {
  const text = readFileSync(page, 'utf8');
  const blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) =>
    (block ?? '').replaceAll('\\\n', ' '),
  );
  const lines = blocks
    .flatMap((block) => block.split('\n'))
    .flatMap((line) => /waybill (.*)/.exec(line)?.[1] ?? []);

  test(`${page}: every command line is of a verb, with options it has`, () => {
    assert.ok(lines.length > 5);
    for (const line of lines) {
      const words = line.split(/\s+/);
      const command = commandOf(words);
      assert.notEqual(command, program, line);
      const known = [...optionsOf(command), ...everywhere];
      for (const word of words.filter((one) => one.startsWith('--')))
        assert.ok(known.includes(word), `${word}: ${line}`);
    }
  });

  test(`${page}: every option it speaks of exists, every code and every page it points to`, async () => {
    const all: string[] = [];
    const collect = (command: Command): void => {
      all.push(...optionsOf(command));
      command.commands.forEach(collect);
    };
    collect(program);
    const named = new Set([...text.matchAll(/`(--[a-z0-9-]+)/g)].map(([, option]) => option ?? ''));
    assert.deepEqual(
      [...named].filter((option) => ![...all, ...everywhere].includes(option)),
      [],
    );
    const codes = new Set((await readCatalogue()).map(({ code }) => code as string));
    for (const [code] of text.matchAll(/WB-\d+/g)) assert.ok(codes.has(code), code);
    for (const [, file] of text.matchAll(/\]\(([a-z]+\.md)\)/g)) assert.ok(existsSync(`docs/${file}`), file);
  });
}
