/** `npm run conformance -- client`: the 70 cases, twice each, through the executable; ends with `N passed, N failed`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conformanceClient, judged, verifyWords } from './conformance-client.ts';
import { readCases, vectorsFolder } from './sigstore-cases.ts';

const folder = vectorsFolder();
if (folder === undefined) {
  console.error('the sigstore-conformance vectors are not there: set WAYBILL_SHARED');
  process.exit(1);
}
const home = mkdtempSync(join(tmpdir(), 'waybill-conformance-'));
let passed = 0;
let failed = 0;
for (const item of readCases(folder)) {
  for (const by of ['path', 'digest'] as const) {
    const result = await conformanceClient(verifyWords(folder, item, by), home);
    const verdict = judged(result);
    if (verdict === item.expect) passed++;
    else failed++;
    const mark = verdict === item.expect ? 'ok' : 'FAILED';
    console.log(
      `${mark} ${item.name} (${by}): exit ${result.code}${mark === 'ok' ? '' : `\n${result.stderr}`}`,
    );
  }
}
rmSync(home, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
