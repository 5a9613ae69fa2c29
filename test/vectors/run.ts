/**
 * `npm run vectors [-- NAME…]`: runs suites of other people's data found under WAYBILL_SHARED and prints how many
 * rows of each hold. Absent data is a failure: a suite that did not run proves nothing.
 */
import type { VectorCount } from './versions.ts';

type Counts = readonly VectorCount[] | undefined;
type Vectors = (shared: string) => Counts | Promise<Counts>;

interface Suite {
  readonly name: string;
  readonly load: () => Promise<Vectors>;
}

const suites: readonly Suite[] = [
  { name: 'advisories', load: async () => (await import('./advisories.ts')).advisoryVectors },
  { name: 'cyclonedx', load: async () => (await import('./cyclonedx.ts')).cycloneDxVectors },
  { name: 'purl', load: async () => (await import('./purl.ts')).purlVectors },
  { name: 'spdx', load: async () => (await import('./spdx.ts')).spdxVectors },
  { name: 'versions', load: async () => (await import('./versions.ts')).versionVectors },
];

const shared = process.env['WAYBILL_SHARED'] ?? '../shared';
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(`no vectors ${unknown.join(', ')}; there are: ${suites.map(({ name }) => name).join(', ')}`);
  process.exit(3);
}

let passed = 0;
let failed = 0;
for (const suite of suites) {
  if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
  const counts = await (await suite.load())(shared);
  if (counts === undefined) {
    console.error(`${suite.name}: the data is not under ${shared}`);
    failed++;
    continue;
  }
  for (const { name, rows, failures } of counts) {
    const right = rows - failures.length;
    console.log(`${name}: ${right} of ${rows} (${((100 * right) / rows).toFixed(2)} %)`);
    for (const one of failures.slice(0, 10)) console.log(`  ${one}`);
    passed += right;
    failed += failures.length;
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
