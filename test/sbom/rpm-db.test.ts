/** Databases of rpm in the hash tables of Berkeley DB: of machines of either byte order, whole or damaged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogueLayers } from '#sbom';
import { image, options } from './fixture.ts';
import { rpmHeader } from './rpm-header.ts';

const PAGE = 512;

/** One hash page with a key and a value for each package, the values on pages of their own, and the last number. */
function database(names: readonly string[], isLittle: boolean): Buffer {
  const bytes = Buffer.alloc((2 + names.length) * PAGE);
  const put32 = (value: number, at: number): void => {
    if (isLittle) bytes.writeUInt32LE(value, at);
    else bytes.writeUInt32BE(value, at);
  };
  const put16 = (value: number, at: number): void => {
    if (isLittle) bytes.writeUInt16LE(value, at);
    else bytes.writeUInt16BE(value, at);
  };
  put32(0x00061561, 12);
  put32(PAGE, 20);
  put32(names.length + 1, 88);
  bytes[PAGE + 25] = 13;
  put16(2 * names.length + 2, PAGE + 20);
  for (const [i, name] of [...names, ''].entries()) {
    const value = 200 + i * 24;
    put16(value - 6, PAGE + 26 + i * 4);
    put16(value, PAGE + 28 + i * 4);
    if (name === '') {
      bytes[PAGE + value] = 1;
      continue;
    }
    const blob = rpmHeader(name);
    bytes[PAGE + value] = 3;
    put32(2 + i, PAGE + value + 4);
    put32(blob.length, PAGE + value + 8);
    const page = (2 + i) * PAGE;
    bytes[page + 25] = 7;
    put16(blob.length, page + 22);
    bytes.set(blob, page + 26);
  }
  return bytes;
}

async function read(bytes: Uint8Array): Promise<{ names: string; unknowns: string }> {
  const release = { path: 'etc/os-release', text: 'ID=rhel\nVERSION_ID="8"\n' };
  const made = await image([release, { path: 'var/lib/rpm/Packages', text: bytes }]);
  const { sbom } = await catalogueLayers(made.input, options);
  return {
    names: sbom.packages.map((one) => `${one.name} ${one.version} ${one.architecture}`).join(', '),
    unknowns: sbom.unknowns.map((one) => `${one.path}: ${one.reason}`).join('\n'),
  };
}

test('a Berkeley DB of either byte order gives its packages', async () => {
  for (const isLittle of [true, false]) {
    const { names, unknowns } = await read(database(['bash', 'glibc', 'zlib'], isLittle));
    assert.equal(names, 'bash 1.2-3 s390x, glibc 1.2-3 s390x, zlib 1.2-3 s390x');
    assert.equal(unknowns, '');
  }
});

test('a Berkeley DB that counts more packages than its pages hold is named, not read as a shorter list', async () => {
  const cases: readonly [change: (bytes: Buffer) => void, reason: RegExp][] = [
    [(bytes) => bytes.writeUInt8(12, PAGE + 25), /0 packages where the database counts 2/],
    [(bytes) => bytes.writeUInt16LE(2, PAGE + 20), /1 packages where the database counts 2/],
    [(bytes) => bytes.writeUInt8(1, PAGE + 200), /1 packages where the database counts 2/],
    [(bytes) => bytes.writeUInt16LE(600, PAGE + 28), /an entry of page 1 lies outside it/],
    [(bytes) => bytes.writeUInt8(5, 2 * PAGE + 25), /page 2 is no part of a value/],
  ];
  for (const [change, reason] of cases) {
    const bytes = database(['bash', 'zlib'], true);
    change(bytes);
    const { names, unknowns } = await read(bytes);
    assert.equal(names, '');
    assert.match(unknowns, /^var\/lib\/rpm\/Packages: /m);
    assert.match(unknowns, reason);
  }
});
