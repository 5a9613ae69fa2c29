import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '#base/limits';
import { WaybillError } from '#base/reason';
import { catalogueLayers, NeedleScan, TarWalker } from '#sbom';
import { type Entry, image, imageOf, options, sparseTar, tar } from './fixture.ts';

/** A package.json of exactly `size` bytes. */
function manifestOf(size: number): Entry {
  const text = '{"name":"a","version":"1.0.0"}';
  const bytes = Buffer.alloc(size, 0x20);
  bytes.write(text, 0);
  return { path: 'package.json', text: new Uint8Array(bytes) };
}

test('a wanted file may be as large as the limit; one byte more is an unknown', async () => {
  const fits = await image([manifestOf(limits.capturedFileBytes)]);
  assert.equal((await catalogueLayers(fits.input, options)).sbom.packages.length, 1);
  const over = await image([manifestOf(limits.capturedFileBytes + 1)]);
  const { sbom } = await catalogueLayers(over.input, options);
  assert.deepEqual(sbom.packages, []);
  assert.match(sbom.unknowns[0]?.reason ?? '', /at most 33554432 are read/);
});

test('a layer may have as many entries as the limit and not one more', async () => {
  const header = (await tar([{ path: 'x', folder: true }])).subarray(0, 512);
  const block = Buffer.concat(Array.from({ length: 1000 }, () => header));
  const walker = new TarWalker(() => undefined);
  for (let i = 0; i < limits.layerEntries; i += 1000) walker.push(block);
  assert.equal(walker.entries, limits.layerEntries);
  assert.throws(() => walker.push(header), /WB-845/);
});

test('random bytes never end in anything but a reason', async () => {
  const valid = await tar([{ path: 'package.json', text: '{"name":"a","version":"1.0.0"}' }]);
  const mutation = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(mutation, async (changes) => {
      const bytes = Uint8Array.from(valid);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        await catalogueLayers(imageOf([{ tar: bytes }]).input, options);
      } catch (error) {
        assert.ok(error instanceof WaybillError, String(error));
      }
    }),
    { numRuns: 150, seed: 7 },
  );
});

test('a needle is found wherever the stream is cut, and what follows it is kept', () => {
  const body = Buffer.from(
    `${'x'.repeat(50)}NEEDLE no ${'y'.repeat(40)}NEEDLE yes and the rest${'z'.repeat(30)}`,
  );
  for (let step = 1; step <= body.length; step++) {
    const needle = { bytes: Buffer.from('NEEDLE'), after: 10, keep: 23 };
    const scan = new NeedleScan(needle, (bytes, at) => {
      assert.equal(Buffer.from(body.subarray(at, at + 6)).toString(), 'NEEDLE');
      return Buffer.from(bytes).toString('latin1').startsWith('NEEDLE yes');
    });
    for (let at = 0; at < body.length; at += step) scan.write(body.subarray(at, at + step));
    assert.equal(Buffer.from(scan.end() ?? []).toString(), 'NEEDLE yes and the rest', String(step));
  }
});

test('a sparse program is an unknown: its holes are not in the archive, so it was not read', async () => {
  const bytes = await sparseTar({ path: 'bin/tool', text: 'x'.repeat(512), mode: 0o755 });
  const { sbom } = await catalogueLayers(imageOf([{ tar: bytes }]).input, options);
  assert.deepEqual(
    sbom.unknowns.map((one) => [one.path, one.wantedBy]),
    [['bin/tool', 'binary']],
  );
});

test('files that cannot be read are named up to a limit, then counted; so are links to what was not kept', async () => {
  const count = limits.entriesNamed + 3;
  const jars = Array.from({ length: count }, (_, i): Entry => ({ path: `a/${i}.jar`, text: 'no archive' }));
  const links = Array.from(
    { length: count },
    (_, i): Entry => ({ path: `b/${i}/package.json`, hardlink: 'gone' }),
  );
  const { sbom } = await catalogueLayers((await image([...jars, ...links])).input, options);
  const told = Map.groupBy(sbom.unknowns, ({ path }) => path.slice(0, 1));
  assert.equal(told.get('a')?.length, limits.entriesNamed);
  assert.equal(told.get('b')?.length, limits.entriesNamed);
  assert.deepEqual(
    told.get('')?.map(({ wantedBy, reason }) => `${wantedBy}: ${reason}`),
    [
      'layer: 3 more hard links to content that was not kept',
      'layer: layer 1: 3 more files that could not be read',
    ],
  );
});
