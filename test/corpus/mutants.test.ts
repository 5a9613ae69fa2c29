/**
 * The machines over every accepted bundle: swap, emptiness, duplication, truncation, null, types, bits, text. None
 * of what they make is accepted but what a written rule explains; none ends as a defect or an exception.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mixes } from './generators/mixes.ts';
import { explanationOf } from './generators/rules.ts';
import { forms, runMutants, sampleOf } from './generators/run.ts';

const MUTANTS = 4000;
const machines = ['swap', 'emptiness', 'null', 'type', 'truncation', 'duplication', 'bits', 'text'] as const;

test(`${MUTANTS} mutants of ${Object.keys(forms).length} forms: none accepted without a rule`, async () => {
  const tally = await runMutants({ count: MUTANTS, seed: 1 });
  assert.deepEqual(
    tally.failures.map(({ sample, mutant, what }) => `${sample}: ${mutant}: ${what}`),
    [],
  );
  assert.ok(tally.judged >= 2000, `${tally.judged} judged`);
  assert.ok(tally.refused / tally.judged > 0.85, `${tally.refused} of ${tally.judged} refused`);
  for (const machine of machines) assert.ok((tally.byMachine.get(machine) ?? 0) > 20, machine);
});

test('a rule explains its own change and no other', () => {
  const keyless = { version: '0.3', isKeyed: false, isUnlogged: false, isRepeatable: false } as const;
  const stamped = { ...keyless, isPromised: false, isStamped: true };
  const promised = { ...keyless, isPromised: true, isStamped: true };
  const stamps = 'verificationMaterial.timestampVerificationData';
  const time = 'verificationMaterial.tlogEntries.0.integratedTime';
  const table = [
    [{ path: stamps, change: 'absent' }, promised, true],
    [{ path: stamps, change: 'absent' }, stamped, false],
    [{ path: time, change: 'null' }, stamped, true],
    [{ path: time, change: 'null' }, promised, false],
    [{ path: 'messageSignature.signature', change: 'absent' }, promised, false],
    [{ path: 'mediaType', change: 'swapped with bundle-0.1' }, promised, false],
  ] as const;
  for (const [mutant, traits, isExplained] of table) {
    assert.equal(explanationOf(mutant, traits) !== undefined, isExplained, JSON.stringify(mutant));
  }
});

test('parts of two good bundles make a good one only where they belong together', async () => {
  for (const [name, steps] of Object.entries(forms)) {
    const [ours, theirs] = [sampleOf(name, steps), sampleOf(name, steps)];
    for (const { name: taken, isGood, answer } of await mixes(ours, theirs)) {
      assert.equal(answer.verdict, isGood ? 'accept' : 'reject', `${name} with ${taken} of another`);
      assert.notEqual(answer.reason?.class, 'internal');
    }
  }
});
