/** Verbs run in this process, with the world they see given as parameters. */
import assert from 'node:assert/strict';
import { utf8Text } from '#base/bytes';
import type { Clock } from '#base/clock';
import type { Transport } from '#platform/http-client';
import { systemClock, systemRandom } from '#platform/system';
import { type NativeRun, runNative } from '../../src/cli/compat/native.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { verbs } from '../../src/cli/verbs.ts';

export interface World {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly transport?: Transport;
  readonly transportFor?: NonNullable<CliContext['transportFor']>;
  readonly clock?: Clock;
  readonly json?: boolean;
}

export interface Told extends NativeRun {
  readonly stdout: string;
  readonly stderr: string;
}

/** Fails the test as soon as anything is asked over a network. */
export const noNetwork: Transport = {
  request: ({ url }) => assert.fail(`a connection was opened to ${url}`),
  stream: ({ url }) => assert.fail(`a connection was opened to ${url}`),
};

export async function tellIn(world: World, words: readonly string[]): Promise<Told> {
  const verb = verbs.find(({ name }) => name === words[0]);
  if (verb === undefined) throw new Error(`no verb ${words[0]}`);
  const nothing = (): void => {};
  const transport = world.transport ?? noNetwork;
  const onlyTransport: CliContext['transportFor'] = (tls) => {
    assert.deepEqual(tls, {}, 'a world with one transport shows no identity of its own');
    return transport;
  };
  const context: CliContext = {
    env: world.env ?? {},
    cwd: world.cwd ?? process.cwd(),
    transport,
    transportFor: world.transportFor ?? onlyTransport,
    clock: world.clock ?? systemClock,
    random: systemRandom,
    json: world.json ?? false,
    isTerminal: false,
    useColor: false,
    stdout: nothing,
    stderr: nothing,
    progress: nothing,
    result: nothing,
    exit: nothing,
  };
  const warned: string[] = [];
  const options = { json: world.json ?? false, progress: (text: string) => void warned.push(text) };
  const run = await runNative(verb.load, words, context, options);
  const text = (part: string | Uint8Array): string => (typeof part === 'string' ? part : utf8Text(part));
  return {
    ...run,
    stdout: run.printed.map(text).join('\n'),
    stderr: [...warned, ...run.messages].join('\n'),
  };
}
