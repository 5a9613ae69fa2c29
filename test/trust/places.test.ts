/** Folders that take nothing and files without end: told at once, never waited for. */
import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { exportTrust, mirrorFolder, readProfiles, stackSimulation, writeExport } from '#trust';
import { base, code, load, mirror, noNetwork, source, transport } from './world.ts';

const from = await mirror();
const isLinux = process.platform === 'linux';
if (!isLinux) console.log('note: not Linux; the tests of /proc and /dev/zero did not run');

if (isLinux) {
  test('a cache below /proc, where nothing can be made, is told at once (WB-209)', async () => {
    await assert.rejects(
      load({ ...source(from, 'x'), cacheDir: '/proc/self' }, noNetwork),
      code('WB-209', 3),
    );
  });
}

if (isLinux) {
  test('an export to a folder below /proc is told at once (WB-209)', async () => {
    const { exported } = await exportTrust(source(from, 'places'), { transport });
    await assert.rejects(writeExport(exported, '/proc/self/export'), code('WB-209', 3));
  });
}

test('a cache below a file is told as that', async () => {
  const file = join(base, 'places-file');
  await writeFile(file, '');
  await assert.rejects(
    load({ ...source(from, 'x'), cacheDir: join(file, 'cache') }, noNetwork),
    code('WB-209', 3),
  );
});

if (isLinux) {
  test('a trust.json, stack.json or kept timestamp without end is not read to its end', async () => {
    const folder = join(base, 'places-config');
    await mkdir(folder);
    for (const name of ['trust.json', 'stack.json']) await symlink('/dev/zero', join(folder, name));
    await assert.rejects(readProfiles(folder), code('WB-209', 3));
    await assert.rejects(stackSimulation(folder), code('WB-209', 3));
    const kept = join(base, 'places-cache', mirrorFolder(from.url));
    await mkdir(kept, { recursive: true, mode: 0o700 });
    await symlink('/dev/zero', join(kept, 'timestamp.json'));
    await assert.rejects(load(source(from, 'places-cache')), code('WB-209', 3));
  });
}
