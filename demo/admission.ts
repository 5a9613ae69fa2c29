/** Admission: the webhook as a server of its own, asked over HTTPS as an API server would. */
import { writeFileSync } from 'node:fs';
import { type BuiltImage, byBuilder } from './chain.ts';
import { clusterImagePolicy, clusterPolicy, review, type Signer } from './policies.ts';
import { TAG } from './prepare.ts';
import { isRefused, must, passes, postJson, type Server, serve, waybill } from './tools.ts';
import type { Walk } from './walk.ts';
import { file, githubIssuer, PERSON, SOURCE, type World, workloadIssuer } from './world.ts';

interface Answer {
  readonly allowed: boolean;
  readonly patch?: string;
  readonly status?: { readonly message?: string };
  readonly warnings?: readonly string[];
}

class Webhook {
  readonly #server: Server;
  readonly #ca: string;

  constructor(server: Server) {
    this.#server = server;
    this.#ca = Buffer.from(String(server.ready['caBundle']), 'base64').toString();
  }

  async ask(path: '/mutate' | '/validate', image: string, namespace = 'shop'): Promise<Answer> {
    const url = `${this.#server.ready['origin']}${path}`;
    const answer = await postJson(url, review(image, namespace), this.#ca);
    const response = answer['response'] as (Answer & { uid?: string }) | undefined;
    must(response?.uid === '7f0b2891-916f-4ed6-b7cd-27bff1815a8c', 'the answer is for another request');
    return response;
  }

  /** Both hooks: the mutating one pins, the validating one judges what was pinned. */
  async judge(
    image: string,
    namespace = 'shop',
  ): Promise<{ readonly allowed: boolean; readonly message: string; readonly warnings: readonly string[] }> {
    const mutated = await this.ask('/mutate', image, namespace);
    const pinned = pinnedBy(mutated.patch ?? '');
    const answer = mutated.allowed ? await this.ask('/validate', pinned, namespace) : mutated;
    return {
      allowed: answer.allowed,
      message: answer.status?.message ?? '',
      warnings: answer.warnings ?? [],
    };
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}

export async function openWebhook(
  world: World,
  policy: string,
  mirror: string,
  extra: readonly string[] = [],
): Promise<Webhook> {
  const args = ['serve', 'admission', '--policy', policy, '--listen', '127.0.0.1:0', '--mirror', mirror];
  return new Webhook(await serve([...args, ...extra, '--log-level', 'error'], 'webhook', world.run));
}

/** Asks both hooks: the mutating one pins, the validating one judges what was pinned. */
async function admit(webhook: Webhook, image: string, digest: string): Promise<string> {
  const mutated = await webhook.ask('/mutate', image);
  must(mutated.allowed, mutated.status?.message ?? 'refused');
  const pinned = pinnedBy(mutated.patch ?? '');
  must(pinned.endsWith(`@${digest}`), `pinned to ${pinned || 'nothing'}`);
  const validated = await webhook.ask('/validate', pinned);
  must(validated.allowed, validated.status?.message ?? 'refused');
  return `${image}\n→ ${pinned}`;
}

/** The image a JSONPatch puts in place. */
function pinnedBy(patch: string): string {
  const operations = JSON.parse(Buffer.from(patch, 'base64').toString() || '[]') as {
    op: string;
    value?: unknown;
  }[];
  return String(operations.find(({ op }) => op === 'replace' || op === 'add')?.value ?? '');
}

/** The denial of the webhook, which must name the image and each of `parts`. */
async function denied(webhook: Webhook, image: string, parts: readonly string[]): Promise<string> {
  const { allowed, message } = await webhook.judge(image);
  must(!allowed, 'the Pod was admitted');
  for (const part of parts) must(message.includes(part), `the message does not say ${part}: ${message}`);
  return message;
}

export async function admitBuilt(world: World, walk: Walk, image: BuiltImage): Promise<void> {
  const release: Signer = {
    subject: `${SOURCE}/.github/workflows/release.yml@refs/tags/*`,
    issuer: githubIssuer(world),
  };
  const builder: Signer = { subject: byBuilder(world, image)[1] ?? '', issuer: workloadIssuer(world) };
  const policy = file(world, 'cluster-policy.yaml');
  writeFileSync(policy, clusterPolicy('ghcr.io/acme/*', release, builder));
  // The guide's names: what it calls ghcr.io/acme lies in the stack's registry.
  const mirror = `ghcr.io/acme/*=${world.registryHost}/acme/*`;
  const webhook = await walk.step('serve admission: a ClusterPolicy, over HTTPS', async () => {
    const value = await openWebhook(world, policy, mirror);
    return { detail: 'signature by the release workflow and provenance by the builder', value };
  });
  try {
    await walk.step('admit: a Pod by tag, pinned to the digest', async () => ({
      detail: await admit(webhook, `ghcr.io/acme/api:${TAG}`, image.digest),
      value: undefined,
    }));
    await walk.refusal(
      'verify 5: a Pod with an unsigned image',
      'the same image without its signatures',
      () =>
        denied(webhook, `ghcr.io/acme/unsigned:${TAG}`, [
          'ghcr.io/acme/unsigned',
          'expected',
          'no signature is attached',
        ]),
    );
    await walk.refusal('a Pod with another workflow’s image', 'signed by a workflow of mallory/api', () =>
      denied(webhook, `ghcr.io/acme/by-mallory:${TAG}`, [
        'ghcr.io/acme/by-mallory',
        'mallory/api',
        release.subject,
      ]),
    );
    await walk.refusal('a Pod with the tampered image', 'the tag names another digest now', () =>
      denied(webhook, `ghcr.io/acme/tampered:${TAG}`, ['ghcr.io/acme/tampered', 'expected']),
    );
    await walk.refusal(
      'a Pod whose provenance the builder did not sign',
      'signed by the workflow instead',
      async () => {
        await passes(
          ['sign', '--identity-token', image.token, `${world.registryHost}/acme/forged:${TAG}`],
          world.run,
        );
        return denied(webhook, `ghcr.io/acme/forged:${TAG}`, [
          'ghcr.io/acme/forged',
          'slsa.dev/provenance/v1',
        ]);
      },
    );
  } finally {
    await webhook.stop();
  }
  await policyTest(world, walk, mirror, release);
}

async function policyTest(world: World, walk: Walk, mirror: string, release: Signer): Promise<void> {
  const policy = file(world, 'cluster-image-policy.yaml');
  const exact = release.subject.replace(/\*$/, TAG);
  writeFileSync(policy, clusterImagePolicy('ghcr.io/acme/**', { ...release, subject: exact }));
  const args = ['policy', 'test', '--policy', policy, '--mirror', mirror, '--image'];
  await walk.step('policy test: a ClusterImagePolicy, without a cluster', async () => {
    await passes([...args, `ghcr.io/acme/api:${TAG}`], world.run);
    return { detail: 'allows the signed image', value: undefined };
  });
  await walk.step('policy test: a misspelt field is an error, not a policy', async () => {
    const bad = file(world, 'misspelt.yaml');
    writeFileSync(bad, clusterImagePolicy('ghcr.io/acme/**', release).replace('authorities:', 'authorites:'));
    const misspelt = args.map((word) => (word === policy ? bad : word));
    const reason = await isRefused(
      [...misspelt, `ghcr.io/acme/api:${TAG}`],
      { exit: 3, code: 'WB-721' },
      world.run,
    );
    return { detail: `${reason.code} ${reason.check}: ${reason.actual}`, value: undefined };
  });
  await walk.refusal('policy test: the unsigned image', 'the same image without its signatures', async () => {
    const other = await waybill([...args, `ghcr.io/acme/unsigned:${TAG}`, '--json'], world.run);
    must(other.code === 2, `the unsigned image ended with exit ${other.code}`);
    return 'denied without a cluster, exit 2';
  });
}

/** For an image of the user's: signed by the person of the walk. */
export async function admitUserImage(world: World, walk: Walk, digest: string): Promise<void> {
  const policy = file(world, 'cluster-policy.yaml');
  writeFileSync(
    policy,
    clusterPolicy('demo.example/*', { subject: PERSON, issuer: world.origins['oidc'] ?? '' }),
  );
  const webhook = await openWebhook(world, policy, `demo.example/*=${world.registryHost}/yours/*`);
  try {
    await walk.step('admit: a Pod by tag, pinned to the digest', async () => ({
      detail: await admit(webhook, 'demo.example/image:demo', digest),
      value: undefined,
    }));
  } finally {
    await webhook.stop();
  }
}
