import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embeddedLogStore } from '#platform/store-embedded';
import { memoryLogStore } from '#platform/store-memory';
import { logStoreConformance } from './log-store-conformance.ts';

logStoreConformance('memory', false, () => {
  const store = memoryLogStore();
  return { open: () => store, cleanUp: () => {} };
});

logStoreConformance('embedded', true, () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-store-'));
  return {
    open: () => embeddedLogStore({ directory: join(directory, 'log'), lockFile: join(directory, 'lock.db') }),
    cleanUp: () => rmSync(directory, { recursive: true, force: true }),
  };
});
