/** Linux kernels and their modules, in every form they are installed in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { limits } from '#base/limits';
import type { Sbom } from '#formats/sbom';
import { catalogueLayers, cataloguers } from '#sbom';
import { file } from './census-rows.ts';
import { type Entry, image, options } from './fixture.ts';
import { armImage, bzImage, kernelModule } from './kernels.ts';

const sbomOf = async (entries: readonly Entry[]): Promise<Sbom> =>
  (await catalogueLayers((await image(entries)).input, { ...options, cataloguers })).sbom;
const listed = ({ packages }: Sbom): string[] => packages.map((one) => `${one.type} ${one.purl}`);
const told = ({ unknowns }: Sbom): string[] => unknowns.map((one) => `${one.path}: ${one.reason}`);

const folder = 'usr/lib/modules/6.1.0-9/kernel';
const moduleOf = (name: string): Uint8Array =>
  kernelModule([`name=${name}`, 'license=GPL', 'vermagic=6.1.0-9 SMP mod_unload ']);

test('modules are read plain, and compressed with gzip and zstd', async () => {
  const sbom = await sbomOf([
    file(`${folder}/fs/a.ko`, moduleOf('a')),
    file(`${folder}/fs/b.ko.gz`, gzipSync(moduleOf('b'))),
    file(`${folder}/net/c.ko.zst`, zstdCompressSync(moduleOf('c'))),
  ]);
  const expected = ['a', 'b', 'c'].map((name) => `linux-kernel-module pkg:generic/${name}`);
  assert.deepEqual(listed(sbom), expected);
  assert.deepEqual(told(sbom), []);
});

test('what a module says is in the SBOM, and it needs the kernels of its release', async () => {
  const texts = ['version=2.1', 'license=Dual BSD/GPL', 'description=A driver', 'name=drv', 'parm=x'];
  const { packages } = await sbomOf([
    file('boot/vmlinuz-6.1.0-9', bzImage('6.1.0-9 (builder@example.com) #1 SMP')),
    file('usr/lib/modules/6.9.9/vmlinuz', bzImage('6.9.9+ (builder@example.com) #2 SMP')),
    file(`${folder}/drv.ko`, kernelModule([...texts, 'vermagic=6.1.0-9 SMP'])),
    file('lib/modules/5.0/other.ko', kernelModule(['name=other', 'vermagic=5.0 SMP'])),
  ]);
  const [ninth, newest] = packages.filter((one) => one.type === 'linux-kernel');
  assert.deepEqual([ninth?.version, newest?.version], ['6.1.0-9', '6.9.9+']);
  assert.deepEqual(newest?.cpes, ['cpe:2.3:o:linux:linux_kernel:6.9.9\\+:*:*:*:*:*:*:*']);
  const driver = packages.find((one) => one.name === 'drv');
  assert.equal(driver?.version, '2.1');
  assert.deepEqual(driver.licenses, ['Dual BSD/GPL']);
  assert.equal(driver.description, 'A driver');
  assert.deepEqual(driver.dependsOn, [ninth?.id]);
  assert.deepEqual(packages.find((one) => one.name === 'other')?.dependsOn, []);
});

test('a module that does not say its name has that of its file', async () => {
  const sbom = await sbomOf([file(`${folder}/snd-old.ko.gz`, gzipSync(kernelModule(['vermagic=3.10 SMP'])))]);
  assert.deepEqual(listed(sbom), ['linux-kernel-module pkg:generic/snd_old']);
});

test('modules packed with xz are told together, once for each kernel', async () => {
  const names = ['fs/a', 'fs/b', 'net/c'].map((name) => `${folder}/${name}.ko.xz`);
  const sbom = await sbomOf([...names, 'lib/modules/5.0/d.ko.xz'].map((path) => file(path, '\xfd7zXZ')));
  assert.deepEqual(listed(sbom), []);
  assert.deepEqual(told(sbom), [
    'lib/modules/5.0: 1 kernel module compressed with xz; not read',
    'usr/lib/modules/6.1.0-9: 3 kernel modules compressed with xz; not read',
  ]);
});

test('a module that cannot be read is named with the reason, and takes no other with it', async () => {
  const whole = moduleOf('a');
  const long = kernelModule([`name=${'n'.repeat(300)}`, 'vermagic=6 SMP']);
  const sbom = await sbomOf([
    file(`${folder}/a.ko`, whole),
    file(`${folder}/cut.ko`, whole.subarray(0, whole.length - 100)),
    file(`${folder}/cut.ko.gz`, gzipSync(whole).subarray(0, 60)),
    file(`${folder}/empty.ko.gz`, ''),
    file(`${folder}/long.ko`, long),
    file(`${folder}/none.ko.zst`, 'no zstd at all'),
    file(`${folder}/silent.ko`, kernelModule(['name=silent'])),
    file(`${folder}/text.ko`, 'no program'),
  ]);
  assert.deepEqual(listed(sbom), ['linux-kernel-module pkg:generic/a']);
  const reasons = sbom.unknowns.map((one) => `${one.path.slice(folder.length + 1)}: ${one.reason}`);
  const damaged = 'no ELF file, or one whose table of sections is damaged';
  assert.equal(reasons.length, 7);
  assert.ok(reasons.includes(`cut.ko: ${damaged}`), reasons.join('\n'));
  assert.ok(reasons.includes(`text.ko: ${damaged}`));
  assert.ok(reasons.includes('silent.ko: a module that names no kernel'));
  assert.ok(reasons.includes('long.ko: a module whose name or version has more than 256 characters'));
  for (const name of ['cut.ko.gz', 'empty.ko.gz', 'none.ko.zst']) {
    assert.ok(
      reasons.some((one) => one.startsWith(`${name}: a compressed module that is damaged`)),
      reasons.join('\n'),
    );
  }
});

test('a module that inflates to more than is read is named, whatever size it states', async () => {
  const bomb = Buffer.alloc(limits.extractedFileBytes + 1);
  const lying = gzipSync(moduleOf('lying'));
  lying.writeUInt32LE(0xffffffff, lying.length - 4);
  const sbom = await sbomOf([
    file(`${folder}/bomb.ko.zst`, zstdCompressSync(bomb)),
    // The size at the end is that of the second part.
    file(`${folder}/bomb.ko.gz`, Buffer.concat([gzipSync(Buffer.alloc(100_000)), gzipSync(moduleOf('b'))])),
    file(`${folder}/lying.ko.gz`, lying),
  ]);
  assert.deepEqual(listed(sbom), []);
  assert.deepEqual(
    sbom.unknowns.map((one) => one.path.slice(folder.length + 1)),
    ['bomb.ko.gz', 'bomb.ko.zst', 'lying.ko.gz'],
  );
  assert.match(told(sbom)[1] ?? '', /a compressed module of more than the \d+ bytes that are read$/);
});

test('an arm64 image says its release in its banner; one compressed as a whole is named', async () => {
  const said = 'Linux version 6.12.3-arm64 (builder@example.com) #1 SMP';
  const sbom = await sbomOf([
    file('boot/vmlinuz-6.12.3-arm64', armImage(`Linux version %s (%s)\0${said}`)),
    file('boot/vmlinuz-1-silent', armImage('nothing')),
    file('boot/vmlinuz-2-gzip', gzipSync(armImage(said), { level: 0 })),
    file('boot/vmlinuz-3-zboot', `MZ\0\0zimg${'\0'.repeat(200)}`),
    file('boot/vmlinuz-4-silent', bzImage(undefined)),
    file('boot/vmlinuz-5-text', `no kernel at all ${'x'.repeat(2000)}`),
    file('usr/src/kernel-notes', gzipSync('x'.repeat(9000), { level: 0 })),
  ]);
  assert.deepEqual(listed(sbom), ['linux-kernel pkg:generic/linux-kernel@6.12.3-arm64']);
  const silent = 'a kernel image that does not say its version';
  const packed = 'a kernel image that is compressed as a whole; its version was not read';
  assert.deepEqual(told(sbom), [
    `boot/vmlinuz-1-silent: ${silent}`,
    `boot/vmlinuz-2-gzip: ${packed}`,
    `boot/vmlinuz-3-zboot: ${packed}`,
    `boot/vmlinuz-4-silent: ${silent}`,
  ]);
});
