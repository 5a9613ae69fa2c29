/** The mini-storm: a stack signs, everything but the registry stops, and 300 Pods come at once. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { startWebhookProcess } from './admission-process.ts';
import { claimsOf, runStorm } from './storm-run.ts';
import { stormWorld } from './storm-world.ts';

const world = await stormWorld(20);
after(() => world.close());
const webhook = await startWebhookProcess(world.webhookArgs, { connections: 32 });
after(() => webhook.stop());
const storm = await runStorm(world, webhook, { pods: 300, clients: 300 });
const claims = claimsOf(storm, world);

for (const { name, wrong } of claims) {
  test(`storm: ${name}`, () => assert.deepEqual(wrong.slice(0, 5), []));
}

test('storm: all claims fail when what they count goes wrong', async () => {
  for (const port of world.stopped.values()) {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => {});
    await once(socket, 'close');
  }
  const asked = storm.asked.map((one) => ({ ...one, allowed: !one.allowed, stored: [] }));
  const requests = [...world.requests, ...world.requests];
  // However long it took: in no time nothing is looked at again.
  const wrong = claimsOf({ ...storm, asked, reads: 0, seconds: 0 }, { ...world, requests });
  assert.deepEqual(
    wrong.filter((claim) => claim.wrong.length === 0).map(({ name }) => name),
    [],
  );
});
