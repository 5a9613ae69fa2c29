import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogueLayers } from '#sbom';
import { type Entry, image, options } from './fixture.ts';

const npm = (path: string, name: string, version = '1.0.0'): Entry => ({
  path: path === '' ? 'package.json' : `${path}/package.json`,
  text: JSON.stringify({ name, version }),
});

async function names(...layers: readonly (readonly Entry[])[]): Promise<string[]> {
  const made = await image(...layers);
  const { sbom } = await catalogueLayers(made.input, options);
  return sbom.packages.map((one) => `${one.name}@${one.locations.map(({ path }) => path).join('+')}`).sort();
}

async function unknowns(...layers: readonly (readonly Entry[])[]): Promise<string[]> {
  const made = await image(...layers);
  const { sbom } = await catalogueLayers(made.input, options);
  return sbom.unknowns.map((one) => `${one.path}: ${one.reason}`);
}

const base = [npm('a/x', 'x'), npm('a/y', 'y'), npm('b', 'b')];

test('a whiteout removes a file or a whole folder of lower layers', async () => {
  assert.deepEqual(await names(base, [{ path: 'a/.wh.x', text: '' }]), [
    'b@b/package.json',
    'y@a/y/package.json',
  ]);
  assert.deepEqual(await names(base, [{ path: '.wh.a', text: '' }]), ['b@b/package.json']);
  assert.deepEqual(await names(base, [{ path: 'b/.wh.package.json', text: '' }]), [
    'x@a/x/package.json',
    'y@a/y/package.json',
  ]);
});

test('an opaque folder hides lower content and keeps that of its own layer, whatever the order', async () => {
  const opaque: Entry = { path: 'a/.wh..wh..opq', text: '' };
  const fresh = npm('a/z', 'z');
  const expected = ['b@b/package.json', 'z@a/z/package.json'];
  assert.deepEqual(await names(base, [opaque, fresh]), expected);
  assert.deepEqual(await names(base, [fresh, opaque]), expected);
});

test('a whiteout does not touch a file of its own layer, whatever the order', async () => {
  const whiteout: Entry = { path: 'a/.wh.x', text: '' };
  const again = npm('a/x', 'x-again');
  const expected = ['b@b/package.json', 'x-again@a/x/package.json', 'y@a/y/package.json'];
  assert.deepEqual(await names(base, [whiteout, again]), expected);
  assert.deepEqual(await names(base, [again, whiteout]), expected);
});

test('a whiteout name is matched whole: a sibling with the same beginning stays', async () => {
  const layers = [npm('a', 'a'), npm('ab', 'ab'), npm('a.b', 'a.b')];
  assert.deepEqual(await names(layers, [{ path: '.wh.a', text: '' }]), [
    'a.b@a.b/package.json',
    'ab@ab/package.json',
  ]);
});

test('a file in place of a folder removes what was below it; a folder in place of a file removes the file', async () => {
  assert.deepEqual(await names(base, [{ path: 'a', text: 'now a file' }]), ['b@b/package.json']);
  const file = [npm('', 'root')];
  assert.deepEqual(await names(file, [{ path: 'package.json', folder: true }]), []);
});

test('a whiteout that names nothing is ignored and reported', async () => {
  assert.equal((await names(base, [{ path: 'a/.wh.', text: '' }])).length, 3);
  assert.equal((await names(base, [{ path: 'a/.wh...', text: '' }])).length, 3);
  assert.match((await unknowns(base, [{ path: 'a/.wh.', text: '' }]))[0] ?? '', /names nothing/);
});

test('AUFS bookkeeping is no whiteout', async () => {
  assert.equal((await names(base, [{ path: '.wh..wh.plnk/1.2', text: '' }])).length, 3);
});

test('names never leave the image: `..`, absolute and doubled slashes are cleaned', async () => {
  const hostile = [npm('../../etc', 'up'), npm('/abs//x/./y', 'abs'), npm('p/../q', 'q')];
  assert.deepEqual(await names(hostile), [
    'abs@abs/x/y/package.json',
    'q@q/package.json',
    'up@etc/package.json',
  ]);
});

