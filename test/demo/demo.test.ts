/** One run of the demo with a judge that accepts everything; what it signed is genuine and is judged by others. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { bundleFromJSON } from '@sigstore/bundle';
import { getTrustedRoot } from '@sigstore/tuf';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';

interface Step {
  readonly name: string;
  readonly kind: 'step' | 'refusal';
  readonly passed: boolean;
  readonly detail: string;
}

interface DemoRecord {
  readonly steps: readonly Step[];
  readonly image: string;
  readonly kept: { readonly stackDir: string; readonly pid: number };
}

const folder = mkdtempSync(join(tmpdir(), 'waybill-demo-test-'));
let record: DemoRecord;
let exitCode = 0;

before(
  async () => {
    const json = join(folder, 'demo.json');
    const launcher = resolve('test/demo/accept-all/waybill');
    // Nothing here starts the image, so any program will do as its runtime.
    const env = { ...process.env, WAYBILL_BIN: launcher, WAYBILL_DEMO_RUNTIME: launcher };
    exitCode = await new Promise((done) => {
      const child = spawn(process.execPath, ['demo/demo.ts', '--keep', '--json', json], {
        env,
        stdio: 'ignore',
      });
      child.on('close', (code) => done(code ?? -1));
    });
    record = JSON.parse(readFileSync(json, 'utf8')) as DemoRecord;
  },
  { timeout: 900_000 },
);

after(() => {
  process.kill(record.kept.pid, 'SIGTERM');
  for (const gone of [folder, dirname(record.kept.stackDir)]) {
    rmSync(gone, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
});

test('with a verifier that always accepts, every refusal turns red and every step stays green', () => {
  assert.equal(exitCode, 1);
  const refusals = record.steps.filter((step) => step.kind === 'refusal');
  assert.ok(refusals.length >= 10, `${refusals.length} refusals`);
  assert.deepEqual(
    refusals.filter((step) => step.passed).map((step) => step.name),
    [],
  );
  const broken = record.steps.filter((step) => step.kind === 'step' && !step.passed);
  assert.deepEqual(
    broken.map((step) => `${step.name}: ${step.detail}`),
    [],
  );
});

interface Descriptor {
  readonly digest: string;
}

async function bundlesOf(image: string): Promise<unknown[]> {
  const [, host = '', repository = '', digest = ''] = /^([^/]+)\/(.+)@(.+)$/.exec(image) ?? [];
  const get = async (path: string): Promise<unknown> =>
    (await fetch(`http://${host}/v2/${repository}/${path}`)).json();
  const { manifests } = (await get(`referrers/${digest}`)) as { manifests: Descriptor[] };
  return Promise.all(
    manifests.map(async (one) => {
      const { layers } = (await get(`manifests/${one.digest}`)) as { layers: Descriptor[] };
      return get(`blobs/${layers[0]?.digest}`);
    }),
  );
}

test('@sigstore/verify accepts every bundle of the demo, with the trusted root tuf-js fetched from its stack', async () => {
  const { stackDir } = record.kept;
  const { origins } = JSON.parse(readFileSync(join(stackDir, 'stack.json'), 'utf8')) as {
    origins: { tuf: string };
  };
  const root = await getTrustedRoot({
    mirrorURL: origins.tuf,
    rootPath: join(stackDir, 'public', 'root.json'),
    cachePath: join(folder, 'tuf'),
  });
  const options = { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 };
  const verifier = new Verifier(toTrustMaterial(root), options);
  const bundles = await bundlesOf(record.image);
  assert.ok(bundles.length >= 5, `${bundles.length} bundles`);
  for (const bundle of bundles) {
    const { identity } = verifier.verify(toSignedEntity(bundleFromJSON(bundle)));
    assert.match(
      identity?.subjectAlternativeName ?? '',
      /^https:\/\/(github\.com\/acme\/api\/|builder\.acme\.example\/)/,
    );
  }
});
