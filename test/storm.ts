/**
 * `npm run storm [-- --pods N] [--digests N] [--clients N]`: Pods at once against `waybill serve admission`,
 * with everything stopped but the registry. Loopback only; ends with `N passed, N failed`.
 */
import { parseArgs } from 'node:util';
import { startWebhookProcess } from './services/admission-process.ts';
import { claimsOf, runStorm, type Storm } from './services/storm-run.ts';
import { stormWorld } from './services/storm-world.ts';

const bounds = { pods: 200_000, digests: 2000, clients: 256 } as const;
const defaults = { pods: '10000', digests: '20', clients: '64' } as const;

function option(name: keyof typeof bounds): number {
  const text = values[name];
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= bounds[name]) return number;
  console.error(`--${name}: expected 1 to ${bounds[name]}, actual ${JSON.stringify(text)}`);
  process.exit(3);
}

const { values } = parseArgs({
  options: {
    pods: { type: 'string', default: defaults.pods },
    digests: { type: 'string', default: defaults.digests },
    clients: { type: 'string', default: defaults.clients },
  },
});
const [pods, digests, clients] = [option('pods'), option('digests'), option('clients')];

console.log(`storm: signing ${digests} images with a stack, then stopping it`);
const world = await stormWorld(digests);
const webhook = await startWebhookProcess(world.webhookArgs, { connections: clients });
try {
  console.log(`storm: ${pods} Pods, ${clients} at a time, mutate and validate for each`);
  const storm = await runStorm(world, webhook, { pods, clients });
  console.log(`storm: ${timing(storm)}`);
  const claims = claimsOf(storm, world);
  for (const { name, wrong } of claims) {
    console.log(`${wrong.length === 0 ? 'ok  ' : 'FAIL'} ${name}`);
    for (const example of wrong.slice(0, 5)) console.log(`     ${example}`);
  }
  const failed = claims.filter(({ wrong }) => wrong.length > 0).length;
  console.log(`${claims.length - failed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  await webhook.stop();
  await world.close();
}

/** What a Pod waits for both answers, with client, webhook and registry on the same machine. */
function timing({ asked, seconds }: Storm): string {
  const sorted = asked.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1);
  const rate = (asked.length / seconds).toFixed(0);
  return `${seconds.toFixed(1)} s, ${rate} Pods/s; a Pod waited ${at(0.5)} ms (median), ${at(0.99)} ms (p99)`;
}
