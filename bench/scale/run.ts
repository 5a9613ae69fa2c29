/**
 * `npm run scale [-- --entries N] [--seconds N] [--json FILE]`: the figures of docs/scale.md, each from a run here.
 *
 * - size: what opening, appending and proving cost at 10⁴ to 10⁹ entries (the right edge is made, not written);
 * - growth: N small entries written for real: bytes on disk by kind, entries a second, size of the index;
 * - requests: what each call of a store costs at 10, 1,000 and 10,000 entries a second, counted behind a store that
 *   answers as slowly as one across a network, and multiplied up to a month.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { growth } from './growth.ts';
import { requests } from './requests.ts';
import { sizes } from './sizes.ts';

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '10' },
    json: { type: 'string' },
  },
});

function positive(name: 'entries' | 'seconds'): number {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  console.error(`--${name}: expected a number of at least 1, actual ${JSON.stringify(values[name])}`);
  process.exit(3);
}

const [count, seconds] = [positive('entries'), positive('seconds')];
const folder = mkdtempSync(join(tmpdir(), 'waybill-scale-'));
try {
  const result = {
    size: await sizes(join(folder, 'size')),
    growth: await growth(join(folder, 'growth'), count),
    requests: await requests(seconds),
  };
  for (const [part, rows] of Object.entries(result)) {
    console.log(`\n${part}`);
    console.table(rows);
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
