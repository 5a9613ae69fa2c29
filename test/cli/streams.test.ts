/** What a command says reaches whoever reads, whole and in order, and a command without an answer does not end well. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RunResult, run } from '#platform/process';
import { standardStream, type WriteError } from '../../src/cli/standard-streams.ts';

const address = (name: string): string => new URL(`../../src/cli/${name}`, import.meta.url).href;

/** A process of its own: its standard streams and its end are what is asked about. */
const script = (text: string): Promise<RunResult> =>
  run(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', text], {
    timeoutMs: 60_000,
  });

const failing = (code: string): WriteError => Object.assign(new Error(code), { code });

test('what is taken in pieces is written to its end', () => {
  const taken: string[] = [];
  const stream = standardStream(1, assert.fail, (_fd, bytes) => {
    const piece = bytes.subarray(0, 3);
    taken.push(Buffer.from(piece).toString('latin1'));
    return piece.length;
  });
  stream.write('one two');
  stream.write(Buffer.from('8'));
  stream.write('');
  assert.deepEqual(taken, ['one', ' tw', 'o', '8']);
});

test('where a write would have to wait, all that follows comes after it', async () => {
  const { code, stdout } = await script(`
    import { writeSync } from 'node:fs';
    import { standardStream } from ${JSON.stringify(address('standard-streams.ts'))};
    let calls = 0;
    const stream = standardStream(1, () => process.exit(9), (fd, bytes) => {
      if (++calls === 3) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
      return writeSync(fd, bytes.subarray(0, 2));
    });
    stream.write('abcdef');
    stream.write(Buffer.from('ghi'));
    stream.write('j'.repeat(200_000));
    stream.write('k');`);
  assert.equal(code, 0);
  assert.equal(stdout, `abcdefghi${'j'.repeat(200_000)}k`);
});

test('a reader that left is no error; another failure is told once, and nothing follows it', () => {
  for (const [code, told] of [
    ['EPIPE', []],
    ['ENOSPC', ['ENOSPC']],
  ] as const) {
    const lost: unknown[] = [];
    let calls = 0;
    const stream = standardStream(
      1,
      (error) => lost.push(error.code),
      () => {
        calls++;
        throw failing(code);
      },
    );
    stream.write('a');
    stream.write('b');
    assert.deepEqual([lost, calls], [told, 1]);
  }
});

const ending = JSON.stringify(address('ending.ts'));

test('work that has an answer ends with its exit code, after what it still waits for', async () => {
  const { code, stdout } = await script(`
    import { endWithTheWork } from ${ending};
    const ended = endWithTheWork(console.error);
    process.exitCode = 12;
    setTimeout(() => console.log('late'), 20);
    process.once('exit', () => console.log('last'));
    ended();`);
  assert.deepEqual([code, stdout], [12, 'late\nlast\n']);
});

test('others that wait for the end come to theirs', async () => {
  const { code, stdout } = await script(`
    import { endWithTheWork } from ${ending};
    endWithTheWork(console.error)();
    process.once('beforeExit', () => setTimeout(() => console.log('flushed'), 20));`);
  assert.deepEqual([code, stdout], [0, 'flushed\n']);
});

test('work that waits for what never comes has no answer: it ends as a defect, whatever code was set', async () => {
  const { code, stderr } = await script(`
    import { endWithTheWork } from ${ending};
    const ended = endWithTheWork(console.error);
    process.exitCode = 0;
    await new Promise(() => {});
    ended();`);
  assert.equal(code, 1);
  assert.match(stderr, /internal error .*\nthe command ended without an answer/);
});
