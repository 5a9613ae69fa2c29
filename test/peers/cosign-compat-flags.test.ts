/**
 * Every verb and flag that the real cosign 3 and cosign 2 name in their help is taken by `waybill cosign`, or refused
 * by a reason that says what to use instead. None is unknown.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Command } from 'commander';
import { register } from '../../src/cli/compat/cosign.ts';
import { refusedFlags, refusedVerbs } from '../../src/cli/compat/cosign-refused.ts';
import { tellIn } from '../cli/in-process.ts';
import { requirePeer } from './cache.ts';
import { runProgram } from './stack-image.ts';

const program = new Command('waybill');
register(program, {} as Parameters<typeof register>[1]);
const [cosign] = program.commands;
assert.ok(cosign);

const help = async (binary: string, verb: readonly string[]): Promise<string> =>
  (await runProgram(binary, [...verb, '--help'], { HOME: '/nonexistent' })).stdout;

/** Names under `Available Commands:`. */
const verbsIn = (text: string): string[] => {
  const [, after = ''] = text.split('Available Commands:\n');
  const [list = ''] = after.split(/\n\n/);
  return [...list.matchAll(/^\s*([a-z-]+)\s+\S/gm)].map(([, name]) => name ?? '');
};

/** The flags of one help text, and which of them take no value. */
function flagsIn(text: string): ReadonlyMap<string, 'switch' | 'value'> {
  const found = new Map<string, 'switch' | 'value'>();
  for (const [, name = '', rest = ''] of text.matchAll(/^\s+(?:-\w, )?(--[a-zA-Z0-9-]+)([= ].*)$/gm)) {
    const isSwitch = /^=(?:true|false):/.test(rest) || /^ {2,}/.test(rest);
    if (name !== '--help') found.set(name, isSwitch ? 'switch' : 'value');
  }
  return found;
}

async function leaves(binary: string, verb: readonly string[] = []): Promise<readonly string[][]> {
  const below = verbsIn(await help(binary, verb)).filter((name) => name !== 'help');
  if (below.length === 0) return verb.length === 0 ? [] : [[...verb]];
  return (await Promise.all(below.map((name) => leaves(binary, [...verb, name])))).flat();
}

const commandOf = (verb: readonly string[]): Command | undefined =>
  verb.reduce<Command | undefined>(
    (at, name) => at?.commands.find((one) => one.name() === name || one.aliases().includes(name)),
    cosign,
  );

for (const name of ['cosign', 'cosign-2'] as const) {
  const binary = requirePeer(name);
  const verbs = await leaves(binary);
  const texts = new Map(
    await Promise.all(verbs.map(async (verb) => [verb.join(' '), await help(binary, verb)] as const)),
  );

  describe(name, () => {
    test('its help is read', () => {
      assert.ok(verbs.length > 20, String(verbs.length));
      assert.ok(flagsIn(texts.get('sign') ?? '').size > 30);
    });

    for (const [words, text] of texts) {
      const command = commandOf(words.split(' '));
      test(words, async () => {
        if (command === undefined || refusedVerbs[words] !== undefined) {
          assert.ok(refusedVerbs[words], `${words} is unknown`);
          const told = await tellIn({ env: {} }, ['cosign', ...words.split(' '), 'x', '--flag']);
          assert.deepEqual([told.reason?.code, told.reason?.hint], ['WB-1311', refusedVerbs[words]]);
          return;
        }
        const flags = flagsIn(text);
        const options = new Map(command.options.map((option) => [option.long, option]));
        assert.deepEqual(
          [...flags.keys()].filter((flag) => !options.has(flag)),
          [],
          'unknown flags',
        );
        // A switch that is taken as a flag with a value would eat the name of the image.
        const kinds = [...flags].filter(([flag]) => !flag.startsWith('--no-'));
        const theirs = kinds.map(([flag, kind]) => `${flag} ${kind}`);
        const ours = kinds.map(
          ([flag]) => `${flag} ${options.get(flag)?.isBoolean() === true ? 'switch' : 'value'}`,
        );
        assert.deepEqual(ours, theirs);
      });
    }
  });
}

describe('a refused flag', () => {
  for (const { verb, flag, instead } of refusedFlags(cosign)) {
    test(`${verb} ${flag}`, async () => {
      const command = commandOf(verb.split(' '));
      const option = command?.options.find(({ long }) => long === flag);
      const value = option?.isBoolean() === true ? [] : ['x'];
      const places = command?.registeredArguments.map(() => 'registry.example/app') ?? [];
      const told = await tellIn({ env: {} }, ['cosign', ...verb.split(' '), flag, ...value, ...places]);
      assert.deepEqual([told.reason?.code, told.exit, told.reason?.actual], ['WB-1311', 3, flag]);
      assert.equal(told.reason?.hint, instead);
    });
  }
});
