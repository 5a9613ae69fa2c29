import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8 } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseTrustedRoot } from '#formats/trusted-root';
import { httpTransport } from '#platform/http-client';
import { systemClock } from '#platform/system';
import { requestRoot, requestRotation, requestTufRotation, rotatable, type Stack } from '#stack';
import { loadTrust } from '#trust';
import { identity, requireKeyless, trustMaterial, type Verdict, verifyBundle } from '#verify';
import { ada, message, personSigner, startStack } from './helper.ts';

const HOUR_MS = 3_600_000;

/** The verdict over a bundle by the trusted root given, and by nothing else. */
function judge(bundle: Uint8Array, trustedRoot: Uint8Array, issuer: string): Verdict {
  const who = unwrap(identity({ issuer, san: ada }));
  return verifyBundle({
    artifact: utf8('load'),
    bundle: unwrap(parseBundle(bundle)),
    trustedRoot: trustMaterial(unwrap(parseTrustedRoot(trustedRoot))),
    requirements: unwrap(requireKeyless({ identities: [who] })),
    now: systemClock.now(),
  });
}

const outcome = (verdict: Verdict): string =>
  verdict.outcome === 'rejected' ? `rejected ${verdict.reason.code}` : verdict.outcome;

async function waitFor(what: string, isDone: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (isDone()) return;
    await sleep(50);
  }
  assert.fail(`${what} took longer than a minute`);
}

/** Signs again and again, each time with what is published, until told to stop. */
async function load(stack: Stack, bundles: Uint8Array[], isOver: () => boolean): Promise<void> {
  for (let round = 0; !isOver(); round++) {
    const signer = await personSigner(stack, round % 2 === 0 ? 1 : 2);
    bundles.push((await signer.sign(message('load'))).bundle);
  }
}

test('every key is rotated under load: no signature fails, old and new bundles verify, an old client is told', async (t) => {
  const stack = await startStack();
  const oldRoot = stack.published.trustedRoot;
  const issuer = stack.origins.oidc;
  const bundles: Uint8Array[] = [];
  let isOver = false;
  const running = load(stack, bundles, () => isOver);
  try {
    // Whoever began to sign before a step has finished when two more signatures are there.
    const twoMore = async (what: string): Promise<void> => {
      const before = bundles.length;
      await waitFor(`signing ${what}`, () => bundles.length > before + 1);
    };
    for (const station of rotatable) {
      const step = await stack.rotation.rotate({ station, overlapMs: HOUR_MS });
      assert.deepEqual([step.number, step.hasSwitched], [2, false]);
      await twoMore(`while the new key of ${station} is only published`);
      while (stack.rotation.generations.pending.length > 0) {
        await stack.rotation.hasten(station);
        await twoMore(`with the new key of ${station}`);
      }
    }
  } finally {
    isOver = true;
    await running;
  }
  const { trustedRoot } = stack.published;
  const outcomes = bundles.map((bundle) => outcome(judge(bundle, trustedRoot, issuer)));
  assert.deepEqual(
    outcomes.filter((one) => one !== 'accepted'),
    [],
  );
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
