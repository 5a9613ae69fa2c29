/** Stations that change while others run: a new generation, new roots, a root signed elsewhere, rights of tokens. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { privateKeyFromPem } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseSigningConfig } from '#formats/signing-config';
import { systemClock } from '#platform/system';
import { draftRoot, signRoot } from '#services/tuf';
import { openStation, registryParts, tsaParts, tufParts } from '#stack';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';
import { startConstellation } from './serve-fixture.ts';

const world = await startConstellation();
after(() => world.close());
const stationsFile = join(world.dir, 'stations.yaml');
const tuf = () => world.stations.get('tuf')!;
const artifact = utf8('an artifact');

async function verifies(bundle: Uint8Array): Promise<void> {
  const { trustedRoot } = await world.trust();
  const who = unwrap(identity({ issuer: world.origins['oidc'] as string, san: 'ada@example.com' }));
  const verdict = verifyBundle({
    artifact,
    bundle: unwrap(parseBundle(bundle)),
    trustedRoot: trustMaterial(trustedRoot),
    requirements: unwrap(requireKeyless({ identities: [who] })),
    now: systemClock.now(),
  });
  assert.equal(verdict.outcome, 'accepted', JSON.stringify(verdict).slice(0, 400));
}

test('a second timestamp authority takes over: signers use it, and what the first stamped stays valid', async () => {
  const before = await (await world.signer()).sign({ kind: 'message', bytes: artifact });
  const next = await openStation('tsa', world.settings('tsa-2'), (deps) => tsaParts({}, deps));
  after(() => next.close());
  const first = await readFile(stationsFile, 'utf8');
  const line = `  - url: ${next.origin}\n    file: tsa-2/public/station.json\n`;
  const ended = `    until: ${rfc3339(systemClock.now() + 60_000)}\n`;
  const withEnd = first.replace(/(\/tsa\/public\/station\.json\n)/, `$1${ended}`);
  assert.notEqual(withEnd, first);
  await writeFile(stationsFile, `${withEnd}${line}`);
  await tuf().reload();
  const { trustedRoot, signingConfigBytes } = await world.trust();
  assert.equal(trustedRoot.timestampAuthorities.length, 2);
  const config = unwrap(parseSigningConfig(signingConfigBytes as Uint8Array));
  assert.deepEqual(
    config.tsaUrls.map(({ url }) => url),
    [`${next.origin}/api/v1/timestamp`],
  );
  const later = await (await world.signer()).sign({ kind: 'message', bytes: artifact });
  await verifies(before.bundle);
  await verifies(later.bundle);
});

test('a list that cannot be meant changes nothing of what is published', async () => {
  const good = await readFile(stationsFile, 'utf8');
  const before = (await world.trust()).trustedRootBytes;
  for (const text of [
    good.replace('organization', 'organisation'),
    good.replace('/ct/public/', '/nowhere/public/'),
    good.replace(/http:\/\/127[^\n]*/, 'ftp://x'),
    'stations: []',
    'stations: {',
  ]) {
    await writeFile(stationsFile, text);
    await tuf().reload();
    assert.deepEqual((await world.trust()).trustedRootBytes, before);
    const opening = openStation('tuf', world.settings('tuf-x'), (deps) => tufParts({ stationsFile }, deps));
    await assert.rejects(opening, (error) => error instanceof WaybillError && error.reason.exit === 3, text);
  }
  await writeFile(stationsFile, good);
});

test('signatures are renewed in time, also while the list of stations is broken', async () => {
  const list = join(world.dir, 'own-stations.yaml');
  await writeFile(list, await readFile(stationsFile, 'utf8'));
  let offset = 0;
  const settings = world.settings('tuf-own', {
    clock: { now: () => systemClock.now() + offset },
    admin: { host: '127.0.0.1', port: 0 },
  });
  const own = await openStation('tuf', settings, (deps) => tufParts({ stationsFile: list }, deps));
  after(() => own.close());
  const version = async (): Promise<number> => {
    const answer = await fetch(`${own.origin}/timestamp.json`);
    return ((await answer.json()) as { signed: { version: number } }).signed.version;
  };
  const failed = async (): Promise<string | undefined> =>
    /^waybill_tuf_reload_failed (\d)$/m.exec(await (await fetch(`${own.adminOrigin}/metrics`)).text())?.[1];
  assert.deepEqual([await version(), await failed()], [1, '0']);
  await writeFile(list, 'stations: {');
  for (let day = 4; day <= 12; day += 4) {
    offset = day * 86_400_000;
    await own.reload();
    assert.equal((await fetch(`${own.origin}/readyz`)).status, 200);
  }
  assert.deepEqual([await version(), await failed()], [4, '1']);
});

test('a root signed elsewhere is published once it follows', async () => {
  const nextRootFile = join(world.dir, 'next.json');
  const running = tuf();
  await running.close();
  const tufDir = join(world.dir, 'tuf');
  const one = await readFile(join(tufDir, 'metadata', '1.root.json'));
  const expires = systemClock.now() + 400 * 86_400_000;
  const draft = draftRoot(one, { roles: ['root'], add: [], remove: [], expires });
  const signed = await [1, 2].reduce(async (root, number) => {
    const pem = await readFile(join(tufDir, 'keys', `root-${number}.key`), 'utf8');
    return signRoot(await root, unwrap(privateKeyFromPem(pem)), one);
  }, Promise.resolve(draft));
  const again = await openStation('tuf', world.settings('tuf'), (deps) =>
    tufParts({ stationsFile, nextRootFile }, deps),
  );
  after(() => again.close());
  const newest = async (): Promise<number> => {
    const answer = await fetch(`${again.origin}/root.json`);
    return ((await answer.json()) as { signed: { version: number } }).signed.version;
  };
  assert.equal(await newest(), 1);
  await writeFile(nextRootFile, draft);
  await again.reload();
  assert.equal(await newest(), 1, 'nobody has signed it');
  await writeFile(nextRootFile, signed);
  await again.reload();
  assert.equal(await newest(), 2);
  await again.reload();
  assert.equal(await newest(), 2);
});

test('tokens of the registry hold per repository, and its file is checked', async () => {
  const tokensFile = join(world.dir, 'tokens.yaml');
  const grant = '{name: ci, token: let-me-in, actions: [pull, push], repositories: ["shop/*"]}';
  await writeFile(tokensFile, `tokens:\n  - ${grant}\nanonymous: [pull]\n`);
  const registry = await openStation('registry', world.settings('registry-2'), (deps) =>
    registryParts({ tokensFile, isDeletionOff: true }, deps),
  );
  after(() => registry.close());
  const upload = async (repository: string, token?: string): Promise<number> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const url = `${registry.origin}/v2/${repository}/blobs/uploads/`;
    return (await fetch(url, { method: 'POST', headers })).status;
  };
  assert.deepEqual(
    [await upload('shop/app'), await upload('shop/app', 'let-me-in'), await upload('bank/app', 'let-me-in')],
    [401, 202, 403],
  );
  assert.equal((await fetch(`${registry.origin}/v2/`)).status, 200);
  for (const text of ['tokens: [{name: ci}]', 'tokens: []\nanonymous: [steal]', 'token: []']) {
    await writeFile(tokensFile, text);
    const opening = openStation(
      'registry',
      world.settings(`registry-${toHex(utf8(text)).slice(0, 40)}`),
      (deps) => registryParts({ tokensFile }, deps),
    );
    await assert.rejects(
      opening,
      (error) => error instanceof WaybillError && error.reason.code === 'WB-1212',
    );
  }
});
