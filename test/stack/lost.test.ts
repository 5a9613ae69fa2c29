/** What a stack published and lost is refused, never made again; a copy of its folder cannot fork its logs. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseCheckpoint, parseNote } from '#formats/note';
import { parseTrustedRoot } from '#formats/trusted-root';
import { lockFileNamed, readLock } from '#platform/checkpoint-lock';
import { httpTransport } from '#platform/http-client';
import { systemClock } from '#platform/system';
import { backupStack, examineStack, readGenerations, restoreStack, type Stack, stackStatus } from '#stack';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';
import { waybillHere } from '../cli/here.ts';
import { freePortBase } from '../free-ports.ts';
import { ada, LOCK_DIR, message, personSigner, startStack, temporaryFolder } from './helper.ts';

const refuses = (opening: Promise<unknown>, code: string, ...words: RegExp[]): Promise<void> =>
  assert.rejects(opening, (error) => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.reason.code, code, error.message);
    for (const word of words) assert.match(`${error.message} ${error.reason.hint}`, word);
    return true;
  });

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

const wire = { transport: httpTransport(), clock: systemClock };
const lockOf = async (dataDir: string, station: 'ct' | 'log' | 'log2'): Promise<string> => {
  const { stations } = await readGenerations(dataDir, 0);
  return lockFileNamed(LOCK_DIR, stations[station][0].keys?.['log'] ?? 'no key is written down');
};
const sizeIn = (checkpoint: string): number =>
  unwrap(parseCheckpoint(unwrap(parseNote(checkpoint)).text)).size;

let dataDir = '';
let cacheDir = '';
let bundle: Uint8Array;
/** A stack that has signed one thing in each log, and stopped. */
before(async () => {
  const stack = await startStack();
  dataDir = stack.dataDir;
  cacheDir = await temporaryFolder();
  bundle = await sign(stack);
  await (await personSigner(stack, 2)).sign(message('kept'));
  await stack.close();
});
after(() => rm(dataDir, { recursive: true, force: true }));

/** Without a part of the folder for as long as `body` runs. */
async function without(path: string, body: () => Promise<void>): Promise<void> {
  const [there, away] = [join(dataDir, path), join(dirname(dataDir), 'away')];
  await rename(there, away);
  try {
    await body();
  } finally {
    await rm(there, { recursive: true, force: true });
    await rename(away, there);
  }
}

const lost: readonly (readonly [string, string, RegExp])[] = [
  ['ca/keys', 'WB-1213', /ca\/keys/],
  ['ca/keys/intermediate.key', 'WB-1213', /no such key/],
  ['ca/keys/root.pem', 'WB-1213', /root\.pem/],
  ['ca', 'WB-1213', /ca\/keys/],
  ['tsa/keys', 'WB-1213', /tsa\/keys/],
  ['ct', 'WB-1213', /ct\/keys/],
  ['log2/tree', 'WB-409', /at|entries/],
  ['log/tree', 'WB-409', /entries/],
  ['tuf', 'WB-1213', /1\.root\.json/],
  ['tuf/metadata', 'WB-1213', /clients follow no other root/],
  ['registry', 'WB-1104', /no such folder.*from a backup.*--empty-registry/],
  ['registry/registry.sqlite', 'WB-1104', /no tables/],
];
for (const [path, code, words] of lost) {
  test(`a stack that lost ${path} does not start: ${code}; doctor and status say what is missing`, async () => {
    await without(path, async () => {
      await refuses(startStack({ dataDir }), code, words);
      const isKey = path.endsWith('.key') || path.endsWith('keys');
      if (isKey) assert.equal(existsSync(join(dataDir, path)), false, 'nothing was made in its place');
      const tree = join(dataDir, path, 'checkpoint');
      assert.equal(existsSync(tree), false, 'no checkpoint was signed');
      const findings = await examineStack(dataDir, { ...wire, cacheDir });
      const about = findings.filter(({ level, about: what }) => level === 'error' && what !== 'stations');
      assert.ok(
        about.some((finding) => finding.message.includes(path.split('/')[0] as string)),
        JSON.stringify(findings),
      );
      const { losses } = await stackStatus(dataDir, { ...wire, cacheDir });
      assert.ok(losses.length > 0);
    });
  });
}

