/** The webhook and the policy verbs as processes, over a real registry, for images that live behind a mirror. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { toBase64, utf8 } from '#base/bytes';
import { generateKey, publicKeyPem } from '#base/crypto';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { descriptorOf, type ImageManifest } from '#formats/oci';
import { trustedRootJson } from '#formats/trusted-root';
import { attachBundle, attachLegacySignature } from '#oci';
import { run } from '#platform/process';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { VirtualStack } from '../double/virtual-stack.ts';
import { putImage, repositoryAt } from '../oci/helpers.ts';
import { guidePolicy } from '../policy/samples.ts';
import { podReview, release } from './admission-fixture.ts';

const waybill = join(import.meta.dirname, '../../bin/waybill');
const stack = new VirtualStack();
const key = generateKey('p256');
let dir: string;
let registry: RunningRegistry;
let signed: ImageManifest;
let keyed: ImageManifest;
const files: Record<string, string> = {};

/** Accepts the cosign key of the test for one repository, without a log: as cosign with a key and no log. */
const keyPolicy = (): string => `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: by-key}
spec:
  rules:
    - name: key
      match: {any: [{resources: {kinds: [Pod]}}]}
      verifyImages:
        - imageReferences: ["ghcr.io/keyed/*"]
          failureAction: Enforce
          attestors:
            - entries:
                - keys:
                    publicKeys: |-
${publicKeyPem(key.publicKey).trim().replace(/^/gm, '                      ')}
                    rekor: {ignoreTlog: true}
`;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'waybill-admission-registry-'));
  registry = await createRegistry({ dataDir: join(dir, 'registry') });
  const acme = repositoryAt(registry.host, 'mirror/acme/api');
  signed = await putImage(acme, 'the api', { tag: 'v1.4.2' });
  const leaf = {
    claims: { issuer: release.issuer },
    sans: [{ type: 'uri', value: release.subject }],
  } as const;
  const { bytes } = stack.sign({ artifact: signed.bytes, statement: 'cosign', leaf });
  await attachBundle(acme, descriptorOf(signed), bytes, { predicateType: COSIGN_SIGN_V1, createdMs: 0 });
  await putImage(repositoryAt(registry.host, 'mirror/acme/rogue'), 'a rogue', { tag: 'latest' });
  const team = repositoryAt(registry.host, 'mirror/keyed/app');
  keyed = await putImage(team, 'keyed', { tag: '1' });
  const critical = {
    identity: { 'docker-reference': '' },
    image: { 'docker-manifest-digest': keyed.digest },
  };
  const payload = utf8(
    JSON.stringify({ critical: { ...critical, type: 'cosign container image signature' }, optional: null }),
  );
  await attachLegacySignature(team, keyed.digest, payload, { signature: toBase64(key.sign(payload)) });
  const texts = {
    guide: guidePolicy,
    key: keyPolicy(),
    root: trustedRootJson(stack.root),
    bad: guidePolicy.replace('/*"', '*"'),
  };
  for (const [name, text] of Object.entries(texts)) {
    files[name] = join(dir, name === 'root' ? 'trusted_root.json' : `${name}.yaml`);
    await writeFile(files[name], text);
  }
});
after(async () => {
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

const common = (): string[] => [
  '--policy',
  files['guide'] as string,
  '--policy',
  files['key'] as string,
  '--trusted-root',
  files['root'] as string,
  '--mirror',
  `ghcr.io/*=${registry.host}/mirror/*`,
];

interface Report {
  readonly ok: boolean;
  readonly objects: readonly {
    readonly object: string;
    readonly outcome: string;
    readonly pinned: readonly { readonly from: string; readonly to: string }[];
    readonly results: readonly {
      readonly status: string;
      readonly message: string;
      readonly reasons: readonly { readonly code: string }[];
    }[];
  }[];
}

async function policyTest(
  ...args: readonly string[]
): Promise<{ code: number; report: Report; stderr: string }> {
  const result = await run(waybill, ['policy', 'test', ...common(), ...args, '--json']);
  assert.notEqual(result.stdout, '', result.stderr);
  return { code: result.code, report: JSON.parse(result.stdout) as Report, stderr: result.stderr };
}

test('policy test pins and admits an image by tag through the mirror', async () => {
  const { code, report } = await policyTest('--image', 'ghcr.io/acme/api:v1.4.2');
  const [object] = report.objects;
  assert.deepEqual([code, report.ok, object?.outcome], [0, true, 'allowed']);
  assert.deepEqual(object?.pinned, [
    { from: 'ghcr.io/acme/api:v1.4.2', to: `ghcr.io/acme/api:v1.4.2@${signed.digest}` },
  ]);
  assert.match(object?.results[0]?.message ?? '', /verified image .*release\.yml@refs\/tags\/v1\.4\.2/);
});

test('policy test refuses an unsigned image with exit code 2 and the reason', async () => {
  const { code, report } = await policyTest('--image', 'ghcr.io/acme/rogue:latest');
  assert.deepEqual([code, report.objects[0]?.outcome], [2, 'denied']);
  assert.equal(report.objects[0]?.results[0]?.reasons[0]?.code, 'WB-740');
});

test('policy test reads a legacy signature by a bare key', async () => {
  const { code, report } = await policyTest('--image', `ghcr.io/keyed/app@${keyed.digest}`);
  assert.deepEqual([code, report.objects[0]?.results[0]?.status], [0, 'pass'], JSON.stringify(report));
});

test('policy test judges every object of a file', async () => {
  const file = join(dir, 'deploy.yaml');
  const of = (name: string, image: string): string =>
    `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${name}}\nspec: {template: {spec: {containers: [{name: a, image: "${image}"}]}}}\n`;
  await writeFile(
    file,
    [of('good', 'ghcr.io/acme/api:v1.4.2'), of('bad', 'ghcr.io/acme/rogue')].join('---\n'),
  );
  const { code, report } = await policyTest('--resource', file);
  assert.equal(code, 2);
  assert.deepEqual(
    report.objects.map(({ object, outcome }) => `${object} ${outcome}`),
    ['Deployment/default/good allowed', 'Deployment/default/bad denied'],
  );
});

test('a registry that does not answer is exit code 20, not a denial', async () => {
  const dead = [...common().slice(0, -1), 'ghcr.io/*=127.0.0.1:1/mirror/*'];
  const result = await run(waybill, [
    'policy',
    'test',
    ...dead,
    '--image',
    `ghcr.io/acme/api@${signed.digest}`,
    '--json',
  ]);
  const report = JSON.parse(result.stdout) as Report;
  assert.deepEqual([result.code, report.objects[0]?.outcome], [20, 'unavailable']);
  assert.equal(report.objects[0]?.results[0]?.reasons[0]?.code, 'WB-746');
});

test('a policy that does not parse ends with exit code 3 and its position', async () => {
  const file = join(dir, 'broken.yaml');
  await writeFile(file, guidePolicy.replace('imageReferences', 'imageRefs'));
  const result = await run(waybill, [
    'policy',
    'test',
    '--policy',
    file,
    '--trusted-root',
    files['root'] as string,
    '--image',
    'x',
  ]);
  assert.equal(result.code, 3);
  assert.match(result.stderr, /broken\.yaml:\d+:\d+: spec\.rules\[0\]\.verifyImages\[0\]\.imageRefs/);
});

test('policy lint exits 2 with findings and 0 without', async () => {
  const bad = await run(waybill, ['policy', 'lint', files['bad'] as string, files['guide'] as string]);
  assert.equal(bad.code, 2);
  assert.match(
    bad.stdout,
    /bad\.yaml:20:15: error LNT004: ghcr\.io\/acme\* also matches ghcr\.io\/acme-evil\/x/,
  );
  assert.match(bad.stdout, /1 finding in 2 files/);
  const good = await run(waybill, ['policy', 'lint', files['guide'] as string, '--json']);
  assert.equal(good.code, 0);
  assert.deepEqual((JSON.parse(good.stdout) as { findings: unknown[] }).findings, []);
});

test('serve admission judges Pods over HTTPS and ends on a signal', async () => {
  const caFile = join(dir, 'ca.pem');
  const args = [
    'serve',
    'admission',
    ...common(),
    '--listen',
    '127.0.0.1:0',
    '--ca-out',
    caFile,
    '--log-level',
    'error',
    '--json',
  ];
  const child = spawn(waybill, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { origin, caBundle } = JSON.parse(line) as { origin: string; caBundle: string };
    const ca = await readFile(caFile, 'utf8');
    assert.equal(Buffer.from(caBundle, 'base64').toString(), ca);
    const good = await ask(
      `${origin}/validate`,
      ca,
      podReview({ image: `ghcr.io/acme/api:v1.4.2@${signed.digest}` }),
    );
    const bad = await ask(`${origin}/validate`, ca, podReview({ image: 'ghcr.io/acme/rogue:latest' }));
    assert.deepEqual([good.response.allowed, bad.response.allowed], [true, false]);
    assert.match(bad.response.status?.message ?? '', /no signature is attached/);
  } finally {
    child.kill('SIGTERM');
  }
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.equal(code, 0);
});

interface ReviewAnswer {
  readonly response: { readonly allowed: boolean; readonly status?: { readonly message: string } };
}

function ask(url: string, ca: string, review: object): Promise<ReviewAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request(url, { ca, method: 'POST', headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(JSON.parse(text) as ReviewAnswer));
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(review));
  });
}
