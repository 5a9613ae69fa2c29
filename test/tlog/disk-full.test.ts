/** A log whose files cannot grow any more: real writes that fail, in a real process. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { leafHash } from '#formats/merkle';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock } from '#platform/system';
import { checkLog, entry, keyPair, open } from './fixture.ts';

/** Blocks of 1 KiB, as `ulimit -f` counts. */
const FILE_KIB = 4000;

test('a disk that is full refuses entries, keeps what was acknowledged, and takes entries again when there is room', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-full-'));
  try {
    const child = join(import.meta.dirname, 'full-child.ts');
    const node = `'${process.execPath}' --disable-warning=ExperimentalWarning '${child}' '${directory}'`;
    const script = `ulimit -f ${FILE_KIB}; exec ${node} "$1"`;
    const ran = spawnSync('bash', ['-c', script, 'bash', keyPair.exportPem()], { encoding: 'utf8' });
    assert.equal(ran.status, 0, ran.stderr);
    const lines = ran.stdout.trim().split('\n');
    const acknowledged = lines.filter((line) => /^\d+ /.test(line)).map((line) => line.split(' '));
    const refused = lines.filter((line) => line.startsWith('refused'));
    assert.ok(acknowledged.length > 20, ran.stdout);
    assert.equal(refused.length, 5);
    // Refused for certain, unknown, or stopped; never anything else, and never acknowledged.
    for (const line of refused) assert.match(line, /WB-40[345]$/);
    assert.match(lines.at(-1) ?? '', /^read 20000$/, 'what is published can be read');
    const log = await open(embeddedLogStore({ directory }), { create: false, clock: systemClock });
    const entries = await checkLog(log);
    for (const [index, leaf] of acknowledged) {
      assert.equal(Buffer.from(leafHash(entries[Number(index)] as Uint8Array)).toString('hex'), leaf);
    }
    assert.equal((await log.append(entry('room again'))).logged.index, entries.length);
    await log.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
