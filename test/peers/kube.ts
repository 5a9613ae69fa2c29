/**
 * A real kube-apiserver with its etcd and the controllers that turn workloads into Pods, on loopback, in a
 * temporary folder. No scheduler and no kubelet: Pods are stored and stay Pending.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKey } from '#base/crypto';
import { systemRandom } from '#platform/system';
import { requirePeer } from './cache.ts';
import { type Ran, runProgram } from './stack-image.ts';

export interface Kube {
  readonly origin: string;
  readonly kubeconfig: string;
  kubectl(...args: string[]): Promise<Ran>;
  /** Creates or updates what a manifest says, as `kubectl apply -f` does. */
  apply(manifest: string | object): Promise<Ran>;
  stop(): Promise<void>;
}

const controllers = [
  'deployment-controller',
  'replicaset-controller',
  'job-controller',
  'namespace-controller',
  'garbage-collector-controller',
];
const READY_MS_MAX = 90_000;

/** Starts the three processes and returns when the API is ready: 4 s on two idle cores. */
export async function startKube(): Promise<Kube> {
  const program = requirePeer('kube');
  const folder = await mkdtemp(join(tmpdir(), 'waybill-kube-'));
  const children = new Children(program, folder);
  const kube = { folder, children, ports: await freePorts(3) };
  try {
    return await boot(kube);
  } catch (error) {
    const log = await readFile(join(folder, 'apiserver.log'), 'utf8').catch(() => '');
    await children.stop();
    await rm(folder, { recursive: true, force: true });
    throw new Error(`kube-apiserver did not start: ${String(error)}\n${log.slice(-2000)}`, { cause: error });
  }
}

interface Booting {
  readonly folder: string;
  readonly children: Children;
  readonly ports: readonly number[];
}

async function boot({ folder, children, ports }: Booting): Promise<Kube> {
  const [api, client, peer] = ports as [number, number, number];
  const [pki, kubeconfig] = [join(folder, 'pki'), join(folder, 'kubeconfig')];
  await mkdir(pki, { mode: 0o700 });
  const token = Buffer.from(systemRandom.bytes(16)).toString('hex');
  await writeFile(join(pki, 'tokens.csv'), `${token},admin,admin,system:masters\n`, { mode: 0o600 });
  await writeFile(join(pki, 'accounts.key'), generateKey('rsa').exportPem(), { mode: 0o600 });
  children.start('etcd', etcdFlags(join(folder, 'etcd'), client, peer));
  children.start('apiserver', apiserverFlags(pki, api, client));
  await writeFile(kubeconfig, JSON.stringify(kubeconfigOf(api, token, pki)), { mode: 0o600 });
  const environment = { HOME: folder, KUBECONFIG: kubeconfig };
  const kubectl = (...args: string[]): Promise<Ran> => runProgram('kubectl', args, environment);
  await ready(kubectl, children);
  children.start('controllers', [
    ...['--kubeconfig', kubeconfig, '--controllers', controllers.join(',')],
    ...['--leader-elect=false', '--secure-port=0'],
  ]);
  let manifests = 0;
  return {
    origin: `https://127.0.0.1:${api}`,
    kubeconfig,
    kubectl,
    async apply(manifest) {
      const file = join(folder, `manifest-${manifests++}.yaml`);
      await writeFile(file, typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
      return kubectl('apply', '-f', file);
    },
    async stop() {
      await children.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const etcdFlags = (dataDir: string, client: number, peer: number): string[] => {
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  return [
    ...['--name=one', `--data-dir=${dataDir}`, '--unsafe-no-fsync', '--log-level=warn'],
    ...[`--listen-client-urls=${clientUrl}`, `--advertise-client-urls=${clientUrl}`],
    ...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`],
    `--initial-cluster=one=${peerUrl}`,
  ];
};

const apiserverFlags = (pki: string, port: number, etcd: number): string[] => [
  ...['--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', `--secure-port=${port}`],
  ...[`--cert-dir=${pki}`, `--token-auth-file=${join(pki, 'tokens.csv')}`, '--authorization-mode=RBAC'],
  ...[`--etcd-servers=http://127.0.0.1:${etcd}`, '--endpoint-reconciler-type=none'],
  ...['--service-cluster-ip-range=10.0.0.0/24', '--service-account-issuer=https://kube.invalid'],
  `--service-account-key-file=${join(pki, 'accounts.key')}`,
  `--service-account-signing-key-file=${join(pki, 'accounts.key')}`,
  // Without it a Pod needs its namespace's default account, and gets a token volume.
  '--disable-admission-plugins=ServiceAccount',
];

const kubeconfigOf = (port: number, token: string, pki: string): object => ({
  apiVersion: 'v1',
  kind: 'Config',
  'current-context': 'test',
  clusters: [
    {
      name: 'test',
      // The certificate the apiserver makes for itself signs itself.
      cluster: {
        server: `https://127.0.0.1:${port}`,
        'certificate-authority': join(pki, 'apiserver.crt'),
      },
    },
  ],
  users: [{ name: 'admin', user: { token } }],
  contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
});

async function ready(kubectl: Kube['kubectl'], children: Children): Promise<void> {
  const until = Date.now() + READY_MS_MAX;
  for (;;) {
    const { code, stderr } = await kubectl('get', '--raw=/readyz', '--request-timeout=2s');
    if (code === 0) return;
    children.assertAlive();
    if (Date.now() > until) throw new Error(`not ready after ${READY_MS_MAX} ms: ${stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** The processes of one cluster, in the order of their start; ended by their own handles. */
class Children {
  readonly #program: string;
  readonly #folder: string;
  readonly #running: { readonly name: string; readonly child: ChildProcess }[] = [];
  readonly #onExit = (): void => {
    for (const { child } of this.#running) child.kill('SIGKILL');
  };

  constructor(program: string, folder: string) {
    this.#program = program;
    this.#folder = folder;
    process.once('exit', this.#onExit);
  }

  start(name: string, flags: readonly string[]): void {
    const child = spawn(this.#program, [name, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(join(this.#folder, `${name}.log`));
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    this.#running.push({ name, child });
  }

  assertAlive(): void {
    const ended = this.#running.find(({ child }) => child.exitCode !== null || child.signalCode !== null);
    if (ended !== undefined) throw new Error(`${ended.name} ended with ${ended.child.exitCode}`);
  }

  async stop(): Promise<void> {
    for (const { child } of this.#running.splice(0).reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const impatient = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(impatient);
    }
    process.off('exit', this.#onExit);
  }
}

/** Ports nobody listens on now, all different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.on('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
