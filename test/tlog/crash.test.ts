/** A real process on a real disk, ended with SIGKILL at each writing call of the commit path in turn. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { embeddedLogStore } from '#platform/store-embedded';
import { checkLog, entry, fill, keyPair, open } from './fixture.ts';

const child = join(import.meta.dirname, 'crash-child.ts');

function runChild(directory: string, nth: number, mode: string): Promise<{ out: string; signal: string }> {
  return new Promise((resolve, reject) => {
    const args = ['--disable-warning=ExperimentalWarning', child, directory, String(nth), mode];
    const started = spawn(process.execPath, [...args, keyPair.exportPem()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    started.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    started.on('error', reject);
    started.on('close', (_code, signal) => resolve({ out, signal: signal ?? '' }));
  });
}

/** Ends the child at its n-th call; false when it came to its end before. */
async function crashAt(template: string, root: string, nth: number, mode: string): Promise<boolean> {
  const directory = join(root, `${mode}-${nth}`);
  cpSync(template, directory, { recursive: true });
  const { out, signal } = await runChild(directory, nth, mode);
  const finished = out.endsWith('done\n');
  assert.equal(signal, finished ? '' : 'SIGKILL');
  const store = embeddedLogStore({ directory });
  const log = await open(store, { create: false });
  const names = (await checkLog(log)).map((bytes) => Buffer.from(bytes).toString());
  for (const line of out.split('\n').filter((l) => /^\d/.test(l))) {
    const [, index, name] = /^(\d+) (.*)$/.exec(line) as unknown as [string, string, string];
    assert.equal(names[Number(index)], `entry ${name}`, `acknowledged before the kill ${mode} call ${nth}`);
  }
  assert.equal(new Set(names).size, names.length);
  assert.equal((await log.append(entry('after'))).logged.index, names.length);
  await log.close();
  return !finished;
}

for (const mode of ['before', 'after']) {
  test(`a kill ${mode} any writing call loses nothing that was acknowledged`, async () => {
    const root = mkdtempSync(join(tmpdir(), 'waybill-crash-'));
    try {
      const template = join(root, 'template');
      const store = embeddedLogStore({ directory: template });
      const log = await open(store);
      // Three, then four entries: the second batch fills the first tile.
      await fill(log, 0, 250);
      await log.close();
      let n = 1;
      while (await crashAt(template, root, n, mode)) n++;
      assert.ok(n > 12, `only ${n - 1} calls were tried`);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
}
