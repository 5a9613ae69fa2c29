import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

const program = `
import { untilSignal } from '#platform/process';
const work = setInterval(() => undefined, 1000);
const signal = untilSignal();
console.log('ready');
console.log(await signal);
clearInterval(work);
`;

test('a server opens no debugger at SIGUSR1, and ends in order at SIGTERM', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program]);
  let said = '';
  let complained = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complained += chunk.toString();
  });
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (said !== 'ready\n') return;
    child.kill('SIGUSR1');
    child.kill('SIGTERM');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  assert.deepEqual([code, said, complained], [0, 'ready\nSIGTERM\n', '']);
});
