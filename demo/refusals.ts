/**
 * What is refused, and why. Each refusal differs from an accepted twin by one named change; the twin is a step
 * of the walk that passed before.
 */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuiltImage, provenanceArgs } from './chain.ts';
import { makeRepository, TAG } from './prepare.ts';
import type { Manifest } from './registry.ts';
import { isRefused, must, passes, reasonText, token } from './tools.ts';
import type { Walk } from './walk.ts';
import { byRelease, file, RELEASE_WORKFLOW, ref, releaseRun, type World } from './world.ts';

const CYCLONEDX = 'https://cyclonedx.org/bom';
const SLSA = 'https://slsa.dev/provenance/';

interface Scene {
  readonly world: World;
  readonly walk: Walk;
  readonly image: BuiltImage;
}

/** A copy of the image in a repository of its own, without anything attached. */
async function bareCopy(scene: Scene, repository: string): Promise<string> {
  const { world, image } = scene;
  await passes(
    ['copy', '--without-attachments', image.pinned, `${ref(world, repository)}:${TAG}`],
    world.run,
  );
  return `${ref(world, repository)}@${image.digest}`;
}

export async function signatureRefusals(world: World, walk: Walk, image: BuiltImage): Promise<void> {
  const scene = { world, walk, image };
  const { oidc = '' } = world.origins;
  const verifyArgs = ['verify', ...byRelease(world)];

  await walk.refusal('an unsigned image', 'the same image, copied without its signatures', async () => {
    const copy = await bareCopy(scene, 'acme/unsigned');
    return reasonText(await isRefused([...verifyArgs, copy], { exit: 10, code: 'WB-901' }, world.run));
  });

  await walk.refusal('right signature, wrong identity', 'signed by a workflow of mallory/api', async () => {
    const copy = await bareCopy(scene, 'acme/by-mallory');
    const mallory = await token(oidc, releaseRun('mallory/api', image.prepared.commit));
    await passes(['sign', '--identity-token', mallory, copy], world.run);
    return reasonText(await isRefused([...verifyArgs, copy], { exit: 14, code: 'WB-351' }, world.run));
  });

  await walk.refusal('right name, wrong issuer', 'the same name, vouched for by another issuer', async () => {
    const copy = await bareCopy(scene, 'acme/by-other-issuer');
    const other = await token(oidc, { realm: 'workload', sub: RELEASE_WORKFLOW });
    await passes(['sign', '--identity-token', other, copy], world.run);
    return reasonText(await isRefused([...verifyArgs, copy], { exit: 14, code: 'WB-350' }, world.run));
  });

  await walk.refusal(
    'a tampered image under the same tag',
    'one label of the configuration changed, the genuine signature hung onto it',
    async () => {
      await passes(['copy', image.pinned, `${ref(world, 'acme/tampered')}:${TAG}`], world.run);
      const tampered = await world.raw.tamper('acme/tampered', TAG);
      const moved = await transplant(scene, tampered, 'acme/tampered', (type) =>
        type.includes('cosign/sign'),
      );
      must(moved > 0, 'no signature to hang onto the tampered image');
      const given = `${ref(world, 'acme/tampered')}:${TAG}`;
      return reasonText(await isRefused([...verifyArgs, given], { exit: 12, code: 'WB-342' }, world.run));
    },
  );
}

function transplant(
  { world, image }: Scene,
  target: Manifest,
  repository: string,
  wanted: (type: string) => boolean,
): Promise<number> {
  return world.raw.transplant(
    { repository: image.repository, digest: image.digest },
    { repository, image: target },
    wanted,
  );
}

export async function attestationRefusals(world: World, walk: Walk, image: BuiltImage): Promise<void> {
  const scene = { world, walk, image };
  const other = await otherImage(scene);

  await walk.refusal('the SBOM of another image', 'the attestation is about another digest', async () => {
    const moved = await transplant(scene, other.manifest, other.repository, (type) => type === CYCLONEDX);
    must(moved === 1, `${moved} SBOM attestations moved`);
    const args = ['verify-attestation', '--type', 'cyclonedx', ...byRelease(world), other.pinned];
    return reasonText(await isRefused(args, { exit: 12, code: 'WB-342' }, world.run));
  });

  await walk.refusal(
    'provenance from another repository',
    'built from mallory/api by the same builder',
    async () => {
      return reasonText(
        await isRefused(
          [...provenanceArgs(world, image), other.pinned],
          { exit: 12, code: 'WB-708' },
          world.run,
        ),
      );
    },
  );

  await walk.refusal(
    'provenance forged inside the build',
    'the genuine predicate, signed by the workflow instead of the builder',
    async () => {
      const copy = await bareCopy(scene, 'acme/forged');
      const predicate = await genuinePredicate(scene);
      await passes(
        [
          'attest',
          '--identity-token',
          image.token,
          '--type',
          'slsaprovenance1',
          '--predicate',
          predicate,
          copy,
        ],
        world.run,
      );
      const args = [...provenanceArgs(world, image), copy];
      return reasonText(await isRefused(args, { exit: 14, code: 'WB-350' }, world.run));
    },
  );
}

interface OtherImage {
  readonly repository: string;
  readonly pinned: string;
  readonly manifest: Manifest;
}

/** An image built by the same builder from another repository: honest, but not ours. */
async function otherImage({ world }: Scene): Promise<OtherImage> {
  const folder = join(world.work, 'mallory', 'api');
  makeRepository(folder, (to) => {
    cpSync('LICENSE', join(to, 'LICENSE'));
    writeFileSync(
      join(to, 'waybill-build.yaml'),
      [
        'version: 1',
        'steps: ["cp \\"$WAYBILL_SOURCE/LICENSE\\" \\"$WAYBILL_OUTPUT/\\""]',
        'image: { layers: [{ from: ., to: /app }] }',
        '',
      ].join('\n'),
    );
  });
  const source = 'https://github.com/mallory/api';
  const repository = 'mallory/api';
  const built = await passes<{ result: { images: string[] } }>(
    [
      ...['build', '--source', source, '--mirror', `${source}=${folder}`, '--ref', `refs/tags/${TAG}`],
      ...['--output', `${ref(world, repository)}:${TAG}`, '--builder-uri', 'https://builder.acme.example'],
    ],
    world.run,
  );
  const pinned = built.result.images[0] ?? '';
  return { repository, pinned, manifest: await world.raw.manifest(repository, TAG) };
}

/** The predicate our builder signed, taken from the registry as a build step could. */
async function genuinePredicate({ world, image }: Scene): Promise<string> {
  const shown = await passes<{ provenance: { predicateType: string; predicate: object }[] }>(
    ['provenance', 'show', image.pinned],
    world.run,
  );
  const genuine = shown.provenance.find((one) => one.predicateType === `${SLSA}v1`);
  must(genuine !== undefined, 'no provenance v1 to forge');
  const path = file(world, 'forged.json');
  writeFileSync(path, JSON.stringify(genuine.predicate));
  return path;
}
