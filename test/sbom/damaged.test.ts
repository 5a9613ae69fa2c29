/** Databases and programs with a part missing: what is left is listed, and that it is not all is said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sbom } from '#formats/sbom';
import { catalogueLayers } from '#sbom';
import { type Entry, image, imageOf, options, tar } from './fixture.ts';

interface Told {
  readonly names: string;
  readonly unknowns: string;
}

const told = ({ packages, unknowns }: Sbom): Told => ({
  names: packages.map((one) => one.name).join(' '),
  unknowns: unknowns.map((one) => `${one.path} (${one.wantedBy}): ${one.reason}`).join('\n'),
});

async function read(...entries: readonly Entry[]): Promise<Told> {
  return told((await catalogueLayers((await image(entries)).input, options)).sbom);
}

const debian: Entry = { path: 'etc/os-release', text: 'ID=debian\nVERSION_ID=12\n' };
const stanza = (name: string): string =>
  `Package: ${name}\nStatus: install ok installed\nVersion: 1.2\nArchitecture: amd64\n\n`;
const status = stanza('aaa') + stanza('bbb') + stanza('ccc');
const dpkg = (text: string | Uint8Array, ...lists: readonly string[]): Promise<Told> =>
  read(
    debian,
    { path: 'var/lib/dpkg/status', text },
    ...lists.map((name) => ({ path: `var/lib/dpkg/info/${name}.list`, text: '/.\n' })),
  );

test('a status of dpkg that was cut within a line, or has bytes that are no text, is named', async () => {
  const whole = await dpkg(status, 'aaa', 'bbb:amd64', 'ccc');
  assert.deepEqual(whole, { names: 'aaa bbb ccc', unknowns: '' });
  const cut = await dpkg(status.slice(0, -20));
  assert.equal(cut.names, 'aaa bbb');
  assert.match(
    cut.unknowns,
    /^var\/lib\/dpkg\/status \(dpkg\): stanza at line 11: line 14: the file ends within it/,
  );
  const bytes = Buffer.from(status);
  bytes.fill(0, 70, 130);
  const zeroed = await dpkg(bytes);
  assert.equal(zeroed.names, 'ccc');
  assert.match(zeroed.unknowns, /stanza at line 1: line \d: bytes that are no text/);
});

test('a package whose name or version is no UTF-8 is listed as far as it can be read, and named', async () => {
  const { names, unknowns } = await dpkg(Buffer.from(stanza('aaa') + stanza('b\u00ff'), 'latin1'));
  assert.equal(names, 'aaa b\ufffd');
  const reason = 'a package whose name or version cannot be read whole: "b\ufffd 1.2"';
  assert.equal(unknowns, `var/lib/dpkg/status (dpkg): ${reason}`);
});

test('a package that has a list of files and no entry in the status of dpkg is named', async () => {
  const { names, unknowns } = await dpkg(stanza('aaa'), 'aaa', 'bbb:amd64', 'bbb:i386', 'ccc');
  assert.equal(names, 'aaa');
  const text = '2 packages have a list of files and no entry: bbb, ccc';
  assert.equal(unknowns, `var/lib/dpkg/status (dpkg): ${text}`);
});

test('a database of apk that was cut, zeroed or lost what lies between two packages is named', async () => {
  const one = (name: string): string => `C:Q1x=\nP:${name}\nV:1.2-r0\nA:x86_64\nF:usr\nR:${name}\n\n`;
  const apk = (text: string | Uint8Array): Promise<Told> =>
    read(
      { path: 'etc/os-release', text: 'ID=alpine\nVERSION_ID=3.18\n' },
      { path: 'lib/apk/db/installed', text },
    );
  const text = one('aaa') + one('bbb');
  assert.deepEqual(await apk(text), { names: 'aaa bbb', unknowns: '' });
  const at = 'lib/apk/db/installed (apk)';
  assert.equal((await apk(text.slice(0, -4))).unknowns, `${at}: the file ends within a line`);
  const merged = text.replace('R:aaa\n\n', '');
  assert.match((await apk(merged)).unknowns, /the package "aaa": a second P: "bbb"/);
  const bytes = Buffer.from(text);
  bytes.fill(0, 30, 40);
  assert.match((await apk(bytes)).unknowns, /the package "aaa": bytes that are no text/);
});

/** Headers of a program with one segment, and its sections named before it, as the linker of Go writes them. */
function program(isWide: boolean, isLittle: boolean, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  const put = (value: number, at: number, width: number): void => {
    const low = isLittle ? at : at + Math.max(0, width - 4);
    if (width === 2 && isLittle) bytes.writeUInt16LE(value, at);
    else if (width === 2) bytes.writeUInt16BE(value, at);
    else if (isLittle) bytes.writeUInt32LE(value, low);
    else bytes.writeUInt32BE(value, low);
  };
  const word = isWide ? 8 : 4;
  bytes.write('\x7fELF', 'latin1');
  bytes[4] = isWide ? 2 : 1;
  bytes[5] = isLittle ? 1 : 2;
  put(2, 16, 2);
  const [head, segment, section] = isWide ? [64, 56, 64] : [52, 32, 40];
  put(head, isWide ? 32 : 28, word);
  put(head + segment, isWide ? 40 : 32, word);
  for (const [i, value] of [segment, 1, section, 1].entries()) put(value, (isWide ? 54 : 42) + i * 2, 2);
  put(1000, head + (isWide ? 8 : 4), word);
  put(3000, head + (isWide ? 32 : 16), word);
  put(1, head + segment + 4, 4);
  put(4000, head + segment + (isWide ? 24 : 16), word);
  put(296, head + segment + (isWide ? 32 : 20), word);
  return bytes;
}

test('a program that ends before its own tables say so is named, and a whole one is not', async () => {
  for (const [isWide, isLittle] of [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ] as const) {
    const of = (size: number): Entry => ({
      path: 'bin/p',
      text: program(isWide, isLittle, size),
      mode: 0o755,
    });
    assert.equal((await read(of(4296))).unknowns, '');
    const reason = 'a program of 4295 bytes whose tables speak of 4296: it was cut';
    assert.equal((await read(of(4295))).unknowns, `bin/p (binary): ${reason}`);
    assert.match((await read(of(3999))).unknowns, /tables speak of 4296/);
  }
});

test('a layer that stops without the end of an archive, or goes on after it, is named with what was read', async () => {
  const npm = (name: string): Entry => ({
    path: `${name}/package.json`,
    text: JSON.stringify({ name, version: '1.0.0' }),
  });
  const whole = await tar([npm('aaa'), npm('bbb')]);
  const of = async (bytes: Uint8Array): Promise<Told> =>
    told(
      (await catalogueLayers(imageOf([{ tar: await tar([npm('low')]) }, { tar: bytes }]).input, options))
        .sbom,
    );
  assert.deepEqual(await of(whole), { names: 'aaa bbb low', unknowns: '' });
  assert.deepEqual(await of(whole.subarray(0, 1024)), {
    names: 'aaa low',
    unknowns: ' (layer): layer 2: the archive stops after 1 entries without saying it ends',
  });
  const zeroed = Uint8Array.from(whole);
  zeroed.fill(0, 1024, 1536);
  assert.deepEqual(await of(zeroed), {
    names: 'aaa low',
    unknowns: ' (layer): layer 2: after 1 entries the archive says it ends, and goes on',
  });
  assert.equal((await of(new Uint8Array(10_240))).unknowns, '');
});
