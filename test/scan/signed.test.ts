/** Databases and SBOMs that are signed by a real stack: who signed them decides, and what they are about. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { sbomPredicateTypes } from '#flows/sbom-statement';
import { attestedSbom } from '#flows/scan-attested';
import {
  bundlePath,
  DATABASE_PREDICATE,
  type DatabaseTrust,
  openTrustedDatabase,
  signDatabase,
} from '#flows/scan-database';
import { scanSbom } from '#flows/scan-image';
import { pushDatabase, type UpdateDeps, updateDatabase } from '#flows/scan-update';
import { buildDatabase } from '#scan';
import { identity, requireKeyless, trustMaterial } from '#verify';
import { CheckWorld, databaseOf, RELEASE } from '../flows/check-world.ts';
import { ada, personSigner, startStack, temporaryFolder, trustedRootOf, wire } from '../stack/helper.ts';

const stack = await startStack();
const folder = await temporaryFolder();
const material = trustMaterial(trustedRootOf(stack));
const clock = wire.clock;

const advisory = (id: string): string =>
  JSON.stringify({ id, affected: [{ package: { ecosystem: 'npm', name: 'x' }, versions: ['1.0.0'] }] });

function trustIn(san: string): DatabaseTrust {
  const who = unwrap(identity({ issuer: stack.origins.oidc, san }));
  const requirements = unwrap(requireKeyless({ identities: [who], predicateTypes: [DATABASE_PREDICATE] }));
  return { requirements, material, nowMs: clock.now() };
}

async function build(name: string, builtMs: number, sign = true): Promise<string> {
  const source = join(folder, `${name}.json`);
  writeFileSync(source, advisory(`A-${name}`));
  const file = join(folder, `${name}.db`);
  await buildDatabase([source], file, { builtMs });
  if (sign) await signDatabase(file, { signer: await personSigner(stack), trustedRoot: material, clock });
  return file;
}

async function refuses(code: string, body: () => Promise<unknown>): Promise<void> {
  await assert.rejects(body(), (error) => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.reason.code, code, JSON.stringify(error.reason));
    return true;
  });
}

let old = '';
let fresh = '';
let unsigned = '';
before(async () => {
  old = await build('old', Date.UTC(2026, 0, 1));
  fresh = await build('fresh', Date.UTC(2026, 1, 1));
  unsigned = await build('unsigned', Date.UTC(2026, 2, 1), false);
});

test('a signed database opens for the identity that signed it, and for nobody else', async () => {
  const database = await openTrustedDatabase(old, trustIn(ada));
  assert.deepEqual(
    database.find('npm', 'x').map((one) => one.advisory.id),
    ['A-old'],
  );
  database.close();
  await refuses('WB-351', () => openTrustedDatabase(old, trustIn('eve@example.com')));
  await refuses('WB-880', () => openTrustedDatabase(unsigned, trustIn(ada)));
});

test('the signature of one database says nothing about another', async () => {
  const file = join(folder, 'swapped.db');
  writeFileSync(file, readFileSync(fresh));
  writeFileSync(bundlePath(file), readFileSync(bundlePath(old)));
  await assert.rejects(openTrustedDatabase(file, trustIn(ada)), WaybillError);
});

test('a head that says another date or another coverage than was signed is refused, and so is such an update', async () => {
  for (const [name, from, to] of [
    ['date', '"builtMs":1767225600000', '"builtMs":1795300000000'],
    ['coverage', '"npm":1', '"nim":1'],
  ] as const) {
    const bytes = readFileSync(old).toString('latin1');
    assert.ok(bytes.includes(from), `${name}: the head is written otherwise`);
    const file = join(folder, `${name}.db`);
    writeFileSync(file, Buffer.from(bytes.replace(from, to), 'latin1'));
    writeFileSync(bundlePath(file), readFileSync(bundlePath(old)));
    await refuses('WB-880', () => openTrustedDatabase(file, trustIn(ada)));
    await refuses('WB-880', () => updateDatabase([file], join(folder, `${name}-installed.db`), depsOf()));
  }
});

function depsOf(more: Partial<UpdateDeps> = {}): UpdateDeps {
  const world = new CheckWorld(stack);
  return {
    registry: () => Promise.resolve(world.registry),
    transport: wire.transport,
    clock,
    trust: trustIn(ada),
    ...more,
  };
}

test('update takes a newer database from a file, keeps it against an older one, and refuses an unsigned one', async () => {
  const file = join(folder, 'installed', 'advisories.db');
  assert.equal((await updateDatabase([old], file, depsOf())).outcome, 'updated');
  assert.equal((await updateDatabase([fresh], file, depsOf())).outcome, 'updated');
  assert.equal((await updateDatabase([fresh], file, depsOf())).outcome, 'unchanged');
  const kept = readFileSync(file);
  await refuses('WB-881', () => updateDatabase([old], file, depsOf()));
  await refuses('WB-880', () => updateDatabase([unsigned], file, depsOf()));
  await refuses('WB-351', () => updateDatabase([fresh], file, depsOf({ trust: trustIn('eve@example.com') })));
  assert.deepEqual(readFileSync(file), kept);
  const { registry, transport } = depsOf();
  const anyone = { registry, transport, clock };
  assert.equal((await updateDatabase([unsigned], file, anyone)).outcome, 'updated');
  assert.equal(existsSync(bundlePath(file)), false);
});

test('update asks an address only for what changed, and a mirror when that is gone', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const isSame = request.headers['if-none-match'] === '"1"';
    asked.push(`${request.url} ${isSame ? 304 : 200}`);
    if (request.url === '/gone.db') response.writeHead(404).end();
    else if (isSame) response.writeHead(304).end();
    else {
      const path = request.url === '/advisories.db' ? fresh : bundlePath(fresh);
      response.writeHead(200, { etag: '"1"' }).end(readFileSync(path));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const file = join(folder, 'fetched.db');
  const places = [`${origin}/gone.db`, `${origin}/advisories.db`];
  const first = await updateDatabase(places, file, depsOf());
  assert.deepEqual([first.outcome, first.place, first.failed.length], ['updated', places[1], 1]);
  const second = await updateDatabase([places[1] as string], file, depsOf());
  assert.equal(second.outcome, 'unchanged');
  assert.deepEqual(asked, [
    '/gone.db 200',
    '/advisories.db 200',
    '/advisories.db.sigstore.json 200',
    '/advisories.db 304',
  ]);
  await refuses('WB-881', () => updateDatabase([`${origin}/gone.db`], file, depsOf()));
});

test('a database that was taken from anybody is not called unchanged where a signature is asked for', async () => {
  let isSigned = false;
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const isBundle = request.url === '/advisories.db.sigstore.json';
    const isSame = request.headers['if-none-match'] === '"1"';
    asked.push(`${request.url} ${isSame ? 304 : 200}`);
    if (isSame) response.writeHead(304).end();
    else if (isBundle && !isSigned) response.writeHead(404).end();
    else response.writeHead(200, { etag: '"1"' }).end(readFileSync(isBundle ? bundlePath(fresh) : fresh));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close());
  const place = `http://127.0.0.1:${(server.address() as AddressInfo).port}/advisories.db`;
  const file = join(folder, 'anybody.db');
  const { registry, transport } = depsOf();
  const anybody = { registry, transport, clock };
  assert.equal((await updateDatabase([place], file, anybody)).outcome, 'updated');
  assert.equal((await updateDatabase([place], file, anybody)).outcome, 'unchanged');
  await refuses('WB-880', () => updateDatabase([place], file, depsOf()));
  // The signature came later: the same database, now with it beside it.
  isSigned = true;
  await updateDatabase([place], file, depsOf());
  (await openTrustedDatabase(file, trustIn(ada))).close();
  await refuses('WB-351', () => updateDatabase([place], file, depsOf({ trust: trustIn('eve@example.com') })));
  asked.length = 0;
  assert.equal((await updateDatabase([place], file, depsOf())).outcome, 'unchanged');
  assert.deepEqual(asked, ['/advisories.db 304']);
});

test('a database travels as an OCI artifact with its signature', async () => {
  const world = new CheckWorld(stack);
  const reference = `${stack.registryHost}/acme/advisories:latest`;
  await pushDatabase(fresh, reference, { registry: world.registry });
  const file = join(folder, 'pulled.db');
  assert.equal((await updateDatabase([reference], file, depsOf())).outcome, 'updated');
  assert.deepEqual(readFileSync(file), readFileSync(fresh));
  assert.equal((await updateDatabase([reference], file, depsOf())).outcome, 'unchanged');
  await pushDatabase(unsigned, reference, { registry: world.registry });
  await refuses('WB-880', () => updateDatabase([reference], file, depsOf()));
});

test('the attested SBOM is scanned only when it is signed by the one asked for and is about the image', async () => {
  const world = new CheckWorld(stack);
  await world.publishBase();
  const place = async (name: string, changes: Parameters<CheckWorld['publish']>[1] = {}): Promise<string> => {
    const { digest } = await world.publish(name, { withoutProvenance: true, ...changes });
    return `${stack.registryHost}/acme/${name}@${digest}`;
  };
  const requirementsOf = (san: string) => {
    const who = unwrap(identity({ issuer: world.githubIssuer, san }));
    return unwrap(requireKeyless({ identities: [who], predicateTypes: sbomPredicateTypes }));
  };
  const deps = { registry: world.registry, trust: world.deps.trust, clock };
  const good = await place('good');
  const { sbom, notes } = await attestedSbom(good, requirementsOf(RELEASE), deps);
  assert.deepEqual(notes, []);
  const database = databaseOf('HIGH');
  const { result } = scanSbom(sbom, database, { refine: { nowMs: clock.now() } });
  database.close();
  assert.deepEqual(
    result.findings.map((one) => `${one.id} ${one.package.name}`),
    ['TEST-2026-1 debug'],
  );
  await refuses('WB-351', () => attestedSbom(good, requirementsOf('https://github.com/eve/x'), deps));
  const strange = await place('strange', {
    sbom: (document) => {
      const component = { type: 'container', name: 'other', version: `sha256:${'1'.repeat(64)}` };
      return { ...document, metadata: { component } };
    },
  });
  await refuses('WB-887', () => attestedSbom(strange, requirementsOf(RELEASE), deps));
  const unbound = await place('unbound', {
    sbom: (document) => ({ ...document, metadata: { component: { type: 'container', name: 'x' } } }),
  });
  const found = await attestedSbom(unbound, requirementsOf(RELEASE), deps);
  assert.equal(found.notes.length, 1);
  assert.equal(found.sbom.subject.digest, found.verified.digest);
});
