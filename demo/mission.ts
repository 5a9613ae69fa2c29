/** The rest of the mission: checklist, lint, doctor, promotion, other tools' words, and a wiped registry. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuiltImage } from './chain.ts';
import { clusterPolicy, type Signer } from './policies.ts';
import { TAG } from './prepare.ts';
import { isRefused, must, passes, reasonText, waybill } from './tools.ts';
import type { Walk } from './walk.ts';
import { isolatedWorkflow, selfMadeWorkflow } from './workflows.ts';
import { file, githubIssuer, RELEASE_WORKFLOW, ref, SOURCE, type World, workloadIssuer } from './world.ts';

export async function lintAndDoctor(world: World, walk: Walk): Promise<void> {
  await walk.step(
    'policy lint: the corrected policy of the guide is clean, its own text is not',
    async () => {
      const signer: Signer = {
        subject: `${SOURCE}/.github/workflows/release.yml@refs/tags/*`,
        issuer: githubIssuer(world),
      };
      const good = file(world, 'lint-good.yaml');
      writeFileSync(good, clusterPolicy('ghcr.io/acme/*', signer));
      await passes(['policy', 'lint', good], world.run);
      // The guide's condition: predicate fields are at the root, element.predicate is nothing.
      const bad = file(world, 'lint-bad.yaml');
      const text = clusterPolicy('ghcr.io/acme/*', signer, signer);
      writeFileSync(
        bad,
        text.replace('buildDefinition.external', 'element.predicate.buildDefinition.external'),
      );
      const { code, stdout } = await waybill(['policy', 'lint', bad, '--json'], world.run);
      must(code === 2, `exit ${code}`);
      must(stdout.includes('element.predicate'), stdout);
      return { detail: 'element.predicate is found (exit 2)', value: undefined };
    },
  );
  await walk.step(
    'doctor workflow: provenance in a job of its own is L3-ready, in the build job it is not',
    async () => {
      const good = file(world, 'release.yml');
      writeFileSync(good, isolatedWorkflow);
      const ready = await waybill(['doctor', 'workflow', good], world.run);
      must(ready.code === 0 && ready.stdout.includes('L3-ready'), `exit ${ready.code}\n${ready.stdout}`);
      const bad = file(world, 'self-made.yml');
      writeFileSync(bad, selfMadeWorkflow);
      const lesser = await waybill(['doctor', 'workflow', bad], world.run);
      must(
        lesser.code === 2 && lesser.stdout.includes('L2 because'),
        `exit ${lesser.code}\n${lesser.stdout}`,
      );
      return { detail: 'L3-ready; L2 because …', value: undefined };
    },
  );
}

export async function promote(world: World, walk: Walk, image: BuiltImage): Promise<void> {
  const policy = file(world, 'cluster-policy.yaml');
  const mirror = `ghcr.io/acme/*=${world.registryHost}/acme/*`;
  const args = ['promote', '--policy', policy, '--mirror', mirror, '--identity-token', image.token];
  const production = `${ref(world, 'production/api')}:${TAG}`;
  await walk.step(
    'promote: verified, copied with everything attached, verified again, VSA signed',
    async () => {
      await passes([...args, `ghcr.io/acme/api:${TAG}`, production], world.run);
      const identity = [
        '--certificate-identity',
        RELEASE_WORKFLOW,
        '--certificate-oidc-issuer',
        githubIssuer(world),
      ];
      const target = `${ref(world, 'production/api')}@${image.digest}`;
      await passes(['verify-attestation', '--type', 'vsa', ...identity, target], world.run);
      await passes(['verify', ...identity, target], world.run);
      return { detail: `${production} with a verification summary`, value: undefined };
    },
  );
  await walk.refusal(
    'promotion of another workflow’s image',
    'signed by a workflow of mallory/api',
    async () => {
      const outcome = await waybill(
        [...args, `ghcr.io/acme/by-mallory:${TAG}`, `${ref(world, 'production/rogue')}:${TAG}`, '--json'],
        world.run,
      );
      must(outcome.code === 2, `exit ${outcome.code}`);
      const left = await waybill(['digest', `${ref(world, 'production/rogue')}:${TAG}`], world.run);
      must(left.code === 11, 'something was copied');
      return 'denied by the policy (exit 2); nothing was copied';
    },
  );
  await walk.step('promote: a target tag that holds another digest stays as it is', async () => {
    const held = `${ref(world, 'production/held')}:${TAG}`;
    await passes(['copy', '--without-attachments', `${ref(world, 'mallory/api')}:${TAG}`, held], world.run);
    const outcome = await waybill([...args, `ghcr.io/acme/api:${TAG}`, held, '--json'], world.run);
    must(outcome.code !== 0, 'the tag was moved');
    const { reason } = JSON.parse(outcome.stdout.trim().split('\n').at(-1) ?? '') as {
      reason: Parameters<typeof reasonText>[0];
    };
    return { detail: reasonText(reason), value: undefined };
  });
}

/** The guide's whole checklist on one image, against a profile. */
export async function checklist(world: World, walk: Walk, image: BuiltImage): Promise<void> {
  const profile = file(world, 'waybill.yaml');
  const builder = builderSigner(world, image);
  writeFileSync(
    profile,
    [
      'schema: waybill.dev/profile/v1',
      `identity: { glob: ${JSON.stringify(`${SOURCE}/.github/workflows/release.yml@refs/tags/*`)} }`,
      `issuer: ${githubIssuer(world)}`,
      'source: github.com/acme/api',
      `tag: ${TAG}`,
      `builder: { id: ${JSON.stringify(builder.subject)}, issuer: ${builder.issuer} }`,
      'thresholds: { severity: high, scanAgeDays: 7, allowSampleDatabase: true }',
      'base: scratch',
      'policies: [cluster-policy.yaml]',
      `mirror: ["ghcr.io/acme/*=${world.registryHost}/acme/*"]`,
      '',
    ].join('\n'),
  );
  interface Check {
    readonly items: readonly { readonly id: string; readonly answer: string; readonly evidence: unknown }[];
  }
  const args = ['check', '--profile', profile];
  await walk.step('check: the whole checklist, every answer with its evidence', async () => {
    const { items } = await passes<Check>([...args, `ghcr.io/acme/api@${image.digest}`], world.run);
    must(items.length >= 8 && items.every((item) => item.answer === 'yes'), JSON.stringify(items));
    return { detail: items.map((item) => `${item.id}: ${item.answer}`).join(', '), value: undefined };
  });
  await walk.refusal(
    'the checklist on an unsigned image',
    'the same image without its signatures',
    async () => {
      const unsigned = [...args, `ghcr.io/acme/unsigned@${image.digest}`, '--json'];
      const { code, stdout } = await waybill(unsigned, world.run);
      const { items } = JSON.parse(stdout) as Check;
      const no = items.filter((item) => item.answer === 'no').map((item) => item.id);
      must(code === 2 && no.includes('signature'), `exit ${code}, no: ${no.join(', ')}`);
      return `exit 2; no: ${no.join(', ')}`;
    },
  );
}

/** The page of the stack about the image: the chain as a picture, the verdicts in words. */
export async function page(world: World, walk: Walk, image: BuiltImage): Promise<void> {
  await walk.step('page: the chain of the image as a picture, with the verdict in words', async () => {
    const url = `${world.origins['audit']}/image/${image.digest}?in=acme/api`;
    const response = await fetch(url);
    const html = await response.text();
    must(response.status === 200, `status ${response.status}`);
    must(html.includes('<svg'), `no picture on ${url}`);
    // Long names may be broken by elements.
    const text = html.replace(/<[^>]*>/g, '');
    for (const part of [image.digest, RELEASE_WORKFLOW]) must(text.includes(part), `no ${part} on ${url}`);
    return { detail: `${url}, ${Math.round(html.length / 1024)} KiB`, value: undefined };
  });
}

/** The words of other tools, on the same verifier. */
export async function otherWords(world: World, walk: Walk, image: BuiltImage): Promise<void> {
  await walk.step('compat: in the words of cosign and rekor-cli, the same answers', async () => {
    const verify = ['cosign', 'verify', '--certificate-identity', RELEASE_WORKFLOW];
    const cosign = await waybill(
      [...verify, '--certificate-oidc-issuer', githubIssuer(world), image.pinned],
      world.run,
    );
    must(cosign.code === 0, `cosign: exit ${cosign.code}\n${cosign.stderr}`);
    const rekor = ['rekor-cli', 'search', '--sha', image.digest.slice('sha256:'.length)];
    const search = await waybill([...rekor, '--rekor_server', world.origins['log'] ?? ''], world.run);
    const found = search.stdout.split('\n').filter((line) => /^[0-9a-f]{64,80}$/.test(line.trim())).length;
    must(
      search.code === 0 && found >= 5,
      `rekor-cli: exit ${search.code}, ${found} entries\n${search.stderr}`,
    );
    return { detail: `cosign verified, rekor-cli found ${found} entries`, value: undefined };
  });
}

/** The registry is lost and the stack starts again: the answer of the log is the same. */
export async function afterTheFire(
  world: World,
  walk: Walk,
  digest: string,
  restart: (wipe: () => void) => Promise<World>,
): Promise<World> {
  interface Lineage {
    readonly steps: readonly { readonly what: string; readonly logIndex: number; readonly origin: string }[];
  }
  const ask = async (at: World): Promise<string> => {
    const { steps } = await passes<Lineage>(['audit', 'search', digest], at.run);
    return steps.map(({ what, logIndex, origin }) => `${origin} #${logIndex} ${what}`).join('\n');
  };
  const before = await ask(world);
  return walk.step('audit: the registry wiped, the stack started again, the same answer', async () => {
    const again = await restart(() =>
      rmSync(join(world.stackDir, 'registry'), { recursive: true, force: true }),
    );
    const after = await ask(again);
    must(after === before, `before:\n${before}\nafter:\n${after}`);
    const gone = await isRefused(
      ['digest', `${ref(again, 'acme/api')}:${TAG}`],
      { exit: 11, code: 'WB-502' },
      again.run,
    );
    return {
      detail: `${before.split('\n').length} entries as before; the image itself is gone (${gone.code})`,
      value: again,
    };
  });
}

export const builderSigner = (world: World, image: BuiltImage): Signer => ({
  subject: image.builderId,
  issuer: workloadIssuer(world),
});
