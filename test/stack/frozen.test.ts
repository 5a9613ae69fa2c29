/** A log of a stack is frozen by hand: not while it runs, and then seen, and followed by the next rotation. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import { httpTransport } from '#platform/http-client';
import { R } from '#platform/reasons';
import { systemClock } from '#platform/system';
import { requestRotation, stackStatus } from '#stack';
import { waybillHere } from '../cli/here.ts';
import { message, personSigner, startStack, temporaryFolder } from './helper.ts';

test('a running log is not frozen; a frozen one is seen in the status, and a rotation goes on to the next', async () => {
  const stack = await startStack();
  const { dataDir } = stack;
  const cacheDir = await temporaryFolder();
  const { lockDir = '' } = stack.state;
  await (await personSigner(stack, 1)).sign(message('load'));
  const env = { WAYBILL_STATE_DIR: join(lockDir, '..') };
  const freeze = (station: string) => {
    const [tree, key] = [join(dataDir, station, 'tree'), join(dataDir, station, 'keys', 'log.key')];
    const { publicKey } = (station === 'ct' ? stack.stations.changing.cts : stack.stations.changing.logs)
      .current;
    const lock = join(lockDir, `${Buffer.from(sha256(publicKey.spki)).toString('hex')}.db`);
    return waybillHere(['log', 'freeze', tree, '--key', key, '--lock-file', lock], { env });
  };
  const running = await freeze('log');
  assert.equal(running.code, 3, running.stdout);
  assert.match(running.stderr, /WB-210/);
  await stack.close();
  for (const station of ['log', 'ct']) assert.equal((await freeze(station)).code, 0);

  const again = await startStack({ dataDir });
  const deps = { transport: httpTransport(), clock: systemClock, cacheDir };
  const frozen = async (): Promise<string[]> =>
    (await stackStatus(dataDir, deps)).stations.flatMap(({ name, isFrozen }) =>
      isFrozen === true ? [name] : [],
    );
  assert.deepEqual(await frozen(), ['ct', 'log']);
  const shown = await waybillHere(['stack', 'status', '--stack', dataDir], {
    env: { XDG_CACHE_HOME: cacheDir },
  });
  assert.equal(shown.code, 2);
  assert.match(shown.stdout, /FROZEN/);
  for (const station of ['log', 'ct'] as const) {
    const step = await requestRotation(dataDir, { station, overlapMs: 0 });
    assert.deepEqual([step.hasSwitched, step.unfinished], [true, undefined]);
  }
  assert.deepEqual(await frozen(), []);
  const status = () =>
    waybillHere(['stack', 'status', '--stack', dataDir], { env: { XDG_CACHE_HOME: cacheDir } });
  assert.equal((await status()).code, 0);
  // Metadata that clients cannot use is no sound stack, whatever answers.
  await writeFile(join(dataDir, 'public', 'root.json'), '{}');
  assert.equal((await status()).code, 2);
  await (await personSigner(again, 1)).sign(message('load'));
});

test('a rotation whose last step fails says what is done and what is not, and goes on', async (t) => {
  const stack = await startStack();
  const { log } = stack.stations;
  const cannot = fail(R.file, { expected: 'access to a disk', actual: 'EIO' });
  const broken = t.mock.method(log, 'freeze', () => Promise.reject(cannot));
  const step = await requestRotation(stack.dataDir, { station: 'log', overlapMs: 0 });
  assert.deepEqual([step.hasSwitched, step.unfinished], [true, cannot.message]);
  assert.equal(stack.rotation.generations.pending.length, 1);
  broken.mock.restore();
  await stack.rotation.step();
  assert.equal(stack.rotation.generations.pending.length, 0);
  assert.equal(log.log.tree.isFrozen, true);
});
