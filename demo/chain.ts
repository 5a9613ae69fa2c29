/** The walk over the image waybill builds of itself: every station once, each result asserted. */
import { type Prepared, prepare, TAG } from './prepare.ts';
import { must, passes, token, waybill } from './tools.ts';
import type { Walk } from './walk.ts';
import {
  BUILDER_ID,
  byRelease,
  file,
  RELEASE_WORKFLOW,
  ref,
  releaseRun,
  SOURCE,
  type World,
  workloadIssuer,
} from './world.ts';

export interface BuiltImage {
  readonly repository: string;
  readonly tagged: string;
  readonly digest: string;
  readonly pinned: string;
  readonly builderId: string;
  readonly prepared: Prepared;
  /** Identity token of the release workflow. */
  readonly token: string;
}

interface BuildResult {
  readonly result: {
    readonly images: readonly string[];
    readonly builderId: string;
    readonly backend?: string;
    readonly level: { readonly level: number; readonly notMore: readonly string[] };
    readonly source: { readonly commit: string };
  };
}

export async function buildImage(world: World, walk: Walk): Promise<BuiltImage> {
  const prepared = await walk.step('prepare: commit the service, gather its declared inputs', async () => {
    const value = prepare(world.work);
    return {
      detail: `${SOURCE} ${TAG} at ${value.commit.slice(0, 12)}, ${value.files} dependency files`,
      value,
    };
  });
  const tagged = `${ref(world, 'acme/api')}:${TAG}`;
  return walk.step('build: from the commit, isolated, pushed by digest, provenance signed', async () => {
    const built = await passes<BuildResult>(
      [
        ...['build', '--source', SOURCE, '--mirror', `${SOURCE}=${prepared.repository}`],
        ...['--ref', `refs/tags/${TAG}`, '--output', tagged, '--builder-uri', 'https://builder.acme.example'],
        ...['--input', `dependencies=${prepared.dependencies}`, '--input', `runtime=${prepared.runtime}`],
      ],
      world.run,
    );
    const { images, builderId, level, source } = built.result;
    const pinned = images[0] ?? '';
    const digest = pinned.slice(pinned.indexOf('@') + 1);
    must(/^sha256:[0-9a-f]{64}$/.test(digest), `no digest in ${pinned}`);
    must(source.commit === prepared.commit, `built from ${source.commit}, not ${prepared.commit}`);
    must(builderId.startsWith(BUILDER_ID), `builder ${builderId}`);
    const value: BuiltImage = {
      repository: 'acme/api',
      tagged,
      digest,
      pinned,
      builderId,
      prepared,
      token: await token(world.origins['oidc'] ?? '', releaseRun('acme/api', prepared.commit)),
    };
    const why = level.notMore.length === 0 ? '' : ` (${level.notMore.join('; ')})`;
    return { detail: `${digest}\nbuilder ${builderId}, SLSA Build L${level.level}${why}`, value };
  });
}

export async function signAndAttest(world: World, walk: Walk, image: BuiltImage): Promise<void> {
  await resolveAndScan(world, walk, image.tagged, image.digest);
  await walk.step('sign: keyless, both layouts, verified before it counts', async () => {
    const signed = await passes<{ images: { attached: string[] }[] }>(
      ['sign', '--identity-token', image.token, '--format', 'both', image.pinned],
      world.run,
    );
    const attached = signed.images[0]?.attached ?? [];
    must(attached.length === 2, `attached ${attached.length} signatures`);
    return { detail: `by ${RELEASE_WORKFLOW}`, value: undefined };
  });
  await attestBoth(world, walk, image.pinned, image.token);
}

