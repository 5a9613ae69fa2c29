/**
 * `npm run scale [-- PART…] [--entries N] [--bytes N] [--offline] [--seconds N] [--json FILE]`: the figures of
 * docs/scale.md, each from a run here. No part named: all three.
 *
 * - size: what opening, appending and proving cost at 10⁴ to 10⁹ entries (the right edge is made, not written);
 * - growth: N entries of so many bytes written for real: bytes on disk by kind, entries a second, size of the index;
 *   `--offline` builds as one who answers nobody meanwhile (larger batches, names in large runs);
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

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    entries: { type: 'string', default: '1000000' },
    bytes: { type: 'string', default: '2000' },
    offline: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '10' },
    json: { type: 'string' },
  },
});

function positive(name: 'entries' | 'bytes' | 'seconds'): number {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  console.error(`--${name}: expected a number of at least 1, actual ${JSON.stringify(values[name])}`);
  process.exit(3);
}

const [entries, entryBytes, seconds] = [positive('entries'), positive('bytes'), positive('seconds')];
const folder = mkdtempSync(join(tmpdir(), 'waybill-scale-'));
const parts = {
  size: () => sizes(join(folder, 'size')),
  growth: () => growth(join(folder, 'growth'), { entries, entryBytes, offline: values.offline }),
  requests: () => requests(seconds),
};
const names = Object.keys(parts) as (keyof typeof parts)[];
const unknown = positionals.find((word) => !names.includes(word as keyof typeof parts));
if (unknown !== undefined) {
  console.error(`no part ${unknown}; there are: ${names.join(', ')}`);
  process.exit(3);
}
try {
  const result: Record<string, readonly object[]> = {};
  for (const name of names) {
    if (positionals.length === 0 || positionals.includes(name)) result[name] = await parts[name]();
  }
  for (const [part, rows] of Object.entries(result)) {
    console.log(`\n${part}`);
    console.table(rows);
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
