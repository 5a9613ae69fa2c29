/** The walk over an image of the user's: every step that does not need its build. */
import { attestBoth, resolveAndScan, verifySteps } from './chain.ts';
import { isRefused, must, passes, reasonText, token } from './tools.ts';
import type { Walk } from './walk.ts';
import { PERSON, ref, type World } from './world.ts';

const REPOSITORY = 'yours/image';

/** Copies the image into the stack's registry and walks it there; returns its digest. */
export async function walkUserImage(world: World, walk: Walk, given: string): Promise<string> {
  walk.heading('Copy, describe, sign');
  const target = `${ref(world, REPOSITORY)}:demo`;
  await walk.step('copy: your image into the stack’s registry', async () => {
    await passes(['copy', absolute(given), target], world.run);
    return { detail: `${given} → ${target}`, value: undefined };
  });
  const digest = await resolveAndScan(world, walk, target);
  const pinned = `${ref(world, REPOSITORY)}@${digest}`;
  const by = await token(world.origins['oidc'] ?? '', { email: PERSON });
  await walk.step('sign: keyless, both layouts', async () => {
    await passes(['sign', '--identity-token', by, '--format', 'both', pinned], world.run);
    return { detail: `by ${PERSON}`, value: undefined };
  });
  await attestBoth(world, walk, pinned, by);
  walk.heading('Verify');
  const identity = [
    '--certificate-identity',
    PERSON,
    '--certificate-oidc-issuer',
    world.origins['oidc'] ?? '',
  ];
  await verifySteps(world, walk, pinned, { identity });
  await walk.refusal('a wrong identity', 'another person is expected', async () => {
    const other = ['verify', '--certificate-identity', 'mallory@example.com', ...identity.slice(2), pinned];
    return reasonText(await isRefused(other, { exit: 14, code: 'WB-351' }, world.run));
  });
  await walk.step('tree: everything attached', async () => {
    const tree = await passes<object>(['tree', pinned], world.run);
    must(JSON.stringify(tree).includes(digest), 'the tree does not name the image');
    return { detail: 'shown with waybill tree', value: undefined };
  });
  walk.leaveOut('build, provenance', 'they need the build of your image; see waybill build --help');
  return digest;
}

/** `oci:DIR` is relative to where the user stands, not to the demo's folder. */
function absolute(given: string): string {
  const match = /^(oci|oci-archive|docker-archive):(?!\/)(.*)$/.exec(given);
  return match === null ? given : `${match[1]}:${process.cwd()}/${match[2]}`;
}
