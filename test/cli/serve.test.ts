import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { composeStack } from '#stack';
import { waybill } from './child.ts';

test('a webhook that others can reach refuses the trust of a development stack', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'waybill-serve-'));
  try {
    await (await composeStack({ dataDir, lockDir: `${dataDir}-locks`, logLevel: 'silent' })).close();
    const refused = await waybill([
      'serve',
      'admission',
      '--stack',
      dataDir,
      '--listen',
      '0.0.0.0:0',
      '--json',
    ]);
    assert.equal(refused.code, 3);
    assert.match(refused.stdout, /"code":"WB-1203"/);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
