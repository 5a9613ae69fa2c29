/** What the tests with a real API server share: a stack, images in its registry, policies, a webhook, a cluster. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { generateKey } from '#base/crypto';
import { pemEncode } from '#formats/pem';
import { type AuthorityKey, selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { systemRandom } from '#platform/system';
import type { Stack } from '#stack';
import { startWebhookProcess, type WebhookProcess } from '../services/admission-process.ts';
import { ada, startStack, temporaryFolder } from '../stack/helper.ts';
import { type Kube, startKube } from './kube.ts';
import { pushImage, type Ran, runProgram } from './stack-image.ts';

export const eve = 'eve@example.com';
export const shop = 'shop';
export const leftAlone = 'left-alone';

/** A CA for the webhook's certificate. */
export class WebhookCa {
  readonly #authority: AuthorityKey;

  constructor(name: string) {
    this.#authority = selfSignedAuthority(name, generateKey('p256'), this.#issue());
  }

  get pem(): string {
    return pemEncode('CERTIFICATE', this.#authority.certificate.der);
  }

  /** A new key and certificate in the two files, the CA behind it. */
  async issueTo(files: { readonly cert: string; readonly key: string }): Promise<void> {
    const key = generateKey('p256');
    const hosts = ['127.0.0.1', 'waybill.waybill-system.svc'] as const;
    const leaf = serverCertificate(this.#authority, hosts, key.publicKey, this.#issue());
    await writeFile(files.key, key.exportPem(), { mode: 0o600 });
    await writeFile(files.cert, `${pemEncode('CERTIFICATE', leaf)}${this.pem}`);
  }

  #issue() {
    const now = Date.now();
    const serial = serialNumber(systemRandom.bytes(20));
    return { serial, notBefore: now - 300_000, notAfter: now + 3_600_000 };
  }
}

export interface KubeWorld {
  readonly kube: Kube;
  readonly stack: Stack;
  readonly webhook: WebhookProcess;
  readonly ca: WebhookCa;
  readonly tls: { readonly cert: string; readonly key: string };
  readonly folder: string;
  /** Digest by name below `ghcr.io/`. */
  readonly digests: ReadonlyMap<string, string>;
  waybill(...args: string[]): Promise<Ran>;
  /** `waybill stack connect kubernetes … | kubectl apply -f -`. */
  connect(caPem: string, ...args: string[]): Promise<void>;
  close(): Promise<void>;
}

const policy = (name: string, images: string, action: string, subject: string, issuer: string): string =>
  `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: ${name} }
spec:
  webhookConfiguration: { timeoutSeconds: 10 }
  rules:
    - name: signed
      match: { any: [{ resources: { kinds: [Pod] } }] }
      verifyImages:
        - imageReferences: ["${images}"]
          type: SigstoreBundle
          failureAction: ${action}
          ${action === 'Audit' ? 'mutateDigest: false' : ''}
          attestors:
            - entries:
                - keyless: { subject: "${subject}", issuer: "${issuer}", rekor: { url: "https://rekor.example" } }
`;

/** Signed by ada: acme/api. By eve: acme/by-eve. By nobody: acme/rogue, trial/app. */
export async function kubeWorld(): Promise<KubeWorld> {
  const folder = await temporaryFolder();
  const stack = await startStack();
  const environment = { HOME: folder, WAYBILL_STACK: stack.dataDir };
  const waybill = (...args: string[]): Promise<Ran> => runProgram(resolve('bin/waybill'), args, environment);
  const signers = new Map([
    ['acme/api', ada],
    ['acme/by-eve', eve],
  ]);
  const digests = new Map<string, string>();
  for (const name of ['acme/api', 'acme/by-eve', 'acme/rogue', 'trial/app']) {
    const image = await pushImage(stack.registryHost, name, name);
    digests.set(name, image.slice(image.indexOf('@') + 1));
    const signer = signers.get(name);
    if (signer === undefined) continue;
    const token = (await stack.mint({ sub: signer, email: signer })).reveal();
    must(await waybill('sign', '--identity-token', token, image));
  }
  const ca = new WebhookCa('first');
  await mkdir(join(folder, 'tls'));
  const tls = { cert: join(folder, 'tls', 'tls.crt'), key: join(folder, 'tls', 'tls.key') };
  await ca.issueTo(tls);
  const webhook = await openWebhook(stack, folder, tls);
  const kube = await startKube();
  for (const name of [shop, leftAlone]) must(await kube.kubectl('create', 'namespace', name));
  return {
    kube,
    stack,
    webhook,
    ca,
    tls,
    folder,
    digests,
    waybill,
    async connect(caPem, ...args) {
      const file = join(folder, 'ca.pem');
      await writeFile(file, caPem);
      const printed = must(await waybill('stack', 'connect', 'kubernetes', '--ca', file, ...args));
      must(await kube.apply(printed.stdout));
    },
    async close() {
      await kube.stop();
      await webhook.stop();
    },
  };
}

async function openWebhook(stack: Stack, folder: string, tls: KubeWorld['tls']): Promise<WebhookProcess> {
  const issuer = stack.origins.oidc;
  const files = { enforce: join(folder, 'enforce.yaml'), audit: join(folder, 'audit.yaml') };
  await writeFile(files.enforce, policy('require-signed', 'ghcr.io/acme/*', 'Enforce', ada, issuer));
  await writeFile(files.audit, policy('try-signed', 'ghcr.io/trial/*', 'Audit', ada, issuer));
  return startWebhookProcess(
    [
      ...['--policy', files.enforce, '--policy', files.audit],
      ...['--mirror', `ghcr.io/*=${stack.registryHost}/*`],
      ...['--tls-cert', tls.cert, '--tls-key', tls.key],
    ],
    { env: { WAYBILL_STACK: stack.dataDir } },
  );
}

export function must(ran: Ran): Ran {
  if (ran.code === 0) return ran;
  throw new Error(`exit ${ran.code}: ${ran.stderr}`);
}

/** A Pod of one container, unless `spec` says otherwise. */
export const pod = (name: string, image: string, spec: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: shop },
  spec: { containers: [{ name: 'app', image }], ...spec },
});

export async function until<T>(what: string, look: () => Promise<T | undefined>, msMax = 30_000): Promise<T> {
  const end = Date.now() + msMax;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${msMax} ms`);
    await new Promise((done) => setTimeout(done, 200));
  }
}

/** Waits until the API server asks the webhook: a new configuration counts after about a second. */
export async function inForce(kube: Kube): Promise<void> {
  await until('the webhook is in force', async () => {
    const { stderr } = await tryPod(kube, 'ghcr.io/acme/rogue:latest');
    return stderr.includes('denied the request') ? true : undefined;
  });
}

export const tryPod = (kube: Kube, image: string, namespace = shop): Promise<Ran> =>
  kube.kubectl('run', 'try', '-n', namespace, `--image=${image}`, '--dry-run=server');