test('a stack that lost its state, the list of its generations or the tables of its registry does not begin anew', async () => {
  await without('stack.json', () =>
    refuses(startStack({ dataDir }), 'WB-1202', /stack\.json/, /empty folder/),
  );
  await mkdir(join(dataDir, 'ca-2'));
  await without('generations.json', () =>
    refuses(startStack({ dataDir }), 'WB-1202', /generations\.json/, /ca-2/),
  );
  await rm(join(dataDir, 'ca-2'), { recursive: true });
  const blob = join(dataDir, 'registry', 'blobs', 'sha256', 'aa', 'a'.repeat(64));
  await mkdir(dirname(blob), { recursive: true });
  await writeFile(blob, 'layer');
  await without('registry/registry.sqlite', () =>
    refuses(startStack({ dataDir }), 'WB-1104', /registry\.sqlite/),
  );
  await rm(blob);
});

test('issuers that a certificate log lost are named by doctor and fsck, and made again at the next start', async () => {
  const tree = join(dataDir, 'ct', 'tree');
  const publicKey = join(dataDir, 'public', 'ctfe.pub');
  const lockFile = await lockOf(dataDir, 'ct');
  const fsck = () =>
    waybillHere(['log', 'fsck', tree, '--public-key', publicKey, '--lock-file', lockFile], {
      env: { HOME: cacheDir },
    });
  const whole = await fsck();
  assert.equal(whole.code, 0, whole.stdout + whole.stderr);
  const issuers = join(tree, 'issuer');
  const [one = '', two = ''] = await readdir(issuers);
  const kept = await readFile(join(issuers, one));
  await writeFile(join(issuers, one), kept.subarray(1));
  await rm(join(issuers, two));
  const found = await fsck();
  assert.equal(found.code, 2, found.stderr);
  assert.match(found.stdout, new RegExp(`issuer/${one} is not the file that entry 0 names`));
  assert.match(found.stdout, new RegExp(`issuer/${two}, which entry 0 names, is missing`));
  await rm(issuers, { recursive: true });
  const told = (await examineStack(dataDir, { ...wire, cacheDir })).map(({ message: text }) => text);
  assert.ok(
    told.some((text) => text.startsWith('ct/tree/issuer holds no certificate')),
    told.join(),
  );
  await (await startStack({ dataDir })).close();
  assert.deepEqual(await readFile(join(issuers, one)), kept);
  assert.equal((await fsck()).code, 0);
});

test('a registry that is given up as lost begins anew, and the start after that takes it as it is', async () => {
  await without('registry', async () => {
    await (await startStack({ dataDir, hasLostImages: true })).close();
    const { losses } = await stackStatus(dataDir, { ...wire, cacheDir });
    assert.deepEqual(losses, []);
    await (await startStack({ dataDir })).close();
  });
});

test('a lost timestamp of the TUF repository is signed again, later than any that clients know', async () => {
  const path = join(dataDir, 'tuf', 'metadata', 'timestamp.json');
  const versionOf = async (): Promise<number> =>
    (JSON.parse(await readFile(path, 'utf8')) as { signed: { version: number } }).signed.version;
  const known = await versionOf();
  await rm(path);
  await (await startStack({ dataDir })).close();
  assert.ok((await versionOf()) > known + 1000);
});

test('without data and lock a log is refused as missing, and what to do is said: WB-411', async () => {
  const lock = await lockOf(dataDir, 'log2');
  await without('log2/tree', async () => {
    await rename(lock, `${lock}.away`);
    await refuses(startStack({ dataDir }), 'WB-411', /mount its volume/, /new key/);
    await rm(lock, { force: true });
    await rename(`${lock}.away`, lock);
  });
});

