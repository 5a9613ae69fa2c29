/** A stack one of whose logs is gone for good: given up, it gets a successor, and what it logged stays valid. */
import assert from 'node:assert/strict';
import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseTrustedRoot } from '#formats/trusted-root';
import { httpTransport } from '#platform/http-client';
import { systemClock } from '#platform/system';
import { giveUpLog, readGenerations, type Stack, stackStatus } from '#stack';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';
import { waybillHere } from '../cli/here.ts';
import { ada, message, personSigner, startStack, temporaryFolder } from './helper.ts';

const codeIs =
  (...codes: string[]) =>
  (error: unknown) =>
    error instanceof WaybillError && codes.includes(error.reason.code);

const sign = async (stack: Stack): Promise<Uint8Array> =>
  (await (await personSigner(stack)).sign(message('kept'))).bundle;

function verifies(stack: Stack, bundle: Uint8Array): boolean {
  const who = unwrap(identity({ issuer: stack.origins.oidc, san: ada }));
  const verdict = verifyBundle({
    artifact: utf8('kept'),
    bundle: unwrap(parseBundle(bundle)),
    trustedRoot: trustMaterial(unwrap(parseTrustedRoot(stack.published.trustedRoot))),
    requirements: unwrap(requireKeyless({ identities: [who] })),
    now: systemClock.now(),
  });
  return verdict.outcome === 'accepted';
}

const giveUp = (dataDir: string, station: string) =>
  waybillHere(['stack', 'rotate', station, '--lost', '--stack', dataDir], { env: {} });

test('a log that is lost is given up: a new one follows, its key stays for what it signed, and search says what is missing', async () => {
  const first = await startStack();
  const { dataDir } = first;
  const bundle = await sign(first);
  const before = first.origins.log;
  assert.equal((await giveUp(dataDir, 'log')).code, 3, 'not while it runs');
  await first.close();
  await assert.rejects(giveUpLog(dataDir, 'log', systemClock.now()), codeIs('WB-1208'));
  assert.equal((await giveUp(dataDir, 'tsa')).code, 3);

  await rm(join(dataDir, 'log', 'tree'), { recursive: true });
  await assert.rejects(startStack({ dataDir }), codeIs('WB-409', 'WB-411'));
  const told = await giveUp(dataDir, 'log');
  assert.equal(told.code, 0, told.stderr);
  assert.match(told.stdout, /generation 1 is given up, with 1 entries/);

  // A start that is cut short after the new log was made, and before it was written down, is simply repeated.
  const kept = join(await temporaryFolder(), 'generations.json');
  await cp(join(dataDir, 'generations.json'), kept);
  await (await startStack({ dataDir })).close();
  await cp(kept, join(dataDir, 'generations.json'));

  const second = await startStack({ dataDir });
  assert.ok(verifies(second, bundle));
  const after = await sign(second);
  assert.ok(verifies(second, after));
  assert.notEqual(second.origins.log, before);
  const { stations } = await readGenerations(dataDir, 0);
  const [old, made] = stations.log;
  assert.ok(old.end !== undefined && old.lost !== undefined && made?.end === undefined);
  const [known] = unwrap(parseTrustedRoot(second.published.trustedRoot)).tlogs;
  assert.equal(known?.validFor.end, old.end);
  const gone = await fetch(`${before}/api/v1/log`);
  assert.deepEqual([gone.status, /WB-1219/.test(await gone.text())], [410, true]);
  const entry = { method: 'POST', body: 'x'.repeat(100_000) };
  assert.equal((await fetch(`${before}/api/v1/log/entries`, entry)).status, 410, 'an entry of any size');
  assert.deepEqual(await (await fetch(`${before}/healthz`)).json(), { status: 'lost' });
  const searched = await fetch(`${second.origins.audit}/api/v1/audit/search?identity=${ada}`);
  const { missing, entries } = (await searched.json()) as { missing: object[]; entries: object[] };
  assert.equal(entries.length, 1, 'what the new log has');
  assert.deepEqual(
    missing.map((one) => ({ ...one, logId: '', until: '' })),
    [{ url: before, logId: '', until: '', entries: 1 }],
  );
  const deps = { transport: httpTransport(), clock: systemClock, cacheDir: await temporaryFolder() };
  const { losses, isUp } = await stackStatus(dataDir, deps);
  assert.deepEqual([losses, isUp], [[], true]);
  const address = second.origins.log;
  await second.close();
  const third = await startStack({ dataDir });
  assert.equal(third.origins.log, address);
  assert.equal((await fetch(`${before}/api/v1/log`)).status, 410);
  await third.rotation.rotate({ station: 'log', overlapMs: 0 });
  assert.ok(verifies(third, after) && verifies(third, bundle));
  await third.close();
});

test('a certificate log whose key is lost is given up the same way, twice', async () => {
  const stack = await startStack();
  const { dataDir } = stack;
  const bundles = [await sign(stack)];
  await stack.close();
  for (const folder of ['ct', 'ct-2']) {
    await rm(join(dataDir, folder, 'keys', 'log.key'));
    await assert.rejects(startStack({ dataDir }), codeIs('WB-1213'));
    assert.equal((await giveUp(dataDir, 'ct')).code, 0);
    // Said twice, it is the same.
    const [text, again] = [
      await readFile(join(dataDir, 'generations.json'), 'utf8'),
      await giveUp(dataDir, 'ct'),
    ];
    assert.equal(again.code, 0);
    assert.equal(await readFile(join(dataDir, 'generations.json'), 'utf8'), text);
    const next = await startStack({ dataDir });
    bundles.push(await sign(next));
    for (const bundle of bundles) assert.ok(verifies(next, bundle));
    await next.close();
  }
});
