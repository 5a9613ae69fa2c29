/**
 * Loading of trust while its mirror or its files fail at every call: no run accepts what a run without faults
 * refuses, an accepting run gives the very root, and a cache that was in trouble is good again afterwards.
 */
import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { type Reason, WaybillError } from '#base/reason';
import { asFileError } from '#platform/files';
import type { Transport } from '#platform/http-client';
import { systemClock } from '#platform/system';
import { clientTrustConfigBytes, loadTrust, mirrorFolder, type TrustSource } from '#trust';
import {
  base,
  configText,
  DAY,
  load,
  type Mirror,
  mirror,
  noNetwork,
  rootText,
  source,
  targets,
  transport,
} from '../trust/world.ts';
import { atEveryCall, type FaultKind, type Faults, faultKinds, faultyTransport } from './faulty.ts';
import { diskFaultKinds, withFaultyDisk } from './faulty-disk.ts';

type TufTrust = Extract<TrustSource, { kind: 'tuf' }>;

interface Case {
  readonly name: string;
  readonly source: TufTrust;
  /** A cache to start from, copied for each run; absent: none. */
  readonly cache?: string;
  readonly transport: Transport;
  /** What a run without faults says: the note of the root, or a code. */
  readonly expected: string;
  /** What a client says that never saw the mirror before. */
  readonly forgotten?: string;
}

/** Answers recorded once: the mirror does not sign anew for each of hundreds of runs. */
function recorded(): Transport {
  const known = new Map<string, Awaited<ReturnType<Transport['request']>>>();
  return {
    ...transport,
    request: async (request) => {
      const before = known.get(request.url);
      if (before !== undefined) return before;
      const answer = await transport.request(request);
      known.set(request.url, answer);
      return answer;
    },
  };
}

/** What the mirror answers now, as lies it tells for ever. */
async function frozen(from: Mirror): Promise<Map<string, Uint8Array>> {
  const answers = new Map<string, Uint8Array>();
  from.asked.length = 0;
  await load(source(from, `frozen-${from.dir.at(-1)}`));
  for (const path of new Set(from.asked)) {
    const { status, body } = await transport.request({ url: `${new URL(from.url).origin}${path}` });
    if (status === 200) answers.set(path, body);
  }
  return answers;
}

const current = await mirror();
await load(source(current, 'kept-current'));

const renewed = await mirror();
await load(source(renewed, 'kept-renewed'));
await renewed.tuf.publish(targets(2));

const turned = await mirror();
const before = await frozen(turned);
await turned.tuf.publish(targets(2));
await load(source(turned, 'kept-turned'));
for (const [path, bytes] of before) turned.lies.set(path, bytes);

const old = await mirror(new FixedClock(systemClock.now() - 400 * DAY));
const poisoned = await mirror();
await load(source(poisoned, 'kept-poisoned'));

const cases: readonly Case[] = [
  { name: 'a first load', source: source(current, 'x'), transport: recorded(), expected: '1' },
  {
    name: 'a load of something newer',
    source: source(renewed, 'x'),
    cache: 'kept-renewed',
    transport: recorded(),
    expected: '2',
  },
  {
    name: 'a mirror that went back',
    source: source(turned, 'x'),
    cache: 'kept-turned',
    transport: recorded(),
    expected: 'WB-601',
    forgotten: '1',
  },
  { name: 'expired metadata', source: source(old, 'x'), transport: recorded(), expected: 'WB-602' },
  {
    name: 'the root of another mirror',
    source: { ...source(current, 'x'), root: renewed.root },
    transport: recorded(),
    expected: 'WB-601',
  },
  {
    name: 'a root with another checksum',
    source: { ...source(current, 'x'), rootChecksum: `sha256:${'0'.repeat(64)}` },
    transport: recorded(),
    expected: 'WB-608',
  },
  {
    name: 'offline with a cache',
    source: source(current, 'x', { offline: true }),
    cache: 'kept-current',
    transport: noNetwork,
    expected: '1',
  },
  {
    name: 'offline without a cache',
    source: source(current, 'x', { offline: true }),
    transport: noNetwork,
    expected: 'WB-603',
  },
];

/** The note of the root that was loaded, or why there is none. Anything but a reason fails the test. */
async function said(work: () => ReturnType<typeof loadTrust>): Promise<string | Reason> {
  try {
    const { trustedRootBytes } = await work();
    return String((JSON.parse(Buffer.from(trustedRootBytes).toString()) as { note: number }).note);
  } catch (error) {
    const why = error instanceof WaybillError ? error : asFileError(error);
    if (why === undefined) throw error;
    return why.reason;
  }
}

const codeOf = (answer: string | Reason): string => (typeof answer === 'string' ? answer : answer.code);

const whereOf = (name: string, { plan, calls }: Faults): string =>
  `${name}, ${plan?.kind} at ${plan?.at} of ${calls}${plan?.lasts === true ? ' and on' : ''}`;

function assertHonest(answer: string | Reason, expected: string, where: string): void {
  if (typeof answer === 'string') assert.equal(answer, expected, where);
  if (typeof answer === 'string' || answer.code === expected) return;
  assert.notEqual(answer.side, 'defect', `${where}: ${answer.code} ${answer.actual}`);
  assert.notEqual(answer.exit, 1, `${where}: ${answer.code} ${answer.actual}`);
}

