/** The stations that work on what the others hold: a builder that signs by them, and an audit that follows them. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { attestImage } from '#flows/attest-image';
import { buildImage, httpBuilder } from '#flows/build-image';
import { searchLogs } from '#flows/lineage';
import { signImage } from '#flows/sign-image';
import { parseBundle } from '#formats/bundle';
import { parseReference } from '#formats/reference';
import { listAttachments, Registry } from '#oci';
import {
  type AuditSettings,
  auditParts,
  type BuilderSettings,
  builderParts,
  initStation,
  openStation,
  type RunningStation,
} from '#stack';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';
import { freePortBase } from '../free-ports.ts';
import { putImage, repositoryAt } from '../oci/helpers.ts';
import { git } from '../services/builder-fixture.ts';
import { startConstellation, stationSettings, temporaryFolder, wire } from './serve-fixture.ts';

const listen = { host: '127.0.0.1', port: await freePortBase() };
const issuerUrl = `http://127.0.0.1:${listen.port}`;
const images = new Registry({ transport: wire.transport, allowHttp: true });
const before = await temporaryFolder();
const builderSettings = (more: Partial<BuilderSettings> = {}): BuilderSettings => ({
  ...{ baseUri: 'https://builder.example', issuerUrl, images, listen },
  ...{ backend: 'auto', noneAllowed: true, hasKnownCallers: false },
  ...more,
});
// Its key and what the authority is told of it, before anything else runs.
await initStation('builder', stationSettings(before, 'builder'), (deps) =>
  builderParts(builderSettings(), deps),
);
const told = await readFile(join(before, 'builder', 'public', 'issuers.yaml'), 'utf8');
const world = await startConstellation(undefined, {}, told.slice(told.indexOf('\n') + 1));
const { dir, origins } = world;
const stations: RunningStation[] = [];
after(async () => {
  for (const station of stations.reverse()) await station.close();
  await world.close();
  await rm(before, { recursive: true });
});
const registryHost = new URL(origins['registry'] as string).host;
const trust = {
  kind: 'tuf' as const,
  mirror: origins['tuf'] as string,
  ...{ root: join(dir, 'tuf', 'public', 'root.json'), cacheDir: join(dir, 'trust') },
} satisfies BuilderSettings['trust'];
const codeIs = (code: string) => (error: unknown) =>
  error instanceof WaybillError && error.reason.code === code;

async function audit(name: string, more: Partial<AuditSettings> = {}): Promise<RunningStation> {
  const settings: AuditSettings = {
    trust,
    registries: { client: images, hosts: [registryHost], repositories: [] },
    readingMs: 0,
    ...more,
  };
  const admin = { host: '127.0.0.1', port: 0 };
  const place = world.settings(name, { reloadMs: 50, admin });
  const station = await openStation('audit', place, (deps) => auditParts(settings, deps));
  stations.push(station);
  while ((await fetch(`${station.origin}/readyz`)).status !== 200) await station.reload();
  return station;
}

async function signedImage(name: string): Promise<{ readonly reference: string; readonly digest: string }> {
  const { digest } = await putImage(repositoryAt(registryHost, name), name, { tag: 'latest' });
  const reference = `${registryHost}/${name}@${digest}`;
  const { trustedRoot } = await world.trust();
  for (const version of [1, 2] as const) {
    const signer = await world.signer(version);
    const deps = { registry: images, signer, trustedRoot: trustMaterial(trustedRoot), clock: wire.clock };
    await signImage(
      reference,
      { format: version === 1 ? 'both' : 'bundle', annotations: {}, recursive: false },
      deps,
    );
    const predicate = { type: 'https://example.com/predicate/v1', value: { log: version } };
    await attestImage(reference, predicate, 'bundle', deps);
  }
  return { reference, digest };
}

const asked = async (auditUrl: string, query: Parameters<typeof searchLogs>[0]) =>
  searchLogs(query, { ...wire, auditUrl, trustedRoot: trustMaterial((await world.trust()).trustedRoot) });

test('an audit station answers from logs and a registry it knows by URL alone, and remembers both', async () => {
  const image = await signedImage('app');
  const first = await audit('audit');
  // The registry is read in the background, one pass after the other.
  await first.reload();
  const query = { digest: image.digest as never };
  const found = await asked(first.origin, query);
  assert.deepEqual(found.unproven, []);
  assert.deepEqual(found.uncovered, []);
  const kinds = found.steps.map(({ origin, verdict }) => {
    const what = verdict.simpleSigning === undefined ? (verdict.statement?.predicateType ?? '') : 'plain';
    return `${origin.includes(' - ') ? 'v1' : 'v2'} ${what}`;
  });
  const predicate = 'https://example.com/predicate/v1';
  const signature = 'https://sigstore.dev/cosign/sign/v1';
  assert.deepEqual(kinds.toSorted(), [
    `v1 ${predicate}`,
    `v1 ${signature}`,
    'v1 plain',
    `v2 ${predicate}`,
    `v2 ${signature}`,
  ]);
  assert.equal((await asked(first.origin, { identity: 'ADA@example.com' })).steps.length, found.steps.length);
  const page = await (await fetch(`${first.adminOrigin}/metrics`)).text();
  assert.match(page, new RegExp(`^waybill_audit_entries ${found.steps.length}$`, 'm'));
  assert.match(page, /^waybill_audit_logs_not_followed 0$/m);
  await first.close();
  stations.pop();
  // Without the registry: what was read stays.
  const second = await audit('audit', { registries: { client: images, hosts: [], repositories: [] } });
  const again = await asked(second.origin, query);
  assert.deepEqual(
    again.steps.map(({ logIndex, digests }) => [logIndex, digests]),
    found.steps.map(({ logIndex, digests }) => [logIndex, digests]),
  );
  // What is logged meanwhile is covered by the next answer.
  const later = await signedImage('later');
  await assert.rejects(asked(second.origin, { digest: later.digest as never, issuer: 'https://no.example' }));
  const sizes = (await asked(second.origin, query)).coverage.map(({ treeSize }) => treeSize);
  assert.deepEqual(
    sizes.toSorted((a, b) => a - b),
    again.coverage.map(({ treeSize }) => treeSize * 2).toSorted((a, b) => a - b),
  );
});

test('an audit station without trust, or before its logs can be read, gives no empty answer', async () => {
  await assert.rejects(
    openStation('audit', world.settings('bare'), (deps) =>
      auditParts({ trust: undefined, registries: { client: images, hosts: [], repositories: [] } }, deps),
    ),
    codeIs('WB-1212'),
  );
  const nowhere = { ...trust, mirror: 'http://127.0.0.1:9', cacheDir: join(dir, 'nowhere') };
  const registries = { client: images, hosts: [], repositories: [] };
  const station = await openStation('audit', world.settings('early'), (deps) =>
    auditParts({ trust: nowhere, registries }, deps),
  );
  stations.push(station);
  assert.equal((await fetch(`${station.origin}/readyz`)).status, 503);
  const answer = await fetch(`${station.origin}/api/v1/audit/search?digest=sha256:${'0'.repeat(64)}`);
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /WB-1223/);
});

test('a log that shows other entries than it signed is not followed any further, and no answer relies on it', async () => {
  await signedImage('before');
  const { transport } = wire;
  const lying: typeof transport = {
    stream: (request) => transport.stream(request),
    request: async (request) => {
      const answer = await transport.request(request);
      if (!request.url.includes('/tile/entries/')) return answer;
      const body = Uint8Array.from(answer.body);
      const last = body.length - 1;
      body[last] = (body[last] as number) ^ 1;
      return { ...answer, body };
    },
  };
  const registries = { client: images, hosts: [], repositories: [] };
  const place = world.settings('lied-to', { transport: lying });
  const station = await openStation('audit', place, (deps) => auditParts({ trust, registries }, deps));
  stations.push(station);
  await station.reload();
  const ready = await fetch(`${station.origin}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /a fork or rot/);
  const answer = await fetch(`${station.origin}/api/v1/audit/search?identity=ada@example.com`);
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /WB-1223/);
});

async function sourceRepository(): Promise<{ readonly folder: string; readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-test-source-'));
  await chmod(folder, 0o755);
  const path = join(folder, 'app');
  await mkdir(path);
  git(path, 'init', '--quiet', '--initial-branch=main');
  await writeFile(join(path, 'run'), 'one');
  const steps = 'steps: [\'cp run "$WAYBILL_OUTPUT/"\']';
  await writeFile(join(path, 'waybill-build.yaml'), `version: 1\n${steps}\nimage: {layers: [{to: /app}]}\n`);
  git(path, 'add', '--all');
  git(path, 'commit', '--quiet', '--message=first');
  git(path, 'tag', 'v1.0.0');
  return { folder, path };
}

test('a builder station builds for who has its token, and signs with an identity of its own', async () => {
  const { folder, path } = await sourceRepository();
  const tokenFile = join(dir, 'caller');
  await writeFile(tokenFile, 'let me in\n', { mode: 0o600 });
  const source = 'https://git.example/acme/app';
  const settings = builderSettings({ trust, callerTokenFile: tokenFile, mirrors: { [source]: path } });
  const station = await openStation('builder', stationSettings(before, 'builder', { listen }), (deps) =>
    builderParts(settings, deps),
  );
  stations.push(station);
  const body = {
    source: { uri: source, ref: 'refs/tags/v1.0.0' },
    outputs: [`${registryHost}/acme/app:v1.0.0`],
  };
  const build = (token?: Secret) =>
    buildImage(body, {
      builder: httpBuilder(station.origin, wire.transport, token),
      onLog: () => {},
      pollMs: 20,
    });
  await assert.rejects(build(), codeIs('WB-922'));
  const record = await build(new Secret('let me in'));
  const result = record.result as unknown as {
    images: string[];
    builderId: string;
    level: { level: number };
  };
  assert.match(result.builderId, /^https:\/\/builder\.example\/builders\/[a-z-]+\/v1$/);
  assert.equal(result.level.level, 1, 'nobody said that it is hosted');
  const reference = unwrap(parseReference(result.images[0] ?? ''));
  const attached = await listAttachments(images.repository(reference), reference.digest as never);
  assert.equal(attached.bundles.length, 2);
  const trustedRoot = trustMaterial((await world.trust()).trustedRoot);
  const who = unwrap(identity({ issuer: issuerUrl, san: result.builderId }));
  for (const { bytes } of attached.bundles) {
    const verdict = verifyBundle({
      artifact: reference.digest as never,
      bundle: unwrap(parseBundle(bytes)),
      trustedRoot,
      requirements: unwrap(requireKeyless({ identities: [who] })),
      now: wire.clock.now(),
    });
    assert.equal(verdict.outcome, 'accepted', JSON.stringify(verdict).slice(0, 500));
  }
  // Nobody can ask it for a token, and its key is nowhere to be read.
  assert.equal((await fetch(`${station.origin}/token`, { method: 'POST' })).status, 404);
  const { keys } = (await (await fetch(`${station.origin}/keys`)).json()) as { keys: object[] };
  assert.deepEqual(Object.keys(keys[0] ?? {}).toSorted(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
  await rm(folder, { recursive: true });
});

test('a builder that others reach wants to know its callers, and what it is called', async () => {
  const refused = (more: Partial<BuilderSettings>) =>
    openStation('builder', world.settings(`builder-${Object.keys(more).join('-')}`), (deps) =>
      builderParts(builderSettings({ trust, ...more }), deps),
    );
  await assert.rejects(refused({ listen: { host: '0.0.0.0', port: 0 } }), codeIs('WB-1212'));
  await assert.rejects(refused({ baseUri: 'http://builder.example' }), codeIs('WB-1212'));
});
