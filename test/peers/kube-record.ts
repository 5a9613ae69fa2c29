/**
 * `node test/peers/kube-record.ts`: writes test/services/admission-reviews/*.json anew: what a real
 * kube-apiserver asks a webhook, byte for byte but for indentation. The unit tests of the webhook read them.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { generateKey } from '#base/crypto';
import { pemEncode } from '#formats/pem';
import { selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { systemRandom } from '#platform/system';
import { kubernetesWebhooks } from '#stack';
import { type Kube, startKube } from './kube.ts';

const folder = join(import.meta.dirname, '../services/admission-reviews');
const [api, other] = ['ghcr.io/acme/api:v1.4.2', 'ghcr.io/acme/other:v2'];

interface Review {
  readonly request: { readonly kind: { readonly kind: string }; readonly namespace: string };
}

/** Admits everything and keeps what it was asked at /validate. */
class Recorder {
  readonly heard: Review[] = [];
  readonly caPem: string;
  readonly #server: Server;

  constructor() {
    const now = Date.now();
    const issue = () => ({
      serial: serialNumber(systemRandom.bytes(20)),
      notBefore: now - 60_000,
      notAfter: now + 3_600_000,
    });
    const key = generateKey('p256');
    const authority = selfSignedAuthority('recorder', generateKey('p256'), issue());
    const leaf = serverCertificate(authority, ['127.0.0.1'], key.publicKey, issue());
    this.caPem = pemEncode('CERTIFICATE', authority.certificate.der);
    const tls = { key: key.exportPem(), cert: pemEncode('CERTIFICATE', leaf) };
    this.#server = createServer(tls, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const review = JSON.parse(Buffer.concat(chunks).toString()) as Review & { request: { uid: string } };
        if (request.url?.startsWith('/validate') === true) this.heard.push(review);
        const { uid } = review.request;
        const answer = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' };
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ ...answer, response: { uid, allowed: true } }));
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const recorder = new Recorder();
const kube = await startKube();
try {
  const url = await recorder.listen();
  await passes(kube.kubectl('create', 'namespace', 'shop'));
  const address = { kind: 'url', url } as const;
  const webhooks = { address, caPem: recorder.caPem, now: Date.now(), withControllers: true };
  for (const configuration of kubernetesWebhooks(webhooks)) await passes(kube.apply(configuration));
  await until(async () => {
    await kube.kubectl('run', 'ready', '-n', 'shop', '--image=a', '--dry-run=server');
    return recorder.heard.length > 0;
  });
  await recordAll(kube);
} finally {
  await kube.stop();
  recorder.close();
}

async function recordAll({ kubectl, apply }: Kube): Promise<void> {
  await mkdir(folder, { recursive: true });
  const shop = ['-n', 'shop'];
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'api', namespace: 'shop' },
    spec: {
      initContainers: [{ name: 'wait', image: api }],
      containers: [
        { name: 'api', image: api },
        { name: 'helper', image: other },
      ],
      volumes: [{ name: 'data', image: { reference: other, pullPolicy: 'IfNotPresent' } }],
    },
  };
  await record('pod-create', 'Pod', () => apply(pod));
  await record('pod-update', 'Pod', () => kubectl('set', 'image', 'pod/api', ...shop, `helper=${api}`));
  await record('ephemeral-containers', 'Pod', () =>
    kubectl(
      'debug',
      'api',
      ...shop,
      `--image=${other}`,
      '--container=look',
      '--attach=false',
      '--profile=general',
    ),
  );
  const dryRun = ['--dry-run=server', `--image=${api}`];
  await record('pod-create-dry-run', 'Pod', () => kubectl('run', 'dry', ...shop, ...dryRun));
  const deploy = (): ReturnType<typeof kubectl> =>
    kubectl('create', 'deployment', 'web', ...shop, `--image=${api}`);
  await record('deployment-create', 'Deployment', deploy);
  await until(() => Promise.resolve(recorder.heard.some(isOfController)));
  await save('pod-create-by-controller', recorder.heard.find(isOfController));
}

function isOfController(review: Review): boolean {
  return review.request.kind.kind === 'Pod' && JSON.stringify(review).includes('"controller":true');
}

/** Saves what the API server asked about the first object of `kind` while `act` ran. */
async function record(name: string, kind: string, act: () => ReturnType<Kube['kubectl']>): Promise<void> {
  const before = recorder.heard.length;
  await passes(act());
  await save(
    name,
    recorder.heard.slice(before).find(({ request }) => request.kind.kind === kind),
  );
}

async function save(name: string, review: Review | undefined): Promise<void> {
  if (review === undefined) throw new Error(`nothing was asked for ${name}`);
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(review, undefined, 2)}\n`);
  console.log(name);
}

async function passes(ran: ReturnType<Kube['kubectl']>): Promise<void> {
  const { code, stderr } = await ran;
  if (code !== 0) throw new Error(stderr);
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error('not within 30 s');
    await new Promise((done) => setTimeout(done, 300));
  }
}
