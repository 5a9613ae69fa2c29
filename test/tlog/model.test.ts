import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore, initial, type Mutation } from './model.ts';

test('no order of two writers, crashes, a restored copy and a witness breaks the commit protocol', (t) => {
  // Two crashes are four times the states: `npm run soak -- model`.
  const { states, broken } = explore(initial(2, 1));
  t.diagnostic(`${states} states`);
  assert.equal(broken, undefined, broken && `${broken.what}: ${broken.history.join(', ')}`);
  assert.ok(states > 10_000, `only ${states} states`);
});

const found: Readonly<Record<Mutation, RegExp>> = {
  'ack-before-publish': /P1: .* before it was published/,
  'swap-before-stage': /P1: the data does not hold what the lock names/,
  'publish-before-swap': /P2: something was published/,
  'publish-back': /P2: readers saw the log go back/,
  'no-compare': /P2: the lock left the chain/,
  'lock-restored-too': /P2: the lock left the chain/,
  'cosign-before-swap': /a tree was cosigned that the lock does not name/,
};

for (const [mutation, what] of Object.entries(found)) {
  test(`the search finds what ${mutation} would break`, (t) => {
    const { broken } = explore(initial(2, 2), mutation as Mutation);
    assert.match(broken?.what ?? 'nothing', what);
    t.diagnostic(broken?.history.join(', ') ?? '');
  });
}