/** Resolve, SBOM, scan: the steps any image can take. */
export async function resolveAndScan(
  world: World,
  walk: Walk,
  given: string,
  digest?: string,
): Promise<string> {
  const resolved = await walk.step('resolve: the tag becomes a digest, once', async () => {
    const { digest: found } = await passes<{ digest: string }>(['digest', given], world.run);
    must(digest === undefined || found === digest, `${found} instead of ${digest}`);
    return { detail: `${given} → ${found}`, value: found };
  });
  await walk.step('sbom: every layer streamed once, CycloneDX 1.6', async () => {
    const path = file(world, 'sbom.cdx.json');
    const sbom = await passes<{ packages: number; unknowns: readonly unknown[] }>(
      ['sbom', given, '-o', `cyclonedx-json=${path}`],
      world.run,
    );
    must(sbom.packages > 0, 'no package found');
    return {
      detail: `${sbom.packages} packages, ${sbom.unknowns.length} files that could not be read`,
      value: 0,
    };
  });
  await walk.step('scan: the SBOM against advisories, gate at high', async () => {
    const args = ['scan', `sbom:${file(world, 'sbom.cdx.json')}`, '--fail-on', 'high', '--allow-sample-db'];
    const vuln = ['-o', `cosign-vuln=${file(world, 'vuln.json')}`, '--json', '--quiet'];
    const { code, stdout, stderr } = await waybill([...args, ...vuln], world.run);
    // An image of the user's may have findings: then the gate says so, and the walk goes on.
    must(code === 0 || (code === 2 && digest === undefined), `exit ${code}\n${stderr}`);
    const report = JSON.parse(stdout) as { findings: readonly unknown[] };
    const gate = code === 0 ? 'the gate passes' : 'THE GATE FAILS (exit 2)';
    return { detail: `${report.findings.length} findings, ${gate}; SAMPLE advisories only`, value: 0 };
  });
  return resolved;
}

export async function attestBoth(world: World, walk: Walk, pinned: string, by: string): Promise<void> {
  for (const [type, name, path] of [
    ['cyclonedx', 'SBOM', 'sbom.cdx.json'],
    ['vuln', 'vulnerability report', 'vuln.json'],
  ] as const) {
    await walk.step(`attest: the ${name}`, async () => {
      const { images } = await passes<{ images: readonly { predicateType: string }[] }>(
        ['attest', '--identity-token', by, '--type', type, '--predicate', file(world, path), pinned],
        world.run,
      );
      return { detail: images.map((one) => one.predicateType).join(', '), value: undefined };
    });
  }
}

interface Verified {
  readonly images: readonly { readonly digest: string; readonly accepted: readonly unknown[] }[];
}

/** The guide's Verify section, one to four; the fifth is the admission. */
export async function verifySteps(
  world: World,
  walk: Walk,
  pinned: string,
  who: { readonly identity: readonly string[]; readonly builder?: readonly string[] },
): Promise<void> {
  const verified = async (args: readonly string[]): Promise<{ detail: string; value: undefined }> => {
    const { images } = await passes<Verified>([...args, pinned], world.run);
    const [image] = images;
    must(
      image !== undefined && pinned.endsWith(image.digest) && image.accepted.length > 0,
      'nothing accepted',
    );
    return { detail: `${image.accepted.length} accepted`, value: undefined };
  };
  await walk.step('verify 1: a signature by the expected identity', () =>
    verified(['verify', ...who.identity]),
  );
  await walk.step('verify 2: an SBOM attestation', () =>
    verified(['verify-attestation', '--type', 'cyclonedx', ...who.identity]),
  );
  if (who.builder !== undefined) {
    const builder = who.builder;
    await walk.step('verify 3: a provenance attestation by the builder', () =>
      verified(['verify-attestation', '--type', 'slsaprovenance', ...builder]),
    );
  }
}

/** The flags that say "signed by our builder". */
export const byBuilder = (world: World, image: BuiltImage): string[] => [
  '--certificate-identity',
  image.builderId,
  '--certificate-oidc-issuer',
  workloadIssuer(world),
];

/** slsa-verifier's question: built from this source and tag, by this builder? */
export const provenanceArgs = (world: World, image: BuiltImage): string[] => [
  ...['provenance', 'verify', '--source-uri', 'github.com/acme/api', '--source-tag', TAG],
  ...['--builder-id', image.builderId, '--certificate-oidc-issuer', workloadIssuer(world)],
];

export async function verifyChain(world: World, walk: Walk, image: BuiltImage): Promise<void> {
  const identity = byRelease(world);
  await verifySteps(world, walk, image.pinned, { identity, builder: byBuilder(world, image) });
  await walk.step('provenance: from the expected source and tag, by the expected builder', async () => {
    const verified = await passes<{ checked: readonly { predicateType: string; sourceUri: string }[] }>(
      [...provenanceArgs(world, image), image.pinned],
      world.run,
    );
    must(verified.checked.length === 2, `${verified.checked.length} statements checked`);
    return { detail: verified.checked.map((one) => one.predicateType).join('\n'), value: undefined };
  });
}
