import assert from 'node:assert/strict';
import { appendFile, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseTrustedRoot } from '#formats/trusted-root';
import { httpTransport } from '#platform/http-client';
import { systemClock } from '#platform/system';
import { backupStack, restoreStack, type Stack } from '#stack';
import { loadTrust } from '#trust';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';
import { ada, LOCK_DIR, message, personSigner, startStack, temporaryFolder } from './helper.ts';

const code = (wanted: string) => (error: unknown) => {
  assert.ok(error instanceof WaybillError, String(error));
  assert.equal(error.reason.code, wanted, error.message);
  return true;
};

function verifies(stack: Stack, bundle: Uint8Array, issuer: string): boolean {
  const who = unwrap(identity({ issuer, san: ada }));
  const verdict = verifyBundle({
    artifact: utf8('kept'),
    bundle: unwrap(parseBundle(bundle)),
    trustedRoot: trustMaterial(unwrap(parseTrustedRoot(stack.published.trustedRoot))),
    requirements: unwrap(requireKeyless({ identities: [who] })),
    now: systemClock.now(),
  });
  return verdict.outcome === 'accepted';
}

const sign = async (stack: Stack): Promise<Uint8Array> =>
  (await (await personSigner(stack)).sign(message('kept'))).bundle;

test('a backup brings back every key; its logs are closed and followed, so that no entry is ever contradicted', async () => {
  const folder = await temporaryFolder();
  const copy = join(folder, 'copy');
  const stack = await startStack();
  const issuer = stack.origins.oidc;
  const first = await sign(stack);
  await assert.rejects(backupStack(stack.dataDir, copy, systemClock.now()), code('WB-210'));
  await stack.close();
  const made = await backupStack(stack.dataDir, copy, systemClock.now());
  assert.ok(made.files > 30, `${made.files} files`);
  assert.equal((await stat(join(copy, 'ca/keys/root.key'))).mode & 0o777, 0o600);

  // What follows the backup is lost with the machine.
  const later = await startStack({ dataDir: stack.dataDir });
  const second = await sign(later);
  await later.close();
  await rm(stack.dataDir, { recursive: true });

  const dataDir = join(folder, 'restored');
  await restoreStack(copy, dataDir, { continueLogs: false, lockDir: LOCK_DIR });
  const restored = await startStack({ dataDir });
  assert.equal(restored.rotation.generations.stations.log.length, 2);
  assert.notEqual(restored.origins.log, stack.origins.log);
  const third = await sign(restored);
  // Also what was signed after the backup: its proof is in the bundle.
  for (const bundle of [first, second, third]) assert.equal(verifies(restored, bundle, issuer), true);
  const [entry] = unwrap(parseBundle(third)).tlogEntries;
  assert.equal(entry?.logIndex, 0);
  await restored.close();
  const again = await startStack({ dataDir });
  assert.equal(again.rotation.generations.stations.log.length, 2);
});

test('a second backup copies what changed; a copy that was changed or broken off is refused', async () => {
  const folder = await temporaryFolder();
  const copy = join(folder, 'copy');
  const stack = await startStack();
  await stack.close();
  const first = await backupStack(stack.dataDir, copy, systemClock.now());
  const second = await backupStack(stack.dataDir, copy, systemClock.now());
  assert.equal(second.files, first.files);
  assert.equal(second.unchanged, first.files);

  const key = join(copy, 'tsa/keys/tsa.key');
  const bytes = await readFile(key);
  await appendFile(key, '\n');
  const into = join(folder, 'restored');
  await assert.rejects(restoreStack(copy, into, { continueLogs: true, lockDir: LOCK_DIR }), code('WB-1210'));
  await assert.rejects(stat(into), { code: 'ENOENT' });
  await writeFile(key, bytes);
  await restoreStack(copy, into, { continueLogs: true, lockDir: LOCK_DIR });
  await assert.rejects(restoreStack(copy, into, { continueLogs: true, lockDir: LOCK_DIR }), code('WB-1210'));
  const going = await startStack({ dataDir: into });
  assert.equal(going.rotation.generations.stations.log.length, 1);

  await rm(join(copy, 'backup.json'));
  await assert.rejects(
    restoreStack(copy, join(folder, 'other'), { continueLogs: true, lockDir: LOCK_DIR }),
    code('WB-1210'),
  );
  await assert.rejects(backupStack(stack.dataDir, copy, systemClock.now()), code('WB-1210'));
});