/** A cache of its own for each run. */
async function cacheFor({ cache, source: from }: Case): Promise<TufTrust> {
  const cacheDir = join(base, 'run');
  await rm(cacheDir, { recursive: true, force: true });
  if (cache !== undefined) await cp(join(base, cache), cacheDir, { recursive: true });
  return { ...from, cacheDir };
}

const mirrorKinds: readonly FaultKind[] = [...faultKinds, 'missing'];

for (const one of cases) {
  const { name, expected, transport: wire } = one;
  test(`${name}: a mirror that fails at any call changes nothing for the better`, async () => {
    const runs = await atEveryCall(async (faults) => {
      const from = await cacheFor(one);
      const over = wire === noNetwork ? wire : faultyTransport(wire, faults);
      const answer = await said(() => loadTrust(from, { transport: over }));
      if (faults.fired === 0) assert.equal(codeOf(answer), expected, whereOf(name, faults));
      else assertHonest(answer, expected, whereOf(name, faults));
    }, mirrorKinds);
    if (wire !== noNetwork && expected !== 'WB-608') assert.ok(runs >= mirrorKinds.length, `${runs} faults`);
  });

  test(`${name}: a disk that fails at any call changes nothing for the better`, async () => {
    const ask = async (faults: Faults): Promise<void> => {
      const from = await cacheFor(one);
      const work = () => loadTrust(from, { transport: wire });
      const answer = await said(() => withFaultyDisk(from.cacheDir, faults, work));
      const where = whereOf(name, faults);
      // A cache that is gone remembers nothing; what was signed by keys of before cannot be told from a changed bit.
      const forgets = faults.plan?.kind === 'missing' || faults.plan?.kind === 'flipped';
      if (answer === one.forgotten && forgets) return;
      if (faults.fired === 0) assert.equal(codeOf(answer), expected, where);
      else assertHonest(answer, expected, where);
      // The disk is well again: what was left behind is in nobody's way.
      if (faults.fired > 0 && faults.plan?.kind === 'throw') {
        assert.equal(codeOf(await said(work)), expected, `${where}, afterwards`);
      }
    };
    const once = await atEveryCall(ask, ['throw', 'missing'], [false]);
    const lasting = await atEveryCall(ask, diskFaultKinds.slice(1), [true]);
    if (expected !== 'WB-608') assert.ok(once + lasting >= diskFaultKinds.length, `${once + lasting} faults`);
  });
}

test('a cached target with other bytes is never used, whatever else fails', async () => {
  const one: Case = { name: '', source: source(poisoned, 'x'), transport: recorded(), expected: '1' };
  const kept = join(base, 'kept-poisoned', mirrorFolder(poisoned.url), 'targets');
  for (const file of await readdir(kept)) await writeFile(join(kept, file), rootText(666));
  await atEveryCall(async (faults) => {
    const from = await cacheFor({ ...one, cache: 'kept-poisoned' });
    const answer = await said(() => loadTrust(from, { transport: faultyTransport(one.transport, faults) }));
    assertHonest(answer, '1', whereOf('poisoned', faults));
  });
});

const trustedRoot = join(base, 'faults', 'trusted_root.json');
const signingConfig = join(base, 'faults', 'signing_config.json');
const config = join(base, 'faults', 'config.json');
const notOne = join(base, 'faults', 'other.json');

test('files that are pinned: a disk that fails at any call gives a reason, or the very root', async () => {
  await mkdir(join(base, 'faults'));
  await writeFile(trustedRoot, rootText());
  await writeFile(signingConfig, configText);
  await writeFile(config, clientTrustConfigBytes(utf8(rootText()), utf8(configText)));
  await writeFile(notOne, '{"mediaType":"text/plain"}');
  const kinds: readonly [TrustSource, string][] = [
    [{ kind: 'file', trustedRoot, signingConfig }, '1'],
    [{ kind: 'file', trustedRoot: notOne }, 'WB-604'],
    [{ kind: 'file', trustedRoot, signingConfig: notOne }, 'WB-604'],
    [{ kind: 'config', path: config }, '1'],
    [{ kind: 'config', path: notOne }, 'WB-604'],
  ];
  for (const [from, expected] of kinds) {
    const runs = await atEveryCall(async (faults) => {
      const work = () => loadTrust(from, { transport: noNetwork });
      const answer = await said(() => withFaultyDisk(join(base, 'faults'), faults, work));
      const where = whereOf(JSON.stringify(from), faults);
      // Nothing vouches for a pinned file but the file: one bit of it may change a note.
      if (faults.plan?.kind === 'flipped' && typeof answer === 'string') return;
      if (faults.fired === 0) assert.equal(codeOf(answer), expected, where);
      else assertHonest(answer, expected, where);
    }, diskFaultKinds);
    assert.ok(runs >= diskFaultKinds.length, `${runs} faults`);
  }
  assert.equal(await readFile(trustedRoot, 'utf8'), rootText());
});
