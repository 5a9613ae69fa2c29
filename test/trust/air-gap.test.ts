/** Trust carried to a machine without network, and profiles that give sources of trust a name. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import type { WaybillError } from '#base/reason';
import { trustedRootJson } from '#formats/trusted-root';
import { systemClock } from '#platform/system';
import {
  addProfile,
  endingSoon,
  exportTrust,
  importTrust,
  pinRoot,
  readProfiles,
  removeProfile,
  requireTrustSource,
  SIMULATED_ORGANIZATION,
  type Trust,
  trustSource,
  useProfile,
  writeExport,
} from '#trust';
import { VirtualTsa } from '../double/virtual-ca.ts';
import { VirtualStack } from '../double/virtual-stack.ts';
import {
  base,
  code,
  DAY,
  load,
  type Mirror,
  mirror,
  noNetwork,
  rootText,
  source,
  targets,
  transport,
} from './world.ts';

let counter = 0;
async function exported(from: Mirror, suffix: '.json' | ''): Promise<string> {
  const path = join(base, `export-${counter++}${suffix}`);
  const { exported: files } = await exportTrust(source(from, `exporting-${counter}`), { transport });
  await writeExport(files, path);
  return path;
}

/** Every file of a cache with its bytes. */
async function contentOf(cache: string): Promise<Record<string, string>> {
  const folder = join(base, cache);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = files.map(async (path) => [relative(folder, path), await readFile(path, 'base64')] as const);
  return Object.fromEntries(await Promise.all(read));
}

for (const form of ['.json', ''] as const) {
  describe(`an export as ${form === '' ? 'a folder' : 'one file'}`, () => {
    test('is imported without a connection, and verifies offline afterwards', async () => {
      const from = await mirror();
      const path = await exported(from, form);
      const cache = `import-${counter++}`;
      const { mirror: _, kind: __, ...pinned } = source(from, cache);
      const trust = await importTrust(path, pinned);
      assert.deepEqual(
        [trust.origin, Buffer.from(trust.trustedRootBytes).toString()],
        [from.url, rootText()],
      );
      // The root that was given is pinned by the import.
      const { root: ___, ...later } = source(from, cache, { offline: true });
      assert.equal((await load(later, noNetwork)).trustedRootSha256, trust.trustedRootSha256);
    });

    test('brings every root, so that a client with an old one can walk', async () => {
      const clock = new FixedClock(systemClock.now() - 200 * DAY);
      const from = await mirror(clock);
      clock.advance(200 * DAY);
      await from.tuf.renew();
      const newest = join(base, `newest-${counter++}.json`);
      await writeFile(newest, (await from.tuf.read('2.root.json')) as Uint8Array);
      const path = join(base, `walked-${counter++}${form}`);
      const { exported: files } = await exportTrust(source(from, 'walking', { root: newest }), { transport });
      await writeExport(files, path);
      const trust = await importTrust(path, { root: from.root, cacheDir: join(base, `walked-${counter++}`) });
      assert.equal(trust.tuf?.rootVersion, 2);
    });

    test('that is older than the cache is refused with exit 16, and the cache stays as it is', async () => {
      const from = await mirror();
      const old = await exported(from, form);
      await from.tuf.publish(targets(2));
      const cache = `older-${counter++}`;
      await load(source(from, cache));
      const before = await contentOf(cache);
      assert.ok(Object.keys(before).length > 4);
      await assert.rejects(
        importTrust(old, { root: from.root, cacheDir: join(base, cache) }),
        code('WB-601'),
      );
      assert.deepEqual(await contentOf(cache), before);
    });

    test('of another repository is refused by the pinned root', async () => {
      const from = await mirror();
      const other = await mirror();
      const path = await exported(other, form);
      const cache = `foreign-${counter++}`;
      await assert.rejects(
        importTrust(path, { root: from.root, cacheDir: join(base, cache) }),
        code('WB-601'),
      );
      assert.deepEqual(await contentOf(cache), {});
    });

    test('without a pinned root is refused: an export does not vouch for itself', async () => {
      const path = await exported(await mirror(), form);
      await assert.rejects(
        importTrust(path, { cacheDir: join(base, `none-${counter++}`) }),
        code('WB-607', 3),
      );
    });

    test('that expired on the way is WB-602, and the cache stays as it is', async () => {
      // What a machine sees whose export lay for twenty days: files signed twenty days ago.
      const old = await mirror(new FixedClock(systemClock.now() - 20 * DAY));
      const path = join(base, `late-${counter++}${form}`);
      await writeExport(await oldExport(old), path);
      const cache = `late-${counter++}`;
      await assert.rejects(
        importTrust(path, { root: old.root, cacheDir: join(base, cache) }),
        code('WB-602'),
      );
      assert.deepEqual(await contentOf(cache), {});
    });
  });
}

/** What `trust export` would have written while the metadata was still valid. */
async function oldExport(from: Mirror): Promise<{ mirror: string; files: Map<string, Uint8Array> }> {
  const names = ['1.root.json', 'timestamp.json', '1.snapshot.json', '1.targets.json'];
  const files = new Map<string, Uint8Array>();
  for (const name of names) files.set(name, (await from.tuf.read(name)) as Uint8Array);
  return { mirror: from.url, files };
}

