/** The list of the guide's lines is the guide's, and every correction stands on a line of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { correct, corrections } from './corrections.ts';
import { extractBlocks } from './extract.ts';
import { ownBlocks } from './lines.ts';
import { readBlocks } from './world.ts';

const { blocks, from } = readBlocks();
if (blocks === ownBlocks)
  console.log('the comparison with the guide itself did not run: the guide is not there');
else {
  test(`the project's list holds the blocks of ${from}`, () => {
    assert.deepEqual(blocks, ownBlocks);
  });
}

test('code is told from prose, shell from YAML, comments are left out', () => {
  const text = [
    'Sign it with cosign sign, and then: verify.',
    '',
    '# a comment',
    'permissions:',
    '  id-token: write   # why',
    '# then',
    'cosign sign --yes "$IMAGE" \\',
    '  --key k',
    'echo is no tool of the guide',
    '',
    'echo "${DIGEST#sha256:}"',
    '',
    'DIGEST=$(docker x)',
  ].join('\n');
  assert.deepEqual(extractBlocks(text.replace('\necho is no tool of the guide', '')), [
    { kind: 'yaml', text: 'permissions:\n  id-token: write' },
    { kind: 'shell', text: 'cosign sign --yes "$IMAGE" \\\n  --key k' },
    { kind: 'shell', text: 'DIGEST=$(docker x)' },
  ]);
});

test('every correction stands on a line of the guide, and none is left of what it corrects', () => {
  for (const { guide } of corrections) {
    const concerned = ownBlocks.filter(({ text }) => text.includes(guide));
    assert.notEqual(concerned.length, 0, guide);
    for (const { text } of concerned) assert.equal(correct(text).text.includes(guide), guide === '', guide);
  }
});
