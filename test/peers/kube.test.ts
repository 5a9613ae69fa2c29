/** A real kube-apiserver that asks our webhook, which judges images signed by a real stack. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { ada } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import {
  eve,
  inForce,
  kubeWorld,
  leftAlone,
  must,
  pod,
  shop,
  tryPod,
  until,
  WebhookCa,
} from './kube-world.ts';

requirePeer('kube');
const world = await kubeWorld();
after(() => world.close());
const { kube, webhook, digests } = world;
const byUrl = ['--webhook-url', webhook.origin, '--exclude-namespace', leftAlone];
const signed = 'ghcr.io/acme/api:latest';
const volumes = [{ name: 'v', image: { reference: signed, pullPolicy: 'IfNotPresent' } }];
const containers = ['app', 'helper'].map((name) => ({ name, image: signed }));
must(await kube.apply(pod('older', signed, { containers, volumes })));
await world.connect(world.ca.pem, ...byUrl);
await inForce(kube);

const pinned = `${signed}@${digests.get('acme/api')}`;
const rogue = 'ghcr.io/acme/rogue:latest';
const denial = 'admission webhook "verify.waybill.dev" denied the request: ';

const imagesOf = async (name: string, namespace = shop): Promise<string> =>
  must(await kube.kubectl('get', 'pod', name, '-n', namespace, '-o', 'jsonpath={.spec.containers[*].image}'))
    .stdout;

async function reviews(): Promise<number> {
  let count = 0;
  for (const [name, value] of await webhook.metrics()) {
    if (name.startsWith('waybill_admission_reviews_total')) count += value;
  }
  return count;
}

test('a Pod by tag is admitted, and stored pinned to the digest that was judged', async () => {
  must(await kube.apply(pod('good', signed)));
  assert.equal(await imagesOf('good'), pinned);
});

test('an unsigned image is denied, and the user reads what the webhook said, word for word', async () => {
  const ran = await kube.apply(pod('bad', rogue));
  assert.equal(ran.code, 1);
  const said = await webhook.ask('/validate', {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      name: 'bad',
      namespace: shop,
      operation: 'CREATE',
      userInfo: { username: 'somebody' },
      object: pod('bad', `${rogue}@${digests.get('acme/rogue')}`),
    },
  });
  assert.equal(said.allowed, false);
  assert.ok(ran.stderr.includes(`(Forbidden)`), ran.stderr);
  assert.ok(
    ran.stderr.includes(denial + said.status?.message),
    `${ran.stderr}\n---\n${said.status?.message}`,
  );
  assert.match(ran.stderr, /no signature is attached/);
  assert.match((await kube.kubectl('get', 'pod', 'bad', '-n', shop)).stderr, /not found/);
});

test('a signature by another person is denied, and both are named', async () => {
  const { code, stderr } = await kube.apply(pod('bad', 'ghcr.io/acme/by-eve:latest'));
  assert.equal(code, 1);
  assert.ok(stderr.includes(ada) && stderr.includes(eve), stderr);
});

test('init containers and image volumes are judged like containers', async () => {
  const init = { initContainers: [{ name: 'init', image: rogue }] };
  const volume = { volumes: [{ name: 'v', image: { reference: rogue, pullPolicy: 'IfNotPresent' } }] };
  for (const spec of [init, volume]) {
    const { code, stderr } = await kube.apply(pod('bad', signed, spec));
    assert.equal(code, 1);
    assert.ok(stderr.includes(denial), stderr);
    assert.match(stderr, /acme\/rogue/);
  }
});

test('an image that is swapped in a running Pod is denied; a label is none of our business', async () => {
  const swapped = await kube.kubectl('set', 'image', 'pod/good', '-n', shop, `app=${rogue}`);
  assert.equal(swapped.code, 1);
  assert.ok(swapped.stderr.includes(denial), swapped.stderr);
  const before = await reviews();
  must(await kube.kubectl('label', 'pod', 'good', '-n', shop, 'team=a'));
  assert.equal(await reviews(), before, 'the API server asked about a label');
});

test('an ephemeral container is judged: a signed one is pinned, an unsigned one denied', async () => {
  const debug = (image: string) =>
    kube.kubectl('debug', 'good', '-n', shop, `--image=${image}`, '--attach=false', '--profile=general');
  const denied = await debug(rogue);
  assert.equal(denied.code, 1);
  assert.ok(denied.stderr.includes(denial), denied.stderr);
  must(await debug(signed));
  const path = 'jsonpath={.spec.ephemeralContainers[*].image}';
  assert.equal(must(await kube.kubectl('get', 'pod', 'good', '-n', shop, '-o', path)).stdout, pinned);
});

test('a Pod from before the webhook can be debugged and changed, and what runs in it is left as it is', async () => {
  const older = ['older', '-n', shop];
  must(await kube.kubectl('debug', ...older, `--image=${signed}`, '--attach=false', '--profile=general'));
  assert.equal(await imagesOf('older'), `${signed} ${signed}`);
  const other = 'docker.io/library/other:1';
  must(await kube.kubectl('set', 'image', 'pod/older', '-n', shop, `helper=${other}`));
  must(await kube.kubectl('set', 'image', 'pod/older', '-n', shop, `helper=${signed}`));
  assert.equal(await imagesOf('older'), `${signed} ${pinned}`);
});

test('a dry run gets the same decision and stores nothing', async () => {
  const before = await reviews();
  must(await tryPod(kube, signed));
  assert.ok((await reviews()) > before);
  const { stderr } = await tryPod(kube, rogue);
  assert.ok(stderr.includes(denial), stderr);
  assert.match((await kube.kubectl('get', 'pod', 'try', '-n', shop)).stderr, /not found/);
});

test('Audit admits with a warning that says why', async () => {
  const ran = must(await kube.apply(pod('trial', 'ghcr.io/trial/app:latest')));
  assert.match(ran.stderr, /^Warning: .*ghcr\.io\/trial\/app/m);
  assert.match(ran.stderr, /no signature is attached/);
  assert.equal(await imagesOf('trial'), 'ghcr.io/trial/app:latest');
});

test('an image no policy covers is admitted with a warning that says so', async () => {
  const ran = must(await tryPod(kube, 'docker.io/library/other:1'));
  assert.match(ran.stderr, /Warning: no policy covers image docker\.io\/library\/other:1/);
});

test('an excluded namespace is left alone: the API server does not ask', async () => {
  const before = await reviews();
  must(await kube.kubectl('run', 'free', '-n', leftAlone, `--image=${rogue}`));
  assert.equal(await imagesOf('free', leftAlone), rogue);
  assert.equal(await reviews(), before);
});

const workload = (apiVersion: string, kind: string, image: string): object => ({
  apiVersion,
  kind,
  metadata: { name: kind.toLowerCase(), namespace: shop },
  spec: {
    ...(kind === 'Deployment' ? { selector: { matchLabels: { app: kind } } } : {}),
    template: {
      metadata: { labels: { app: kind } },
      spec: {
        containers: [{ name: 'app', image }],
        restartPolicy: kind === 'Job' ? 'Never' : 'Always',
      },
    },
  },
});

interface Events {
  readonly items: readonly { readonly involvedObject: { readonly kind: string }; readonly message: string }[];
}

for (const [apiVersion, kind, owner] of [
  ['apps/v1', 'Deployment', 'ReplicaSet'],
  ['batch/v1', 'Job', 'Job'],
] as const) {
  test(`a ${kind} whose Pods are denied says so in a FailedCreate event, in our words`, async () => {
    must(await kube.apply(workload(apiVersion, kind, rogue)));
    const message = await until(`FailedCreate of a ${owner}`, async () => {
      const flags = ['-n', shop, '--field-selector=reason=FailedCreate', '-o', 'json'];
      const events = JSON.parse(must(await kube.kubectl('get', 'events', ...flags)).stdout) as Events;
      return events.items.find(({ involvedObject }) => involvedObject.kind === owner)?.message;
    });
    assert.ok(message.startsWith(`Error creating: ${denial}`), message);
    assert.match(message, /acme\/rogue/);
    assert.match(message, /no signature is attached/);
  });
}

test('a Deployment of a signed image gets its Pods, pinned', async () => {
  must(await kube.kubectl('create', 'deployment', 'web', '-n', shop, `--image=${signed}`));
  const images = await until('the Pod of the Deployment', async () => {
    const path = 'jsonpath={.items[*].spec.containers[*].image}';
    const { stdout } = await kube.kubectl('get', 'pods', '-n', shop, '-l', 'app=web', '-o', path);
    return stdout === '' ? undefined : stdout;
  });
  assert.equal(images, pinned);
});

test('with --controllers the Deployment itself is denied', async () => {
  await world.connect(world.ca.pem, ...byUrl, '--controllers');
  const { stderr } = await until('the new rules are in force', async () => {
    const manifest = {
      ...workload('apps/v1', 'Deployment', rogue),
      metadata: { name: 'early', namespace: shop },
    };
    const ran = await kube.apply(manifest);
    if (ran.code === 0) must(await kube.kubectl('delete', 'deployment', 'early', '-n', shop));
    return ran.code === 0 ? undefined : ran;
  });
  assert.ok(stderr.includes(denial), stderr);
});

test('a CA is replaced without a restart and without one Pod that fails', async () => {
  const next = new WebhookCa('second');
  const before = await servedBy(webhook.origin);
  let isOver = false;
  const outcomes: string[] = [];
  const creating = (async () => {
    while (!isOver) {
      const { code, stderr } = await tryPod(kube, signed);
      outcomes.push(code === 0 ? 'admitted' : stderr);
    }
  })();
  try {
    await world.connect(world.ca.pem + next.pem, ...byUrl);
    await pause(2000);
    await next.issueTo(world.tls);
    await until('the new certificate is served', async () =>
      (await servedBy(webhook.origin)) === before ? undefined : true,
    );
    await world.connect(next.pem, ...byUrl);
    await pause(2000);
  } finally {
    isOver = true;
    await creating;
  }
  assert.deepEqual([...new Set(outcomes)], ['admitted']);
  assert.ok(outcomes.length >= 10, `${outcomes.length} Pods`);
  const { stderr } = await tryPod(kube, rogue);
  assert.ok(stderr.includes(denial), stderr);
});

test('a webhook behind a Service is asked under the name of the Service', async () => {
  must(await kube.kubectl('create', 'namespace', 'waybill-system'));
  const port = Number(new URL(webhook.origin).port);
  // No kube-proxy here: an ExternalName is what the API server resolves by itself.
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'waybill', namespace: 'waybill-system' },
    spec: { type: 'ExternalName', externalName: '127.0.0.1', ports: [{ port }] },
  };
  must(await kube.apply(service));
  const current = new WebhookCa('third');
  const before = await servedBy(webhook.origin);
  await current.issueTo(world.tls);
  await until('the new certificate is served', async () =>
    (await servedBy(webhook.origin)) === before ? undefined : true,
  );
  await world.connect(current.pem, '--service', `waybill-system/waybill:${port}`);
  await inForce(kube);
  must(await tryPod(kube, signed));
  must(await tryPod(kube, rogue, 'waybill-system'));
});

test('without its webhook the cluster refuses Pods, but not in the namespaces left alone', async () => {
  await webhook.stop();
  const { code, stderr } = await tryPod(kube, signed);
  assert.equal(code, 1);
  assert.match(stderr, /failed calling webhook "pin\.waybill\.dev"/);
  must(await tryPod(kube, rogue, 'waybill-system'));
});

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Fingerprint of the certificate a new connection sees. */
function servedBy(origin: string): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((done, failed) => {
    const socket: TLSSocket = connect(
      { host: hostname, port: Number(port), rejectUnauthorized: false },
      () => {
        done(socket.getPeerCertificate().fingerprint256);
        socket.end();
      },
    );
    socket.on('error', failed);
  });
}
