/** `npm run conformance -- sigstore`: the 70 cases, twice each; ends with `N passed, N failed`. */
import { readCases, runCase, vectorsFolder } from './sigstore-cases.ts';

const folder = vectorsFolder();
if (folder === undefined) {
  console.error('the sigstore-conformance vectors are not there: set WAYBILL_SHARED');
  process.exit(1);
}
let passed = 0;
let failed = 0;
for (const item of readCases(folder)) {
  for (const by of ['path', 'digest'] as const) {
    const outcome = runCase(folder, item, by, Date.now());
    if (outcome.verdict === item.expect) passed++;
    else failed++;
    const mark = outcome.verdict === item.expect ? 'ok' : 'FAILED';
    console.log(`${mark} ${item.name} (${by}): ${outcome.verdict}: ${outcome.text}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
