/** Keys of a stack are replaced while stock clients, set up once by what `stack connect` prints, go on signing. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connectionOf, type Stack } from '#stack';
import { ada, startStack } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { pushImage, runProgram } from './stack-image.ts';

const folders: string[] = [];
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});
const HOUR_MS = 3_600_000;

interface Client {
  readonly setUp: () => Promise<void>;
  readonly sign: (image: string) => Promise<void>;
  readonly verify: (image: string) => Promise<void>;
}

/** A client in a home of its own; it is told nothing but what is printed for it. */
async function clientOf(name: 'cosign' | 'cosign-2', stack: Stack): Promise<Client> {
  const home = await mkdtemp(join(tmpdir(), 'waybill-rotation-'));
  folders.push(home);
  const { variables } = connectionOf(name, stack.dataDir, stack.state);
  const said = async (verb: string, image: string, more: readonly string[]): Promise<void> => {
    // As printed now: the addresses of logs change with their keys.
    const { commands } = connectionOf(name, stack.dataDir, stack.state, ada);
    const line = commands.find((one) => one.startsWith(`cosign ${verb} `)) ?? assert.fail(verb);
    const words = line
      .replace(/ --identity-token "[^"]*"/, '')
      .replace(/ [^ ]*\/IMAGE@DIGEST$/, '')
      .split(' ');
    const all = [...words.slice(1), ...more, ...(image === '' ? [] : [image])];
    const ran = await runProgram(requirePeer(name), all, { HOME: home, ...variables });
    assert.equal(ran.code, 0, `${name} ${all.join(' ')}\n${ran.stderr}`);
  };
  return {
    setUp: () => said('initialize', '', []),
    sign: async (image) => {
      const token = await stack.mint({ sub: ada, email: ada });
      await said('sign', image, ['--identity-token', token.reveal()]);
    },
    verify: (image) => said('verify', image, []),
  };
}

for (const name of ['cosign', 'cosign-2'] as const) {
  test(`${name}: before, in and after the rotation of CA, CT log and log it signs, and verifies what it signed`, async () => {
    const stack = await startStack();
    const client = await clientOf(name, stack);
    await client.setUp();
    const images: string[] = [];
    const signAndVerifyAll = async (step: string): Promise<void> => {
      const image = await pushImage(stack.registryHost, `app/${step}`, step);
      await client.sign(image);
      images.push(image);
      for (const one of images) await client.verify(one);
    };
    await signAndVerifyAll('before');
    for (const station of ['ca', 'ct', 'log'] as const) {
      await stack.rotation.rotate({ station, overlapMs: HOUR_MS });
    }
    // Whoever asks TUF learns of the new keys; clients keep what they have for a while, unless set up again.
    await client.setUp();
    await signAndVerifyAll('published');
    for (const station of ['ca', 'ct', 'log'] as const) await stack.rotation.hasten(station);
    await signAndVerifyAll('switched');
  });
}
