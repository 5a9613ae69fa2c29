/** `waybill build` and `waybill provenance` as a user runs them, on a real stack over loopback. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { composeStack, type Stack } from '#stack';
import { compiledCode } from '../compiled.ts';
import { git } from '../services/builder-fixture.ts';

const builderUri = 'https://builder.test';
const source = 'https://git.example/acme/app';

interface Outcome {
  readonly code: number | null;
  readonly json: {
    readonly ok?: boolean;
    readonly reason?: { readonly code: string };
    readonly result?: {
      readonly images: string[];
      readonly builderId: string;
      readonly level: { level: number };
    };
    readonly checked?: { readonly predicateType: string; readonly level: { level: number } }[];
    readonly refused?: { readonly code: string }[];
    readonly provenance?: { readonly predicateType: string }[];
  };
}

let folder = '';
let stack: Stack;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-flow-'));
  stack = await composeStack({
    dataDir: join(folder, 'stack'),
    lockDir: join(folder, 'locks'),
    logLevel: 'silent',
  });
});
after(async () => {
  await stack.close();
  rmSync(folder, { recursive: true, force: true });
});

function waybill(...args: string[]): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', resolve('src/cli/main.ts'), ...args, '--json', '--quiet'],
    {
      env: { PATH: process.env['PATH'], WAYBILL_STACK: stack.dataDir, ...compiledCode },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8');
  });
  return new Promise((settle) => {
    child.on('close', (code) =>
      settle({ code, json: out === '' ? {} : (JSON.parse(out) as Outcome['json']) }),
    );
  });
}

function makeRepository(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  git(path, 'init', '--quiet', '--initial-branch=main');
  writeFileSync(join(path, 'run'), text);
  writeFileSync(
    join(path, 'waybill-build.yaml'),
    'version: 1\nsteps: [\'cp run "$WAYBILL_OUTPUT/"\']\nimage: {layers: [{to: /app}]}\n',
  );
  git(path, 'add', '--all');
  git(path, 'commit', '--quiet', '--message=first');
  git(path, 'tag', 'v1.4.2');
  return path;
}

const build = (uri: string, place: string, output: string): Promise<Outcome> =>
  waybill(
    ...['build', '--source', uri, '--mirror', `${uri}=${place}`, '--ref', 'refs/tags/v1.4.2'],
    ...['--output', `${stack.registryHost}/${output}`, '--builder-uri', builderUri],
  );

test('an image built from a tag is verified by source, tag and builder, and refused by each of them', async () => {
  const built = await build(source, makeRepository('app', 'one'), 'acme/app:v1.4.2');
  assert.equal(built.code, 0, JSON.stringify(built.json));
  const image = built.json.result?.images[0] ?? '';
  const builderId = built.json.result?.builderId ?? '';
  const issuer = `${stack.origins.oidc}/workload`;
  const verify = (changes: Readonly<Record<string, string>> = {}): Promise<Outcome> => {
    const flags = {
      '--source-uri': 'git.example/acme/app',
      '--source-tag': 'v1.4.2',
      '--builder-id': builderId,
      '--certificate-oidc-issuer': issuer,
      ...changes,
    };
    return waybill('provenance', 'verify', ...Object.entries(flags).flat(), image);
  };
  const verified = await verify({ '--max-level': '3' });
  assert.equal(verified.code, 0, JSON.stringify(verified.json));
  assert.deepEqual(verified.json.checked?.map(({ predicateType }) => predicateType).sort(), [
    'https://slsa.dev/provenance/v0.2',
    'https://slsa.dev/provenance/v1',
  ]);
  // Nobody declared this machine hosted: no policy can raise that.
  assert.deepEqual(
    verified.json.checked?.map(({ level }) => level.level),
    [1, 1],
  );
  const refusals: [Readonly<Record<string, string>>, string, number][] = [
    [{ '--source-uri': 'git.example/acme/other' }, 'WB-708', 12],
    [{ '--source-tag': 'v1.4.20' }, 'WB-710', 12],
    [{ '--source-branch': 'main' }, 'WB-706', 12],
    [{ '--builder-id': `${builderUri}/builders/other/v1` }, 'WB-351', 14],
    [{ '--certificate-oidc-issuer': stack.origins.oidc }, 'WB-350', 14],
    [{ '--build-type': 'https://example.test/x' }, 'WB-705', 12],
  ];
  for (const [changes, code, exit] of refusals) {
    const refused = await verify(changes);
    assert.deepEqual([refused.json.reason?.code, refused.code], [code, exit], JSON.stringify(changes));
  }
  const shown = await waybill('provenance', 'show', image);
  assert.equal(shown.json.provenance?.length, 2);
});

test('an image without provenance is told apart from one whose provenance is refused', async () => {
  const image = `${stack.registryHost}/acme/app:v1.4.2`;
  const bare = `${stack.registryHost}/acme/bare:1`;
  // The manifest alone: what hangs onto it stays behind.
  for (const path of await copyBare(image, bare)) assert.equal(path, 201);
  const shown = await waybill('provenance', 'show', bare);
  assert.deepEqual([shown.json.reason?.code, shown.code], ['WB-921', 10]);
  const missing = await waybill('provenance', 'show', `${stack.registryHost}/acme/nothing:1`);
  assert.equal(missing.code, 11);
});

test('a build of a missing ref says so and leaves nothing in the registry', async () => {
  const place = makeRepository('fresh', 'two');
  const refused = await waybill(
    ...[
      'build',
      '--source',
      place,
      '--ref',
      'refs/tags/v9',
      '--output',
      `${stack.registryHost}/acme/fresh:1`,
    ],
  );
  assert.deepEqual([refused.json.reason?.code, refused.code], ['WB-1115', 3]);
  assert.equal((await fetch(`${stack.origins.registry}/v2/acme/fresh/tags/list`)).status, 404);
});

async function copyBare(from: string, to: string): Promise<number[]> {
  const url = (ref: string): string => {
    const [, path = '', tag = ''] = /^[^/]+\/(.+):([^:]+)$/.exec(ref) ?? [];
    return `${stack.origins.registry}/v2/${path}/manifests/${tag}`;
  };
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const bytes = await (await fetch(url(from), { headers: { accept: type } })).text();
  const manifest = JSON.parse(bytes) as { config: { digest: string }; layers: { digest: string }[] };
  const statuses: number[] = [];
  for (const { digest } of [manifest.config, ...manifest.layers]) {
    const target = `${stack.origins.registry}/v2/acme/bare/blobs/uploads/?mount=${digest}&from=acme/app`;
    statuses.push((await fetch(target, { method: 'POST' })).status);
  }
  const put = await fetch(url(to), { method: 'PUT', headers: { 'content-type': type }, body: bytes });
  return [...statuses, put.status];
}
