/** PEM at its borders: where a block begins and ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unwrap } from '#base/result';
import { pemDecode, pemEncode } from '#formats/pem';

const block = '-----BEGIN X-----\nAQID\n-----END X-----\n';
const said = (text: string, label?: string): string => {
  const read = pemDecode(text, label);
  return read.ok ? `${read.value.length}` : `${read.error.code} ${read.error.expected}`;
};

test('a boundary is a whole line (WB-120)', () => {
  assert.equal(said(block), '1');
  assert.equal(said(block.replaceAll('-----\n', '----- \t\n')), '1');
  assert.equal(said(`x${block}`), 'WB-120 BEGIN and END in pairs');
  assert.equal(said(block.replace('X-----\n', 'X-----x\n')), 'WB-120 BEGIN and END in pairs');
  assert.equal(said(block.replace('\n-----END', '\nx-----END')), 'WB-120 END X');
  assert.equal(said(block.replace(/END X-----\n/, 'END X-----x\n')), 'WB-120 END X');
});

test('a block that is not closed is refused, also behind one that is (WB-120)', () => {
  assert.equal(said(`${block}-----BEGIN Y-----\nAQID\n`), 'WB-120 END Y');
  assert.equal(said(`${block}${block}`), '2');
  assert.equal(said(`${block}-----END X-----\n`), 'WB-120 BEGIN and END in pairs');
});

test('text before and between blocks is no part of them', () => {
  const [first, second] = unwrap(pemDecode(`AAAA\n${block}AAAA\n${block}AAAA\n`));
  assert.deepEqual([...first.der], [1, 2, 3]);
  assert.deepEqual([...(second?.der ?? [])], [1, 2, 3]);
});

test('with a label every block has it (WB-120)', () => {
  assert.equal(said(block, 'X'), '1');
  assert.equal(said(block, 'Y'), 'WB-120 only Y blocks');
  assert.equal(said(`${block}${block.replaceAll('X', 'Y')}`, 'X'), 'WB-120 only X blocks');
});

test('lines are broken at 64 characters, full ones included', () => {
  for (const length of [0, 47, 48, 49, 96]) {
    const lines = pemEncode('X', new Uint8Array(length).fill(7)).split('\n').slice(1, -2);
    assert.deepEqual(
      lines.map((line) => line.length),
      lines.map((line, i) => (i < lines.length - 1 ? 64 : line.length)),
    );
    assert.equal(lines.join(''), Buffer.alloc(length, 7).toString('base64'));
    assert.ok(lines.every((line) => line.length <= 64 && line.length > 0));
  }
});
