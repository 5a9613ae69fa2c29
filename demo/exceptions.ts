/** Break-glass: one image, one namespace, for a time, by two people, and every use on record. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openWebhook } from './admission.ts';
import { TAG } from './prepare.ts';
import { isRefused, must, passes, token } from './tools.ts';
import type { Walk } from './walk.ts';
import { file, ref, type World } from './world.ts';

const people = ['ada@acme.example', 'bob@acme.example'] as const;

export async function breakGlass(world: World, walk: Walk): Promise<void> {
  const { oidc = '' } = world.origins;
  const [ada, bob] = [await token(oidc, { email: people[0] }), await token(oidc, { email: people[1] })];
  const folder = file(world, 'exceptions');
  const exception = join(folder, 'hotfix.json');
  const approvers = file(world, 'approvers.yaml');
  mkdirSync(folder, { recursive: true });
  const rows = people.map((identity) => `  - { identity: ${identity}, issuer: ${JSON.stringify(oidc)} }`);
  writeFileSync(
    approvers,
    ['apiVersion: waybill.dev/v1', 'kind: ExceptionApprovers', 'approvers:', ...rows, ''].join('\n'),
  );
  const rogue = `${ref(world, 'acme/unsigned')}:${TAG}`;
  const approve = ['exception', 'approve', exception, '--approvers', approvers, '--identity-token'];

  await walk.step('exception: asked for by one person, who cannot approve it as well', async () => {
    const scope = ['--name', 'hotfix', '--image', rogue, '--namespace', 'shop', '--for', '1h'];
    const why = ['--reason', 'payments are down', '--ticket', 'INC-7'];
    await passes(
      ['exception', 'create', ...scope, ...why, '--out', exception, '--identity-token', ada],
      world.run,
    );
    const reason = await isRefused([...approve, ada], { exit: 2, code: 'WB-967' }, world.run);
    return { detail: `${reason.code}: expected ${reason.expected}, got ${reason.actual}`, value: undefined };
  });

  const outbox = file(world, 'outbox.db');
  const ask = async (
    namespace: string,
  ): Promise<{ allowed: boolean; warnings: readonly string[]; message: string }> => {
    const mirror = `ghcr.io/acme/*=${world.registryHost}/acme/*`;
    const extra = ['--exceptions', folder, '--approvers', approvers, '--outbox', outbox];
    const webhook = await openWebhook(world, file(world, 'cluster-policy.yaml'), mirror, extra);
    try {
      return await webhook.judge(`ghcr.io/acme/unsigned:${TAG}`, namespace);
    } finally {
      await webhook.stop();
    }
  };
  await walk.refusal('a Pod whose exception one person signed', 'one signature instead of two', async () => {
    const one = await ask('shop');
    must(!one.allowed, 'admitted by one signature');
    await passes([...approve, bob], world.run);
    const two = await ask('shop');
    const warning = two.warnings.find((text) => text.includes('hotfix'));
    must(two.allowed && warning !== undefined, `with two signatures: ${two.message}`);
    const elsewhere = await ask('other');
    must(!elsewhere.allowed, 'admitted in another namespace');
    return `refused with one signature, and in another namespace\nwith two: ${warning}`;
  });
}

/** Uses of exceptions go from the disk of the webhook to the log, by another process. */
export async function drainUses(world: World, walk: Walk): Promise<void> {
  await walk.step('exception: each use brought to the log', async () => {
    const by = await token(world.origins['oidc'] ?? '', { email: 'audit@acme.example' });
    const drained = await passes<object>(
      ['exception', 'drain', '--outbox', file(world, 'outbox.db'), '--identity-token', by],
      world.run,
    );
    return { detail: JSON.stringify(drained).slice(0, 200), value: undefined };
  });
}