test('a target that was changed on the way is refused, and the cache stays as it is', async () => {
  const from = await mirror();
  const path = await exported(from, '');
  const [name] = (await readdir(join(path, 'targets'))).filter((file) => file.endsWith('trusted_root.json'));
  await writeFile(join(path, 'targets', name ?? ''), rootText(666));
  await assert.rejects(
    importTrust(path, { root: from.root, cacheDir: join(base, 'changed') }),
    code('WB-601'),
  );
  assert.deepEqual(await contentOf('changed'), {});
});

test('a folder is read by its name, whatever signs are in it', async () => {
  const from = await mirror();
  const path = join(base, `50% #${counter++}?`);
  const { exported: files } = await exportTrust(source(from, `exporting-${counter}`), { transport });
  await writeExport(files, path);
  const { mirror: _, kind: __, ...pinned } = source(from, `import-${counter++}`);
  assert.equal((await importTrust(path, pinned)).origin, from.url);
});

test('what is no export is WB-612', async () => {
  const bad = join(base, 'bad-export.json');
  await writeFile(bad, '{"schema":"waybill.dev/trust-export/v1"}');
  await assert.rejects(importTrust(bad, { cacheDir: join(base, 'bad') }), code('WB-612'));
  await mkdir(join(base, 'empty-export'));
  await assert.rejects(
    importTrust(join(base, 'empty-export'), { cacheDir: join(base, 'bad') }),
    code('WB-612'),
  );
});

test('a trusted root that cannot be read leaves the cache as it was', async () => {
  const from = await mirror();
  await load(source(from, 'unreadable'));
  const before = await contentOf('unreadable');
  await from.tuf.publish([{ name: 'trusted_root.json', bytes: utf8('{"mediaType":"else"}') }]);
  await assert.rejects(load(source(from, 'unreadable')), code('WB-604'));
  assert.deepEqual(await contentOf('unreadable'), before);
  // The last good state still serves.
  assert.ok(await load(source(from, 'unreadable', { offline: true }), noNetwork));
});

describe('profiles', () => {
  const folder = (): string => join(base, `config-${counter++}`);
  const env = (config: string, more: object = {}) => ({ WAYBILL_CONFIG: config, HOME: base, ...more });

  test('a profile keeps a copy of its file: the original may change or go', async () => {
    const config = folder();
    const path = join(base, 'profile-root.json');
    await writeFile(path, rootText());
    await addProfile(config, 'prod', { trustedRoot: path }, base);
    await writeFile(path, 'gone');
    const chosen = await requireTrustSource({ trust: 'prod' }, env(config));
    assert.equal(Buffer.from((await load(chosen, noNetwork)).trustedRootBytes).toString(), rootText());
  });

  test('a profile of a mirror keeps its root, and works offline after one load', async () => {
    const config = folder();
    const from = await mirror();
    await addProfile(config, 'prod', { tufMirror: from.url, tufRoot: from.root }, base);
    const cacheDir = join(base, `profile-cache-${counter++}`);
    await load(await requireTrustSource({ trust: 'prod', cacheDir }, env(config)));
    const offline = await requireTrustSource({ trust: 'prod', cacheDir, offline: true }, env(config));
    assert.ok(await load(offline, noNetwork));
  });

  test('options come before WAYBILL_TRUST, that before the environment, that before the profile in use', async () => {
    const config = folder();
    const names = ['one', 'two', 'three', 'four'];
    for (const name of names) {
      const path = join(base, `${name}.json`);
      await writeFile(path, rootText(names.indexOf(name)));
      await addProfile(config, name, { trustedRoot: path }, base);
    }
    await useProfile(config, 'four');
    const from = async (options: object, more: object): Promise<string> => {
      const chosen = await requireTrustSource(options, env(config, more));
      const { note } = JSON.parse(Buffer.from((await load(chosen, noNetwork)).trustedRootBytes).toString());
      return names[note] ?? '';
    };
    const named = { WAYBILL_TRUST: 'two' };
    const file = { WAYBILL_TRUSTED_ROOT: join(base, 'three.json') };
    assert.equal(await from({ trust: 'one' }, { ...named, ...file }), 'one');
    assert.equal(await from({ trustedRoot: join(base, 'one.json') }, { ...named, ...file }), 'one');
    assert.equal(await from({}, { ...named, ...file }), 'two');
    assert.equal(await from({}, file), 'three');
    assert.equal(await from({}, {}), 'four');
    await useProfile(config, undefined);
    assert.equal(await trustSource({}, env(config)), undefined);
  });

  test('two sources at once, a misspelt name and a broken file are refused', async () => {
    const config = folder();
    const path = join(base, 'p.json');
    await writeFile(path, rootText());
    await addProfile(config, 'prod', { trustedRoot: path }, base);
    await assert.rejects(requireTrustSource({ trust: 'prod', stack: '/x' }, env(config)), code('WB-607', 3));
    await assert.rejects(requireTrustSource({ trust: 'prdo' }, env(config)), (error: Error) => {
      assert.match(error.message, /did you mean --trust prod\?/);
      return code('WB-611', 3)(error);
    });
    await assert.rejects(addProfile(config, '../prod', { trustedRoot: path }, base), code('WB-611', 3));
    await assert.rejects(useProfile(config, 'none'), code('WB-611', 3));
    await assert.rejects(requireTrustSource({}, env(folder())), code('WB-607', 3));
    await writeFile(join(config, 'trust.json'), '{"schema":"else"}');
    await assert.rejects(requireTrustSource({ trust: 'prod' }, env(config)), code('WB-611', 3));
  });

  test('a removed profile is gone, also as the one in use', async () => {
    const config = folder();
    const path = join(base, 'removed.json');
    await writeFile(path, rootText());
    for (const name of ['a', 'b']) await addProfile(config, name, { trustedRoot: path }, base);
    await useProfile(config, 'a');
    await removeProfile(config, 'a');
    const { inUse, profiles } = await readProfiles(config);
    assert.deepEqual([inUse, [...profiles.keys()]], [undefined, ['b']]);
    await assert.rejects(removeProfile(config, 'a'), code('WB-611', 3));
  });
});