test('a lock that cannot be read is a finding, not an end of status', async () => {
  const lock = await lockOf(dataDir, 'log');
  const own = await readFile(lock);
  await writeFile(lock, 'no database at all, but long enough to be looked at as one'.repeat(20));
  const { losses } = await stackStatus(dataDir, { ...wire, cacheDir });
  assert.match(losses.map((loss) => loss.message).join(), /lock of log\/tree cannot be read/);
  await writeFile(lock, own);
});

test('a key of another stack in its place is refused: WB-1213; doctor names it', async () => {
  const path = join(dataDir, 'log', 'keys', 'log.key');
  const own = await readFile(path);
  const other = await startStack();
  await other.close();
  await writeFile(path, await readFile(join(other.dataDir, 'log', 'keys', 'log.key')), { mode: 0o600 });
  await refuses(startStack({ dataDir }), 'WB-1213', /with SHA-256/);
  const messages = (await examineStack(dataDir, { ...wire, cacheDir })).map((finding) => finding.message);
  assert.ok(messages.some((text) => text.includes('log/keys/log.key is not the key that was published')));
  assert.ok(messages.some((text) => text.includes('does not name the key in log/keys/log.key')));
  await writeFile(path, own);
});

test('with everything back it starts, verifies what it signed, and nothing is wrong', async () => {
  const stack = await startStack({ dataDir });
  assert.equal(verifies(stack, bundle), true);
  assert.deepEqual(await examineStack(dataDir, { ...wire, cacheDir }), []);
  await stack.close();
});

test('a copy of the folder that is put back after more was signed is refused, and signs nothing: WB-409', async () => {
  const copy = join(await temporaryFolder(), 'copy');
  await cp(dataDir, copy, { recursive: true });
  const ahead = await startStack({ dataDir });
  await sign(ahead);
  const size = ahead.stations.log.log.tree.size;
  await ahead.close();
  const current = join(dirname(dataDir), 'current');
  await rename(dataDir, current);
  await cp(copy, dataDir, { recursive: true });
  await refuses(startStack({ dataDir }), 'WB-409', /a backup or a snapshot was restored/);
  const published = await readFile(join(dataDir, 'log', 'tree', 'checkpoint'), 'utf8');
  assert.equal(sizeIn(published), size - 1, 'it is as it was copied');
  const losses = (await examineStack(dataDir, { ...wire, cacheDir })).map(({ message: text }) => text);
  assert.ok(
    losses.some((text) => /log\/tree is at 1 entries, its checkpoint lock at 2/.test(text)),
    losses.join(),
  );
  await rm(dataDir, { recursive: true });
  await rename(current, dataDir);
});

test('beside the running stack its copy cannot sign: one of the two stops', async () => {
  const copy = join(await temporaryFolder(), 'copy');
  await cp(dataDir, copy, { recursive: true });
  const one = await startStack({ dataDir });
  const two = await startStack({ dataDir: copy, portBase: await freePortBase() });
  await sign(one);
  await assert.rejects(sign(two));
  assert.match(two.stations.ct.log.stopped?.code ?? two.stations.log.log.stopped?.code ?? '', /WB-406/);
  await two.close();
  await one.close();
});

test('a folder of an earlier version gives its locks up once and goes on', async () => {
  const stack = await startStack();
  await sign(stack);
  await stack.close();
  const { dataDir: old } = stack;
  for (const station of ['ct', 'log', 'log2'] as const) {
    await rename(await lockOf(old, station), join(old, station, 'tree', 'lock.db'));
  }
  await rm(join(old, 'generations.json'));
  const state = JSON.parse(await readFile(join(old, 'stack.json'), 'utf8')) as Record<string, unknown>;
  const { lockDir: _lock, tufRoot: _root, ...before } = state;
  await writeFile(join(old, 'stack.json'), JSON.stringify(before));
  const again = await startStack({ dataDir: old });
  await sign(again);
  assert.equal(again.stations.log.log.tree.size, 2);
  await again.close();
  for (const station of ['ct', 'log', 'log2'] as const) {
    assert.equal(existsSync(join(old, station, 'tree', 'lock.db')), false);
    assert.ok((readLock(await lockOf(old, station)) ?? '').length > 0);
  }
  assert.deepEqual(
    (await examineStack(old, { ...wire, cacheDir })).filter(
      ({ about }) => about !== 'stations' && about !== 'trust',
    ),
    [],
  );
});