test('a restore names what was published after the backup, and clients who saw that follow what came back', async () => {
  const folder = await temporaryFolder();
  const [copy, dataDir] = [join(folder, 'copy'), join(folder, 'restored')];
  const known = { cacheDir: join(folder, 'cache'), transport: httpTransport() };
  const stack = await startStack();
  const pinned = join(stack.dataDir, 'public/root.json');
  const trustNow = () =>
    loadTrust({ kind: 'tuf', mirror: stack.origins.tuf, root: pinned, cacheDir: known.cacheDir }, known);
  const { lockDir = '' } = stack.state;
  await stack.close();
  await backupStack(stack.dataDir, copy, systemClock.now());
  const later = await startStack({ dataDir: stack.dataDir });
  await later.rotation.rotate({ station: 'ca', overlapMs: 0 });
  await later.rotation.rotate({ station: 'tsa', overlapMs: 0 });
  assert.equal((await trustNow()).trustedRoot.certificateAuthorities.length, 2);
  await later.close();

  const { lost } = await restoreStack(copy, dataDir, { continueLogs: true, lockDir, known });
  assert.equal(lost.length, 2);
  assert.match(lost.join(), /the authority waybill-dev root, since .*the authority waybill-dev tsa, since /);
  const restored = await startStack({ dataDir });
  assert.equal((await trustNow()).trustedRoot.certificateAuthorities.length, 1);
  assert.equal(restored.rotation.generations.stations.log.length, 1);

  // New keys of the TUF repository that the backup does not have: two more versions of the root, and they follow again.
  const { tuf } = restored.stations;
  await tuf.rotate('online');
  assert.equal((await trustNow()).tuf?.rootVersion, 2);
  await restored.close();
  const again = join(folder, 'again');
  const second = await restoreStack(copy, again, { continueLogs: true, lockDir, known });
  assert.deepEqual(second.lost, ['version 2 of the TUF root']);
  const back = await startStack({ dataDir: again });
  await assert.rejects(trustNow());
  await back.stations.tuf.rotate('online');
  await back.stations.tuf.rotate('online');
  assert.equal((await trustNow()).tuf?.rootVersion, 3);
});

/** What `backupStack` needs of a stack, without its stations. */
async function folderOfStack(root: string): Promise<string> {
  const dataDir = join(await temporaryFolder(), 'data');
  await mkdir(join(dataDir, 'tuf/metadata'), { recursive: true });
  await writeFile(join(dataDir, 'tuf/metadata/1.root.json'), root);
  const names = ['oidc', 'ca', 'ct', 'log', 'log2', 'tsa', 'tuf', 'registry', 'audit'];
  const origins = Object.fromEntries(names.map((name) => [name, 'http://127.0.0.1:1']));
  const state = { schema: 'waybill.dev/stack/v1', development: true, createdAt: 1, origins, pid: 1 };
  await writeFile(join(dataDir, 'stack.json'), JSON.stringify(state));
  return dataDir;
}

test('what was moved to another disk and linked is in the backup; a link to nothing or in a circle is refused by name', async () => {
  const dataDir = await folderOfStack('one');
  const [elsewhere, copy] = [await temporaryFolder(), join(await temporaryFolder(), 'copy')];
  await mkdir(join(elsewhere, 'registry/blobs'), { recursive: true });
  await writeFile(join(elsewhere, 'registry/blobs/a'), 'layer', { mode: 0o600 });
  await symlink(join(elsewhere, 'registry'), join(dataDir, 'registry'));
  await symlink(join(elsewhere, 'registry/blobs/a'), join(dataDir, 'one-file'));
  const made = await backupStack(dataDir, copy, 1);
  assert.equal(made.files, 4);
  assert.equal(await readFile(join(copy, 'registry/blobs/a'), 'utf8'), 'layer');
  assert.equal((await lstat(join(copy, 'registry'))).isDirectory(), true);
  for (const [name, to] of [
    ['gone', join(elsewhere, 'nothing')],
    ['round', '.'],
  ] as const) {
    await symlink(to, join(dataDir, name));
    await assert.rejects(backupStack(dataDir, copy, 2), (error: unknown) => {
      code('WB-1210')(error);
      return String(error).includes(name);
    });
    await rm(join(dataDir, name));
  }
  // The copy that was there is whole still.
  assert.equal((await backupStack(dataDir, copy, 3)).unchanged, 4);
});

test('a backup is never made over that of another stack, nor in its own folder, nor brought back into itself', async () => {
  const [one, two] = [await folderOfStack('one'), await folderOfStack('two')];
  const copy = join(await temporaryFolder(), 'copy');
  await backupStack(one, copy, 1);
  await assert.rejects(backupStack(two, copy, 2), code('WB-1210'));
  assert.equal(await readFile(join(copy, 'tuf/metadata/1.root.json'), 'utf8'), 'one');
  const link = join(await temporaryFolder(), 'link');
  await symlink(one, link);
  for (const place of [one, join(one, 'backup'), join(link, 'deep/er')]) {
    await assert.rejects(backupStack(one, place, 3), code('WB-1210'));
  }
  const into = join(copy, 'restored');
  await assert.rejects(restoreStack(copy, into, { continueLogs: true, lockDir: two }), code('WB-1210'));
  assert.deepEqual((await readdir(one)).sort(), ['process.lock', 'process.pid', 'stack.json', 'tuf']);
});