describe('what ends soon', () => {
  const stack = new VirtualStack();
  const now = stack.clock.now();
  const trustWith = (more: Partial<Trust> = {}, end?: number): Trust => {
    const root = stack.trustedRoot();
    const tlogs = root.tlogs.map((log) => ({
      ...log,
      validFor: { start: log.validFor.start, ...(end === undefined ? {} : { end }) },
    }));
    return {
      origin: 'test',
      trustedRoot: { ...root, tlogs },
      trustedRootBytes: new Uint8Array(),
      trustedRootSha256: '',
      ...more,
    };
  };
  const tuf = (timestampDays: number): Partial<Trust> => {
    const far = now + 400 * DAY;
    const versions = { root: 1, timestamp: 1, snapshot: 1, targets: 1 };
    const expires = {
      root: now + 10 * DAY,
      timestamp: now + timestampDays * DAY,
      snapshot: far,
      targets: far,
    };
    return { tuf: { rootVersion: 1, versions, expires } };
  };
  const said = (trust: Trust, days = 30): string[] =>
    endingSoon(trust, now, days).map(({ what, state }) => `${state} ${what}`);

  test('nothing, where everything goes on', () => assert.deepEqual(said(trustWith()), []));
  test('a TUF root within the days; a timestamp only within one, since it is renewed all the time', () => {
    assert.deepEqual(said(trustWith(tuf(3))), ['soon TUF root']);
    assert.deepEqual(said(trustWith(tuf(0.5))), ['soon TUF root', 'soon TUF timestamp']);
    assert.deepEqual(said(trustWith(tuf(3)), 9), []);
  });
  test('the last log of a root, and no log that was replaced', () => {
    assert.match(said(trustWith({}, now + 5 * DAY)).join(), /^soon log https:/);
    assert.match(said(trustWith({}, now - DAY)).join(), /^expired log https:/);
    const open = trustWith();
    const [first, ...rest] = open.trustedRoot.tlogs;
    if (first === undefined) assert.fail('a log');
    const retired = { ...first, validFor: { ...first.validFor, end: now - DAY } };
    const replaced = { ...open, trustedRoot: { ...open.trustedRoot, tlogs: [retired, ...rest] } };
    assert.deepEqual(said(replaced), []);
  });
});

test('an export is known by what it holds, not by the name of the file', async () => {
  const from = await mirror();
  const text = join(base, 'carried.txt');
  await writeFile(text, await readFile(await exported(from, '.json')));
  const { mirror: _, kind: __, ...pinned } = source(from, `import-${counter++}`);
  assert.equal((await importTrust(text, pinned)).origin, from.url);
  await writeFile(text, 'some notes');
  await assert.rejects(importTrust(text, pinned), (error: WaybillError) => {
    code('WB-612')(error);
    assert.match(error.reason.hint, /waybill trust export/);
    return true;
  });
  await assert.rejects(importTrust(join(base, 'no-export'), pinned), code('WB-209', 3));
});

test('a simulation that is refused leaves the cache as it was, pinned or imported', async () => {
  const tsa = new VirtualTsa({ name: SIMULATED_ORGANIZATION, validFor: { start: 0 } });
  const { root } = new VirtualStack();
  const bytes = utf8(trustedRootJson({ ...root, timestampAuthorities: [tsa.authority] }));
  const from = await mirror(systemClock, [{ name: 'trusted_root.json', bytes }]);
  const path = await exported(from, '.json');
  const cache = `simulated-${counter++}`;
  const { mirror: _, kind: __, ...given } = source(from, cache);
  await assert.rejects(importTrust(path, given), code('WB-610', 3));
  await assert.rejects(pinRoot(source(from, cache), { transport }), code('WB-610', 3));
  assert.deepEqual(await contentOf(cache), {});
});
