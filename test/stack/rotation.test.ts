import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { publicKeyPem } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseTrustedRoot } from '#formats/trusted-root';
import { httpTransport } from '#platform/http-client';
import { systemClock } from '#platform/system';
import {
  exportStack,
  importStack,
  requestRoot,
  requestRotation,
  requestTufRotation,
  rotatable,
} from '#stack';
import { loadTrust } from '#trust';
import { message, personSigner, startStack, temporaryFolder } from './helper.ts';
import { judge, outcome, rotateUnderLoad } from './rotation-drill.ts';

test('every key is rotated under load: no signature fails, old and new bundles verify, an old client is told', async (t) => {
  const stack = await startStack();
  const oldRoot = stack.published.trustedRoot;
  const issuer = stack.origins.oidc;
  const bundles = await rotateUnderLoad(stack, { rounds: 1, pauseMs: 20 });
  t.diagnostic(`${bundles.length} signatures, ${rotatable.length} rotations, 0 failed`);
  // A client that never heard of the new keys refuses what they signed, by name, and keeps what it knew.
  assert.equal(outcome(judge(bundles[0] as Uint8Array, oldRoot, issuer)), 'accepted');
  const stale = judge(bundles.at(-1) as Uint8Array, oldRoot, issuer);
  assert.equal(stale.outcome, 'rejected');
  // Every authority is new to it; which one it misses first is the order of its checks.
  assert.match(stale.outcome === 'rejected' ? stale.reason.class : '', /^(?:chain|time|log-entry)$/);
  // Everything again, after a restart from the folder.
  const { dataDir } = stack;
  await stack.close();
  const again = await startStack({ dataDir });
  assert.deepEqual(again.origins.log, stack.origins.log);
  const signed = await (await personSigner(again)).sign(message('load'));
  for (const bundle of [bundles[0] as Uint8Array, bundles.at(-1) as Uint8Array, signed.bundle]) {
    assert.equal(outcome(judge(bundle, again.published.trustedRoot, issuer)), 'accepted');
  }
});

test('a stolen key is believed for what it signed before, and for nothing after', async () => {
  const stack = await startStack();
  const issuer = stack.origins.oidc;
  const first = await (await personSigner(stack)).sign(message('load'));
  await sleep(2100);
  const stolenSince = systemClock.now();
  const second = await (await personSigner(stack)).sign(message('load'));
  const step = await stack.rotation.rotate({ station: 'ca', overlapMs: 0, stolenSince });
  assert.equal(step.hasSwitched, true);
  const third = await (await personSigner(stack)).sign(message('load'));
  const { trustedRoot } = stack.published;
  assert.equal(outcome(judge(first.bundle, trustedRoot, issuer)), 'accepted');
  const refused = judge(second.bundle, trustedRoot, issuer);
  assert.equal(refused.outcome === 'rejected' && refused.reason.class, 'time', outcome(refused));
  assert.equal(outcome(judge(third.bundle, trustedRoot, issuer)), 'accepted');
});

test('a key that was stolen before it was made signs nothing that counts, and the stack starts again', async () => {
  const stack = await startStack();
  const { dataDir } = stack;
  const issuer = stack.origins.oidc;
  const first = await (await personSigner(stack)).sign(message('load'));
  const yesterday = systemClock.now() - 86_400_000;
  for (const [station, stolenSince] of [['ca', yesterday] as const, ['tsa', 0] as const]) {
    const { before } = await requestRotation(dataDir, { station, overlapMs: 0, stolenSince });
    assert.equal(before.number, 1);
    assert.ok((before.end as number) < before.start, station);
  }
  const second = await (await personSigner(stack)).sign(message('load'));
  await stack.close();
  const again = await startStack({ dataDir });
  for (const { trustedRoot } of [stack.published, again.published]) {
    const root = unwrap(parseTrustedRoot(trustedRoot));
    assert.deepEqual([root.certificateAuthorities.length, root.timestampAuthorities.length], [1, 1]);
    assert.equal(judge(first.bundle, trustedRoot, issuer).outcome, 'rejected');
    assert.equal(outcome(judge(second.bundle, trustedRoot, issuer)), 'accepted');
  }
});

test('a command rotates a running stack; a second one has to wait; a stopped one says so', async () => {
  const stack = await startStack();
  const { dataDir } = stack;
  const asked = await requestRotation(dataDir, { station: 'tsa', overlapMs: 3_600_000 });
  assert.deepEqual([asked.number, asked.hasSwitched], [2, false]);
  const code = (wanted: string) => (error: unknown) => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.reason.code, wanted, error.message);
    return true;
  };
  await assert.rejects(requestRotation(dataDir, { station: 'tsa', overlapMs: 0 }), code('WB-1211'));
  const kept = JSON.parse(await readFile(join(dataDir, 'generations.json'), 'utf8')) as {
    pending: unknown[];
  };
  assert.equal(kept.pending.length, 1);
  // The new chain is published before it signs.
  const root = unwrap(parseTrustedRoot(stack.published.trustedRoot));
  assert.equal(root.timestampAuthorities.length, 2);
  await (await personSigner(stack, 2)).sign(message('load'));
  await stack.close();
  await assert.rejects(requestRotation(dataDir, { station: 'tsa', overlapMs: 0 }), code('WB-1209'));
});

test('key files are of the logs that take entries: before a new key signs, and after', async () => {
  const stack = await startStack();
  const keysAt = async (): Promise<readonly string[]> =>
    Promise.all(
      ['rekor.pub', 'ctfe.pub'].map((name) => readFile(join(stack.dataDir, 'public', name), 'utf8')),
    );
  const signing = (): readonly string[] => {
    const { logs, cts } = stack.stations.changing;
    return [logs, cts].map(({ current }) => publicKeyPem(current.publicKey));
  };
  const first = signing();
  assert.deepEqual(await keysAt(), first);
  for (const station of ['log', 'ct'] as const)
    await stack.rotation.rotate({ station, overlapMs: 3_600_000 });
  assert.deepEqual(await keysAt(), first);
  // What is handed over meanwhile is believed elsewhere.
  const home = await temporaryFolder();
  const out = join(home, 'out');
  const wire = { transport: httpTransport(), cacheDir: join(home, 'ours') };
  const { rootChecksum } = await exportStack(stack.dataDir, out, wire);
  const place = { cacheDir: join(home, 'theirs'), configDir: join(home, 'config'), name: 'theirs' };
  await importStack(out, rootChecksum, place);
  for (const station of ['log', 'ct'] as const) await stack.rotation.hasten(station);
  assert.deepEqual(await keysAt(), signing());
  for (const [index, key] of signing().entries()) assert.notEqual(key, first[index]);
});

test('the TUF repository of a running stack gets new keys by a command; a client that pinned the first root follows', async () => {
  const stack = await startStack();
  const { dataDir } = stack;
  assert.equal(await requestTufRotation(dataDir, 'online'), 2);
  assert.equal(await requestTufRotation(dataDir, 'root'), 3);
  const source = {
    kind: 'tuf',
    mirror: stack.origins.tuf,
    root: join(dataDir, 'public/root.json'),
    cacheDir: join(dataDir, 'cache'),
  } as const;
  assert.equal((await loadTrust(source, { transport: httpTransport() })).tuf?.rootVersion, 3);
  const stale = await stack.stations.tuf.newestRoot();
  await assert.rejects(requestRoot(dataDir, stale as Uint8Array), (error: WaybillError) => {
    assert.equal(error.reason.code, 'WB-1211');
    assert.match(error.reason.actual, /WB-1065/);
    return true;
  });
});