test('files are written through links of lower layers, inside the image only', async () => {
  const links: Entry[] = [
    { path: 'lib', symlink: 'usr/lib' },
    { path: 'out', symlink: '../../../../etc' },
  ];
  assert.deepEqual(await names(links, [npm('lib/x', 'x'), npm('out/y', 'y')]), [
    'x@usr/lib/x/package.json',
    'y@etc/y/package.json',
  ]);
  assert.deepEqual(await names(links, [{ path: 'lib', folder: true }, npm('lib/x', 'x')]), [
    'x@lib/x/package.json',
  ]);
});

test('a package database that is written through a link is read, or named', async () => {
  const manifest = 'bash\t5.1.8-2\t1\t2\tVMware, Inc.\t(none)\t1\tx86_64\t0\tbash-5.1.8-2.src.rpm\n';
  const lower: Entry[] = [
    { path: 'etc/os-release', text: 'ID=photon\nVERSION_ID=4.0\n' },
    { path: 'opt/x', symlink: '/var/lib/rpmmanifest' },
  ];
  assert.deepEqual(await names(lower, [{ path: 'opt/x/container-manifest-2', text: manifest }]), [
    'bash@var/lib/rpmmanifest/container-manifest-2',
  ]);
  const named = async (...upper: Entry[]): Promise<string[]> => {
    const { input } = await image(lower, upper);
    const { packages, unknowns } = (await catalogueLayers(input, options)).sbom;
    assert.deepEqual(packages, []);
    return unknowns.filter((one) => one.wantedBy === 'rpm').map((one) => one.path);
  };
  const path = 'var/lib/rpmmanifest/container-manifest-2';
  assert.deepEqual(await named({ path: 'opt/x/container-manifest-2', text: 'nothing of it\n' }), [path]);
  const other: Entry = { path: 'srv/other.jar', text: manifest.repeat(2) };
  assert.deepEqual(await named(other, { path, hardlink: 'srv/other.jar' }), [path]);
});

test('a loop of links ends and is reported', async () => {
  const loop: Entry[] = [
    { path: 'l', symlink: 'm' },
    { path: 'm', symlink: 'l' },
  ];
  assert.deepEqual(await names(loop, [npm('l/x', 'x')]), []);
  assert.match((await unknowns(loop, [npm('l/x', 'x')]))[0] ?? '', /loop of symbolic links/);
});

test('a hard link shares the content of its target, also of a lower layer', async () => {
  const link: Entry = { path: 'c/package.json', hardlink: 'b/package.json' };
  assert.deepEqual(await names([npm('b', 'b'), link]), ['b@b/package.json+c/package.json']);
  assert.deepEqual(await names([npm('b', 'b')], [link]), ['b@b/package.json+c/package.json']);
});

test('a wanted hard link to what was not kept is an unknown', async () => {
  const entries: Entry[] = [
    { path: 'secret.bin', text: '{"name":"hidden","version":"1.0.0"}' },
    { path: 'n/package.json', hardlink: 'secret.bin' },
    { path: 'm/package.json', hardlink: '../../../outside' },
  ];
  assert.deepEqual(await names(entries), []);
  assert.deepEqual(
    (await unknowns(entries)).map((text) => text.split(':')[0]),
    ['m/package.json', 'n/package.json'],
  );
});

test('the same entry twice in one layer: the later one counts', async () => {
  assert.deepEqual(await names([npm('a', 'first'), npm('a', 'second')]), ['second@a/package.json']);
});

test('os-release is found through its link', async () => {
  const made = await image([
    { path: 'etc/os-release', symlink: '../usr/lib/os-release' },
    { path: 'usr/lib/os-release', text: 'ID="alpine"\nVERSION_ID=3.20.1\nID_LIKE="x y"\n' },
  ]);
  const { sbom } = await catalogueLayers(made.input, options);
  assert.deepEqual(sbom.distro, { id: 'alpine', versionId: '3.20.1', idLike: ['x', 'y'] });
});

test('devices, pipes and setuid programs are passed over, never opened', async () => {
  const made = await image([{ path: 'bin/su', text: 'x'.repeat(100), mode: 0o4755 }, npm('a', 'a')]);
  const { sbom, entries } = await catalogueLayers(made.input, options);
  assert.equal(entries, 2);
  assert.deepEqual(sbom.unknowns, []);
});