test('on another machine a moved folder says that its locks are missing; they are made again only when asked', async () => {
  const lockDir = join(await temporaryFolder(), 'elsewhere');
  await refuses(startStack({ dataDir, lockDir }), 'WB-409', /moves together with its lock/, /--adopt-lock/);
  const moved = await startStack({ dataDir, lockDir, hasLostLocks: true });
  assert.equal((await readdir(lockDir)).filter((name) => name.endsWith('.db')).length, 3);
  await moved.close();
  // The locks of the first place now name the same checkpoints.
  await (await startStack({ dataDir })).close();
});

test('a backup whose logs went on is restored with successors alone; the old ones sign nothing more', async () => {
  const folder = await temporaryFolder();
  const copy = join(folder, 'backup');
  await backupStack(dataDir, copy, systemClock.now());
  const later = await startStack({ dataDir });
  await sign(later);
  await later.close();
  const into = join(folder, 'restored');
  const went = restoreStack(copy, into, { continueLogs: true, lockDir: LOCK_DIR });
  await refuses(went, 'WB-1210', /other checkpoints signed since/, /without --continue-logs/);
  await assert.rejects(stat(into), { code: 'ENOENT' });
  await restoreStack(copy, into, { continueLogs: false, lockDir: LOCK_DIR });
  const lock = readLock(await lockOf(dataDir, 'log'));
  const before = await readFile(join(into, 'log', 'tree', 'checkpoint'), 'utf8');
  const restored = await startStack({ dataDir: into });
  const { log } = restored.rotation.generations.stations;
  assert.deepEqual([log.length, log[0].isClosed], [2, true]);
  assert.equal(await readFile(join(into, 'log', 'tree', 'checkpoint'), 'utf8'), before);
  assert.equal(readLock(await lockOf(dataDir, 'log')), lock);
  const frozen = await fetch(`${log[0].origin}/api/v1/log`);
  assert.equal(((await frozen.json()) as { signedTreeHead: string }).signedTreeHead, before);
  assert.equal(verifies(restored, await sign(restored)), true);
  await restored.close();
  await (await startStack({ dataDir: into })).close();
});

test('a backup goes on with its logs on another machine, where their locks are made again', async () => {
  const folder = await temporaryFolder();
  const [copy, into, lockDir] = [join(folder, 'backup'), join(folder, 'data'), join(folder, 'locks')];
  const stack = await startStack();
  await sign(stack);
  await stack.close();
  await backupStack(stack.dataDir, copy, systemClock.now());
  await restoreStack(copy, into, { continueLogs: true, lockDir });
  const going = await startStack({ dataDir: into, lockDir });
  assert.equal(going.rotation.generations.stations.log.length, 1);
  await sign(going);
  assert.equal(going.stations.log.log.tree.size, 2);
  await going.close();
});

test('locks kept with the data are in no backup, and doctor warns of them', async () => {
  const folder = await temporaryFolder();
  const place = join(folder, 'data');
  await mkdir(place, { mode: 0o700 });
  const stack = await startStack({ dataDir: place, lockDir: join(place, 'locks'), portBase: 0 });
  const found = await examineStack(place, { ...wire, cacheDir });
  assert.deepEqual(
    found.map(({ level, about }) => `${level} ${about}`),
    ['warning locks'],
  );
  await stack.close();
  await backupStack(place, join(folder, 'copy'), systemClock.now());
  assert.equal(existsSync(join(folder, 'copy', 'locks')), false);
});
