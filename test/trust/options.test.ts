/** What trust options mean beside each other: whoever gives one relies on it. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import type { WaybillError } from '#base/reason';
import { TRUSTED_ROOT_V01 } from '#formats/trusted-root';
import {
  addProfile,
  chooseTrust,
  loadTrust,
  readTufRoot,
  rootChecksum,
  type TrustOptions,
  trustSource,
} from '#trust';
import { tellIn } from '../cli/in-process.ts';
import { base, code, mirror, rootText, transport } from './world.ts';

const root = join(base, 'options-root.json');
await writeFile(root, rootText());
const tufRoot = (await mirror()).root;
const bytes = new Uint8Array(await readFile(tufRoot));
const config = join(base, 'options-config');
const env = { WAYBILL_CONFIG: config };
await addProfile(config, 'file', { trustedRoot: root }, base);
await addProfile(config, 'mirror', { tufMirror: 'https://tuf.example', tufRoot: root }, base);

const strays: readonly [TrustOptions, string, Record<string, string>?][] = [
  [{ trustedRoot: root, rootChecksum: 'sha256:00' }, '--root-checksum'],
  [{ trustedRoot: root, tufRoot: '/nonexistent' }, '--tuf-root'],
  [{ trustedRoot: root, cacheDir: 'X' }, '--cache-dir'],
  [{ trustConfig: root, tufRoot: 'X' }, '--tuf-root'],
  [{ trustConfig: root, signingConfig: 'X' }, '--signing-config'],
  [{ stack: 'DIR', tufRoot: 'X' }, '--tuf-root'],
  [{ tufMirror: 'https://tuf.example', signingConfig: 'X' }, '--signing-config'],
  [{ trust: 'mirror', tufRoot: 'X' }, '--tuf-root'],
  [{ trust: 'file', rootChecksum: 'sha256:00' }, '--root-checksum'],
  [{ tufRoot: 'X' }, '--tuf-root'],
  [{ tufRoot: 'X' }, '--tuf-root', { WAYBILL_TRUSTED_ROOT: root }],
  [{ cacheDir: 'X' }, '--cache-dir', { WAYBILL_STACK: 'DIR' }],
  [{ tufRoot: 'X' }, '--tuf-root', { WAYBILL_TRUST: 'mirror' }],
];
for (const [options, flag, more = {}] of strays) {
  const given = [...Object.keys(options), ...Object.keys(more)].join(', ');
  test(`${flag} that would change nothing is refused (${given})`, async () => {
    await assert.rejects(trustSource(options, { ...env, ...more }), (error: WaybillError) => {
      code('WB-613', 3)(error);
      assert.match(error.reason.hint, new RegExp(`^${flag} belongs beside --`));
      return true;
    });
  });
}

test('the cache of a profile lies where it is said, and is no stray where a mirror is', async () => {
  const named = await trustSource({ trust: 'mirror', cacheDir: 'X', rootChecksum: 'a'.repeat(64) }, env);
  assert.equal(named?.kind === 'tuf' && named.cacheDir, 'X');
  const usual = await trustSource({ trust: 'mirror' }, { ...env, WAYBILL_CACHE: 'home' });
  assert.equal(usual?.kind === 'tuf' && usual.cacheDir, join('home', 'trust'));
});

test('of two variables the documented one wins', () => {
  const both = { WAYBILL_TRUSTED_ROOT: root, WAYBILL_STACK: 'DIR', TUF_MIRROR: 'https://tuf.example' };
  const chosen = chooseTrust({}, both);
  assert.equal(chosen.kind === 'file' && chosen.trustedRoot, root);
});

test('waybill trust add keeps no profile for options that disagree, nor one of a profile', async () => {
  const folder = join(base, 'options-add');
  await mkdir(folder);
  const world = { env: { WAYBILL_CONFIG: folder, HOME: folder } };
  const stray = [
    'trust',
    'add',
    'lab',
    '--trusted-root',
    root,
    '--root-checksum',
    `sha256:${'0'.repeat(64)}`,
  ];
  const told = await tellIn(world, stray);
  assert.equal(told.exit, 3);
  assert.equal(told.reason?.code, 'WB-613');
  assert.equal((await tellIn(world, ['trust', 'add', 'lab', '--trust', 'mirror'])).exit, 3);
  assert.doesNotMatch((await tellIn(world, ['trust', 'list'])).stdout, /lab/);
  assert.equal((await tellIn({ env }, ['trust', 'show', 'file', '--trust', 'mirror'])).exit, 3);
});

for (const text of [
  toHex(sha256(bytes)),
  toHex(sha256(bytes)).toUpperCase(),
  `sha256:${toHex(sha256(bytes))}`,
  rootChecksum(bytes),
  rootChecksum(bytes).slice('sha512:'.length),
]) {
  test(`a checksum names its algorithm or shows it by its length (${text.slice(0, 12)}…)`, async () => {
    assert.deepEqual(await readTufRoot(tufRoot, text), bytes);
    const other = text.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    await assert.rejects(readTufRoot(tufRoot, other), code('WB-608'));
  });
}

for (const text of [
  '',
  '00',
  'sha256:00',
  'md5:00',
  `sha512:${'0'.repeat(64)}`,
  'nonsense',
  `${'0'.repeat(64)} x`,
]) {
  test(`${JSON.stringify(text)} is no checksum, which is said before anything is read`, async () => {
    await assert.rejects(readTufRoot(tufRoot, text), code('WB-613', 3));
    const options = { tufMirror: 'https://tuf.example', tufRoot: '/nonexistent', rootChecksum: text };
    assert.throws(() => chooseTrust(options, {}), code('WB-613', 3));
  });
}

test('waybill trust mirror takes no checksum without a root, and no period without a server', async () => {
  const folder = join(base, 'options-copy');
  const words = ['trust', 'mirror', 'https://tuf.example', folder];
  for (const stray of [
    ['--root-checksum', '0'.repeat(64)],
    ['--every', '2', '--tuf-root', root],
  ]) {
    assert.equal((await tellIn({ env }, [...words, ...stray])).exit, 3);
  }
});

for (const text of ['not-a-url', 'localhost:8080', 'ftp://tuf.example', 'file://elsewhere/folder']) {
  test(`TUF_MIRROR=${text} is told with what an address looks like (WB-607)`, async () => {
    const load = async (): Promise<unknown> =>
      loadTrust(chooseTrust({ tufRoot }, { TUF_MIRROR: text, WAYBILL_CACHE: base }), { transport });
    await assert.rejects(load, (error: WaybillError) => {
      code('WB-607', 3)(error);
      assert.match(error.reason.hint, /such as https:\/\/tuf\.example, or file:\/\/\//);
      return true;
    });
  });
}

test('a profile that takes the place of another says so', async () => {
  const folder = join(base, 'options-replaced');
  const trusted = join(base, 'options-replaced.json');
  const none = { mediaType: TRUSTED_ROOT_V01, tlogs: [], ctlogs: [] };
  await writeFile(trusted, JSON.stringify({ ...none, certificateAuthorities: [], timestampAuthorities: [] }));
  const add = (): ReturnType<typeof tellIn> =>
    tellIn({ env: { WAYBILL_CONFIG: folder } }, ['trust', 'add', 'prod', '--trusted-root', trusted]);
  assert.match((await add()).stdout, /^added prod\n/);
  assert.match((await add()).stdout, /^replaced prod: /);
});
