/**
 * The place of the storm: images really signed by a stack, which is then stopped. Only the registry comes back,
 * and counts; where the other stations listened, something counts connections and answers none.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unwrap } from '#base/result';
import { signImage } from '#flows/sign-image';
import { parseSigningConfig } from '#formats/signing-config';
import { parseTrustedRoot } from '#formats/trusted-root';
import { Registry } from '#oci';
import { httpTransport } from '#platform/http-client';
import { createHttpServer, listen } from '#platform/http-server';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { registerRegistry } from '#services/registry';
import { createSigner, servicesFrom } from '#sign';
import { composeStack, fetchDevelopmentToken, type Stack } from '#stack';
import { trustMaterial } from '#verify';
import { putImage } from '../oci/helpers.ts';

/** The enterprise pair: own images by the own release workflow, platform images by the platform's person. */
const kinds = [
  { kind: 'own image by the own identity', registry: 'ghcr.io/acme', signer: 'own', isGood: true },
  { kind: 'platform image by the platform', registry: 'registry.k8s.io', signer: 'platform', isGood: true },
  { kind: 'own image by the own identity', registry: 'ghcr.io/acme', signer: 'own', isGood: true },
  { kind: 'own image by the platform', registry: 'ghcr.io/acme', signer: 'platform', isGood: false },
  { kind: 'platform image by the platform', registry: 'registry.k8s.io', signer: 'platform', isGood: true },
  { kind: 'platform image by the own identity', registry: 'registry.k8s.io', signer: 'own', isGood: false },
  { kind: 'own image by the own identity', registry: 'ghcr.io/acme', signer: 'own', isGood: true },
  { kind: 'own image by another workflow', registry: 'ghcr.io/acme', signer: 'stranger', isGood: false },
  { kind: 'own image by the own identity', registry: 'ghcr.io/acme', signer: 'own', isGood: true },
  { kind: 'own image signed by nobody', registry: 'ghcr.io/acme', signer: 'nobody', isGood: false },
] as const;

type SignerName = (typeof kinds)[number]['signer'];

export interface StormImage {
  readonly kind: string;
  /** `ghcr.io/acme/s0`: the name in the Pod; the bytes lie behind a mirror. */
  readonly repository: string;
  readonly digest: string;
  readonly isGood: boolean;
}

