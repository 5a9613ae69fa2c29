import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzTargets } from './fuzz-targets.ts';

for (const { name, seeds, run } of fuzzTargets) {
  test(`${name}: changed and cut bytes end in a result or a documented refusal`, async () => {
    const start = await seeds();
    for (const seed of start) {
      run(seed);
      const change = fc.array(fc.tuple(fc.nat(Math.max(0, seed.length - 1)), fc.nat(255)), { maxLength: 12 });
      const property = fc.property(change, fc.nat(seed.length), (changes, end) => {
        const bytes = Uint8Array.from(seed);
        for (const [at, value] of changes) bytes[at] = value;
        run(bytes);
        run(bytes.subarray(0, end));
      });
      fc.assert(property, { numRuns: 120, seed: 11 });
    }
    assert.ok(start.length > 0);
  });
}
