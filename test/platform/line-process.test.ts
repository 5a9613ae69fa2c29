import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type LineProcess, startLineProcess } from '#platform/line-process';

interface Started {
  readonly child: LineProcess;
  readonly lines: string[];
  readonly messages: string[];
  readonly ends: string[];
  readonly ended: Promise<void>;
}

/** `script` is what Node runs. */
function start(script: string, lineBytesMax = 100): Started {
  const [lines, messages, ends]: string[][] = [[], [], []];
  const ended = Promise.withResolvers<void>();
  const child = startLineProcess({
    command: process.execPath,
    args: ['-e', script],
    env: process.env,
    lineBytesMax,
    onLine: (line) => void lines?.push(line),
    onMessage: (text) => void messages?.push(text),
    onEnd: (why) => {
      ends?.push(why);
      ended.resolve();
    },
  });
  return { child, lines: lines!, messages: messages!, ends: ends!, ended: ended.promise };
}

test('lines come whole and in order, however they are cut, and before the end', async () => {
  const cut = `const b = Buffer.from('äö\\nzwei\\n\\nrest');
    const next = (i) => i < b.length && process.stdout.write(b.subarray(i, i + 1), () => setImmediate(next, i + 1));
    next(0);`;
  const { lines, ends, ended } = start(cut);
  await ended;
  assert.deepEqual(lines, ['äö', 'zwei', '']);
  assert.deepEqual(ends, ['ended with code 0']);
});

test('a line of the longest length is read, one byte more ends the process', async () => {
  const longest = start(`process.stdout.write('x'.repeat(100) + '\\n')`);
  await longest.ended;
  assert.equal(longest.lines[0]?.length, 100);
  const longer = start(`process.stdout.write('x'.repeat(101) + '\\n'); setInterval(() => {}, 1000)`);
  await longer.ended;
  assert.deepEqual(longer.lines, []);
  assert.deepEqual(longer.ends, ['a line of more than 100 bytes']);
});

test('what is sent arrives, what is said to people is cut short, and the end of the input ends it', async () => {
  const echo = `process.stdin.pipe(process.stdout); process.stderr.write('y'.repeat(10000))`;
  const { child, lines, messages, ends } = start(echo);
  child.send('one');
  child.send('two');
  await child.close(10_000);
  assert.deepEqual(lines, ['one', 'two']);
  assert.ok(messages.length > 0 && messages.every((text) => text.length <= 500));
  assert.deepEqual(ends, ['ended with code 0']);
  child.send('three');
});

test('one that does not end is killed after its grace, with what it has started', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'waybill-test-lines-'));
  const beats = join(dir, 'beats');
  const beat = `setInterval(() => require('node:fs').appendFileSync(${JSON.stringify(beats)}, '.'), 5)`;
  const stubborn = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(beat)}], { stdio: 'inherit' });
    setInterval(() => {}, 1000);`;
  const { child, ends } = start(stubborn);
  const count = (): number => (existsSync(beats) ? statSync(beats).size : 0);
  while (count() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await child.close(20);
  assert.deepEqual(ends, ['asked to end']);
  const last = count();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(count(), last);
  rmSync(dir, { recursive: true });
});

test('one that ends takes along what keeps its output open', async () => {
  const leaves = `const { spawn } = require('node:child_process');
    spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    setTimeout(() => process.exit(7), 50);`;
  const { ended, ends } = start(leaves);
  await ended;
  assert.deepEqual(ends, ['ended with code 7']);
});

test('a program that is not there says so', async () => {
  const ended = Promise.withResolvers<string>();
  const child = startLineProcess({
    command: '/no/such/program',
    args: [],
    env: {},
    lineBytesMax: 100,
    onLine: () => assert.fail('a line'),
    onMessage: () => {},
    onEnd: ended.resolve,
  });
  assert.match(await ended.promise, /ENOENT/);
  await child.close(1000);
});