export interface StormWorld {
  readonly images: readonly StormImage[];
  /** What follows `serve admission`. */
  readonly webhookArgs: readonly string[];
  /** Requests at the registry since it came back: `GET /v2/…`. */
  readonly requests: readonly string[];
  /** Connections to each station that is stopped. */
  readonly connections: ReadonlyMap<string, number>;
  /** Their ports. */
  readonly stopped: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

export async function stormWorld(digests: number): Promise<StormWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-storm-'));
  const closers: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const stack = await composeStack({
      dataDir: join(folder, 'stack'),
      lockDir: join(folder, 'locks'),
      logLevel: 'silent',
    });
    let images: StormImage[];
    try {
      images = await signedImages(stack, digests);
    } finally {
      await stack.close();
    }
    const requests: string[] = [];
    closers.push(await countingRegistry(stack, requests));
    const guards = await guardPorts(stack);
    closers.push(guards.close);
    const policy = join(folder, 'pair.yaml');
    await writeFile(policy, pairPolicy(stack.origins.oidc));
    const webhookArgs = [
      ...['--policy', policy, '--stack', stack.dataDir],
      ...['--mirror', `ghcr.io/acme/*=${stack.registryHost}/own/*`],
      ...['--mirror', `registry.k8s.io/*=${stack.registryHost}/platform/*`],
    ];
    const { connections, ports: stopped } = guards;
    return { images, webhookArgs, requests, connections, stopped, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const PLATFORM = 'release@platform.example';
const WORKFLOW = 'https://github.com/acme/api/.github/workflows/release.yml@refs/tags/*';

const pairPolicy = (issuer: string): string => {
  const rule = (images: string, subject: string, by: string): string => `
        - imageReferences: ["${images}"]
          type: SigstoreBundle
          failureAction: Enforce
          attestors:
            - entries: [{keyless: {subject: "${subject}", issuer: "${by}", rekor: {url: "https://rekor.example"}}}]`;
  return `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: platform-and-own}
spec:
  rules:
    - name: by-registry
      match: {any: [{resources: {kinds: [Pod]}}]}
      verifyImages:${rule('ghcr.io/acme/*', WORKFLOW, `${issuer}/github`)}${rule('registry.k8s.io/*', PLATFORM, issuer)}
`;
};

async function signedImages(stack: Stack, count: number): Promise<StormImage[]> {
  const transport = httpTransport();
  const registry = new Registry({ transport, random: systemRandom });
  const trustedRoot = unwrap(parseTrustedRoot(stack.published.trustedRoot));
  const material = trustMaterial(trustedRoot);
  const config = unwrap(parseSigningConfig(stack.published.signingConfig));
  const services = servicesFrom(config, { now: systemClock.now(), random: systemRandom });
  const wire = { transport, clock: systemClock, random: systemRandom };
  const signerOf = (name: Exclude<SignerName, 'nobody'>) => {
    const token = () => fetchDevelopmentToken(stack.origins, tokenRequests[name], transport);
    return createSigner({ ...wire, services, trustedRoot, identity: { kind: 'token', token } });
  };
  const options = { format: 'bundle', annotations: {}, recursive: false } as const;
  const images: StormImage[] = [];
  for (let i = 0; i < count; i++) {
    const { kind, registry: host, signer, isGood } = kinds[i % kinds.length] as (typeof kinds)[number];
    const repository = `${host === 'ghcr.io/acme' ? 'own' : 'platform'}/s${i}`;
    const place = registry.repository({ registry: stack.registryHost, repository });
    const { digest } = await putImage(place, `image ${i}`, { tag: 'v1' });
    if (signer !== 'nobody') {
      const deps = { registry, signer: signerOf(signer), trustedRoot: material, clock: systemClock };
      await signImage(`${stack.registryHost}/${repository}@${digest}`, options, deps);
    }
    images.push({ kind, repository: `${host}/s${i}`, digest, isGood });
  }
  return images;
}

const sha = '0'.repeat(40);
const tokenRequests = {
  own: { github: { repository: 'acme/api', ref: 'refs/tags/v1.4.2', sha }, aud: 'sigstore' },
  stranger: { github: { repository: 'mallory/api', ref: 'refs/tags/v1.4.2', sha }, aud: 'sigstore' },
  platform: { email: PLATFORM, aud: 'sigstore' },
};

/** The registry alone, on the same data and at the same address. */
async function countingRegistry(stack: Stack, requests: string[]): Promise<() => Promise<void>> {
  const app = createHttpServer({ log: createLogger('registry', 'silent'), bodyBytesMax: 1 << 20 });
  app.addHook('onRequest', (request, _reply, done) => {
    requests.push(`${request.method} ${request.url}`);
    done();
  });
  const service = await registerRegistry(app, { dataDir: join(stack.dataDir, 'registry') });
  await listen(app, '127.0.0.1', Number(new URL(stack.origins.registry).port));
  return async () => {
    await app.close();
    service.close();
  };
}

async function guardPorts(stack: Stack) {
  const connections = new Map<string, number>();
  const ports = new Map<string, number>();
  const servers: Server[] = [];
  for (const [name, origin] of Object.entries(stack.origins)) {
    if (name === 'registry') continue;
    const port = Number(new URL(origin).port);
    connections.set(name, 0);
    ports.set(name, port);
    const server = createServer((socket) => {
      connections.set(name, (connections.get(name) ?? 0) + 1);
      socket.destroy();
    });
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen(port, '127.0.0.1', done);
    });
    servers.push(server);
  }
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  };
  return { connections, ports, close };
}
