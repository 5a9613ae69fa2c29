/** What is damaged or gone in the folder of a station is refused with its file, and of several logs with which one. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { fileKeyStore } from '#platform/key-store';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock, systemRandom } from '#platform/system';
import { createTsa } from '#services/tsa';
import { checkpointSigner, openLog } from '#tlog';
import { quiet } from './log-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-named-'));
after(() => rmSync(folder, { recursive: true }));

const names = (code: string, part: string) => (error: unknown) => {
  assert.ok(error instanceof WaybillError, String(error));
  assert.equal(error.reason.code, code, error.message);
  assert.ok(error.message.includes(part), error.message);
  return true;
};

test('a damaged certificate of an authority is named by its path', async () => {
  const dir = join(folder, 'tsa');
  const open = () =>
    createTsa({
      ...{ keys: fileKeyStore(dir), clock: systemClock, random: systemRandom },
      ...{ organization: 'acme', log: quiet },
    });
  await (await open()).close();
  for (const name of readdirSync(dir).filter((one) => one.endsWith('.pem')))
    writeFileSync(join(dir, name), 'x');
  await assert.rejects(open(), names('WB-1051', join(dir, 'root.pem')));
});

test('a log whose lock, staging or tiles are x', async () => {
  const signer = checkpointSigner({ origin: 'log.example/7', signer: generateKey('ed25519') });
  for (const [file, code] of [
    ['lock.db', 'WB-409'],
    ['staging.db', 'WB-409'],
  ] as const) {
    const directory = join(folder, file.replace('.db', ''));
    const open = (create: boolean) =>
      openLog({ store: embeddedLogStore({ directory }), signer, clock: systemClock, create });
    const log = await open(true);
    await log.append(utf8('entry'));
    await log.close();
    rmSync(join(directory, file));
    await assert.rejects(open(false), names(code, `log.example/7 in ${directory}`));
  }
});
