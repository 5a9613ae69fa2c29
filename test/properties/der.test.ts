/**
 * DER against an independent implementation (asn1js, by way of pkijs): what is DER both read alike; of what only it
 * reads, ours says why it is not DER; nothing is read that re-encodes to other bytes.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { equalBytes } from '#base/bytes';
import { type DerNode, der, parseDer } from '#formats/der';

interface Twin {
  readonly idBlock: {
    readonly tagClass: number;
    readonly tagNumber: number;
    readonly isConstructed: boolean;
  };
  readonly valueBlock: { readonly value?: readonly Twin[] };
  toBER(): ArrayBuffer;
}
const require = createRequire(import.meta.url);
const { fromBER } = require(require.resolve('asn1js', { paths: [require.resolve('pkijs')] })) as {
  fromBER(bytes: Uint8Array): { readonly offset: number; readonly result: Twin };
};

/** Any DER value: primitives at the leaves, SEQUENCE, SET and context tags around them. */
const { value } = fc.letrec<{ value: Uint8Array; leaf: Uint8Array }>((tie) => ({
  leaf: fc.oneof(
    fc.nat({ max: Number.MAX_SAFE_INTEGER }).map((number) => der.int(number)),
    fc.uint8Array({ maxLength: 140 }).map((bytes) => der.octets(bytes)),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => der.bits(bytes)),
    fc.boolean().map((one) => der.bool(one)),
    fc.constant(der.nul()),
    fc
      .array(fc.nat({ max: 2 ** 31 }), { maxLength: 6 })
      .map((arcs) => der.oid(['2', '5', ...arcs].join('.'))),
    fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => der.utf8(text)),
    fc.stringMatching(/^[A-Za-z0-9 .-]{0,20}$/).map((text) => der.printable(text)),
    fc.integer({ min: 0, max: 2 ** 33 }).map((seconds) => der.utcOrGeneralTime(seconds * 1000)),
  ),
  value: fc.oneof(
    { maxDepth: 5 },
    tie('leaf'),
    fc.array(tie('value'), { maxLength: 5 }).map((parts) => der.seq(...parts)),
    fc.array(tie('value'), { maxLength: 3 }).map((parts) => der.set(...parts)),
    fc.tuple(fc.nat({ max: 30 }), tie('value')).map(([tag, part]) => der.explicit(tag, part)),
  ),
}));

const classBits: Readonly<Record<number, number>> = { 1: 0x00, 2: 0x40, 3: 0x80, 4: 0xc0 };

function assertAlike(ours: DerNode, theirs: Twin): void {
  const { tagClass, tagNumber, isConstructed } = theirs.idBlock;
  assert.equal(ours.tag, (classBits[tagClass] ?? 0) | (isConstructed ? 0x20 : 0) | tagNumber);
  if (!isConstructed) return;
  const parts = ours.children();
  const twins = theirs.valueBlock.value ?? [];
  assert.equal(parts.length, twins.length);
  for (const [at, part] of parts.entries()) assertAlike(part, twins[at] as Twin);
}

test('what is written as DER both implementations read as the same tree', () => {
  fc.assert(
    fc.property(value, (bytes) => {
      const ours = parseDer(bytes);
      assert.ok(ours.ok);
      const theirs = fromBER(bytes);
      assert.equal(theirs.offset, bytes.length);
      assertAlike(ours.value, theirs.result);
    }),
    { seed: 690, numRuns: 1500 },
  );
});

/** It also reads contents, such as times: where it fails on one there is nothing to compare. */
function readByTwin(bytes: Uint8Array): Twin | undefined {
  try {
    const { offset, result } = fromBER(bytes);
    return offset === bytes.length ? result : undefined;
  } catch {
    return undefined;
  }
}

test('of spoilt DER we read only what the other reads too, and what is its own encoding', () => {
  let refused = 0;
  let read = 0;
  const spoilt = fc.tuple(value, fc.nat(), fc.nat({ max: 255 }), fc.constantFrom('set', 'insert', 'remove'));
  fc.assert(
    fc.property(spoilt, ([bytes, pick, byte, how]) => {
      const at = pick % bytes.length;
      const [head, rest] = [bytes.subarray(0, at), bytes.subarray(how === 'insert' ? at : at + 1)];
      const changed = Buffer.concat([head, how === 'remove' ? Buffer.alloc(0) : Buffer.of(byte), rest]);
      const ours = parseDer(changed);
      if (!ours.ok) {
        refused++;
        assert.match(ours.error.code, /^WB-12[13]$/);
        return;
      }
      read++;
      assert.ok(equalBytes(ours.value.raw, changed), 'all of it, and nothing behind it');
      const theirs = readByTwin(changed);
      if (theirs !== undefined) assertAlike(ours.value, theirs);
    }),
    { seed: 691, numRuns: 4000 },
  );
  assert.ok(refused > 1000 && read > 500, `${refused} refused, ${read} read`);
});

test('a length is read in its shortest form only', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 1, max: 4 }), (length, octets) => {
      if (length >= 256 ** octets) return;
      const long = Buffer.alloc(octets);
      long.writeUIntBE(length, 0, octets);
      const bytes = Buffer.concat([Buffer.of(0x04, 0x80 | octets), long, Buffer.alloc(length)]);
      const shortest = length < 0x80 ? 0 : Math.ceil(Math.log2(length + 1) / 8);
      assert.equal(parseDer(bytes).ok, octets === shortest, `${length} in ${octets}`);
    }),
    { seed: 692, numRuns: 500 },
  );
});
