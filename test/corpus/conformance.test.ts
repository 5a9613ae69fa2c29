/**
 * What sigstore-conformance asks of a client, asked with material of our own, so that it runs anywhere: for each of
 * its directories a case of the corpus of the same kind, by bytes and by digest. test/vectors has the originals.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCases as readVectors, vectorsFolder } from '../vectors/sigstore-cases.ts';
import { bases, conformance, type Likeness, readCases } from './case.ts';
import { library, libraryByDigest } from './doors.ts';
import { type Exhibit, exhibit } from './draft.ts';
import { draftOf } from './recipes/index.ts';

const cases = new Map(readCases().map((item) => [item.id, item]));

function exhibitOf(like: Likeness): Exhibit {
  if ('base' in like) return exhibit(draftOf(bases[like.base] ?? []));
  const item = cases.get('case' in like ? like.case : like.twin);
  assert.ok(item !== undefined, JSON.stringify(like));
  return exhibit(draftOf(bases[item.base] ?? [], item.setting, 'case' in like ? item.mutation : []));
}

for (const [name, like] of Object.entries(conformance)) {
  test(`${name}: like ${Object.entries(like).flat().join(' ')}`, async () => {
    const expected = name.endsWith('_fail') ? 'reject' : 'accept';
    const question = exhibitOf(like);
    assert.equal((await library(question)).verdict, expected);
    assert.equal((await libraryByDigest(question)).verdict, expected);
  });
}

const folder = vectorsFolder();
if (folder === undefined) {
  console.log('note: no sigstore-conformance vectors; the list of directories was not compared with theirs');
} else {
  test('every directory of sigstore-conformance has its like, and the same verdict', () => {
    const theirs = Object.fromEntries(readVectors(folder).map(({ name, expect }) => [name, expect]));
    const ours = Object.keys(conformance).map((name) => [name, name.endsWith('_fail') ? 'reject' : 'accept']);
    assert.deepEqual(Object.fromEntries(ours), theirs);
  });
}
