import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '#base/limits';
import { WaybillError } from '#base/reason';
import {
  decodeEntryBundle,
  encodeEntryBundle,
  parseTilePath,
  placeOf,
  tilePath,
  tileWidth,
} from '#formats/tiles';

test('paths are grouped by three digits and name partial widths', () => {
  assert.equal(tilePath({ kind: 'hashes', level: 0, index: 1_234_067, width: 256 }), 'tile/0/x001/x234/067');
  assert.equal(tilePath({ kind: 'hashes', level: 3, index: 0, width: 1 }), 'tile/3/000.p/1');
  assert.equal(tilePath({ kind: 'entries', index: 1000, width: 255 }), 'tile/entries/x001/000.p/255');
});

test('every path parses back to its tile, and nothing else parses', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 63 }),
      fc.integer({ min: 0, max: 2 ** 45 }),
      fc.integer({ min: 1, max: 256 }),
      (level, index, width) => {
        const tile = { kind: 'hashes', level, index, width } as const;
        assert.deepEqual(parseTilePath(tilePath(tile)), { ok: true, value: tile });
        const bundle = { kind: 'entries', index, width } as const;
        assert.deepEqual(parseTilePath(tilePath(bundle)), { ok: true, value: bundle });
      },
    ),
    { seed: 1, numRuns: 200 },
  );
  const refused = [
    '',
    'tile/0/0',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001',
    'tile/entries/../000',
    'tile/0/000/',
    '/tile/0/000',
    'tile/0/000.p',
    'tile/0/000\n',
    'tile/data/000',
  ];
  for (const path of refused) {
    const result = parseTilePath(path);
    assert.equal(result.ok ? 'accepted' : result.error.code, 'WB-119', JSON.stringify(path));
  }
});

test('widths follow the size of the tree', () => {
  assert.equal(tileWidth(0, 0, 0), 0);
  assert.equal(tileWidth(255, 0, 0), 255);
  assert.equal(tileWidth(256, 0, 0), 256);
  assert.equal(tileWidth(257, 0, 1), 1);
  assert.equal(tileWidth(257, 1, 0), 1);
  assert.equal(tileWidth(65_535, 1, 0), 255);
  assert.equal(tileWidth(256, 0, 2), 0);
});

test('a node is found in the tile that holds its leaves of that level', () => {
  assert.deepEqual(placeOf({ level: 0, index: 300 }), { tileLevel: 0, tileIndex: 1, height: 0, at: 44 });
  assert.deepEqual(placeOf({ level: 7, index: 3 }), { tileLevel: 0, tileIndex: 1, height: 7, at: 1 });
  assert.deepEqual(placeOf({ level: 8, index: 3 }), { tileLevel: 1, tileIndex: 0, height: 0, at: 3 });
});

test('entry bundles come back as they went in', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 }),
      fc.nat(),
      (entries, cut) => {
        const bytes = encodeEntryBundle(entries);
        const back = decodeEntryBundle(bytes, entries.length);
        assert.deepEqual(
          back.ok && back.value.map((e) => [...e]),
          entries.map((e) => [...e]),
        );
        const short = decodeEntryBundle(bytes.subarray(0, cut % bytes.length), entries.length);
        assert.equal(short.ok ? 'accepted' : short.error.code, 'WB-119');
        const surplus = decodeEntryBundle(new Uint8Array([...bytes, 0]), entries.length);
        assert.equal(surplus.ok ? 'accepted' : surplus.error.code, 'WB-119');
      },
    ),
    { seed: 2, numRuns: 200 },
  );
});

test('an entry may have 65,535 bytes and not one more', () => {
  const most = new Uint8Array(limits.logEntryBytes);
  assert.equal(encodeEntryBundle([most]).length, 65_537);
  assert.throws(
    () => encodeEntryBundle([new Uint8Array(limits.logEntryBytes + 1)]),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-119',
  );
});
