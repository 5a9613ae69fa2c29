/**
 * A stack as somebody meets it: from an empty folder to the first keyless signature that verifies, its memory while
 * several clients sign through every station, and every key rotated meanwhile.
 *
 * What gates: no signature fails or is refused, 350 MiB, and the start against a process that only loads the same
 * modules, makes keys of the same kinds and listens as often. Times are printed beside their targets.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Digest } from '#base/brand';
import { requestRotation, requestTufRotation, rotatable } from '#stack';
import { putImage, repositoryAt } from '../test/oci/helpers.ts';
import { type Program, ratioOf, run } from './lib/processes.ts';
import { median, report } from './lib/report.ts';
import { EMAIL, type Made, type Place, refusedOf, signOnce } from './lib/signing-load.ts';
import { type Running, startWaybill } from './lib/waybill-process.ts';

const ROUNDS = 5;
const CLIENTS = 6;
const SIGNATURES = 240;
const OVERLAP_MS = 2000;
const MEMORY_MIB_MAX = 350;
const READY_MS = 2000;
const FIRST_MS = 5000;
/** The share of the start that the floor takes. */
const FLOOR_SHARE_MIN = 0.3;

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-stack-'));
const say = (text: string): void => console.log(text);
// Compiled code is kept for all processes of the bench, as it is for whoever starts a stack a second time.
const NODE_COMPILE_CACHE = join(folder, 'compiled');
const env = { PATH: process.env['PATH'] ?? '', HOME: folder, NODE_COMPILE_CACHE };
const node = (...args: string[]): Program => ({
  ...{ command: process.execPath, cwd: process.cwd(), env },
  args: ['--disable-warning=ExperimentalWarning', ...args],
});
const waybill = (...args: string[]): Program => ({
  ...{ command: resolve('bin/waybill'), cwd: folder, env },
  args,
});

const up = (name: string): Promise<Running<Place>> =>
  startWaybill<Place>(['stack', 'up', '--data', join(folder, name), '--port-base', '0'], env);

interface First {
  readonly readyMs: number;
  /** To the verdict over a signature, from the start in an empty folder. */
  readonly signedMs: number;
  readonly againMs: number;
}

/** As a person does it: one command after the other. */
async function fromNothing(name: string): Promise<First> {
  const start = performance.now();
  const stack = await up(name);
  const { dataDir, origins } = stack.said;
  writeFileSync(join(folder, 'artifact'), name);
  const token = (await run(waybill('stack', 'token', '--email', EMAIL, '--stack', dataDir))).stdout.trim();
  const place = ['--stack', dataDir, '--bundle', `${name}.bundle`];
  await run(waybill('sign-blob', 'artifact', ...place, '--identity-token', token));
  const identity = ['--certificate-identity', EMAIL, '--certificate-oidc-issuer', origins.oidc];
  await run(waybill('verify-blob', 'artifact', ...place, ...identity));
  const signedMs = performance.now() - start;
  await stack.stop();
  const again = await up(name);
  await again.stop();
  return { readyMs: stack.readyMs, signedMs, againMs: again.readyMs };
}

async function starts(): Promise<number> {
  const floor: number[] = [];
  const found: First[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const { ms } = await run(node('bench/lib/stack-floor.ts'));
    const first = await fromNothing(`first-${round + 1}`);
    if (round < 0) continue;
    floor.push(ms);
    found.push(first);
  }
  const ready = found.map(({ readyMs }) => readyMs);
  const shown = (list: readonly number[]): string => `${median(list).toFixed(0)} ms`;
  say(`ready from an empty folder: ${shown(ready)} (target ${READY_MS}), floor ${shown(floor)}`);
  say(`ready again: ${shown(found.map(({ againMs }) => againMs))} (target ${READY_MS})`);
  say(
    `first verified keyless signature: ${shown(found.map(({ signedMs }) => signedMs))} (target ${FIRST_MS})`,
  );
  return ratioOf(floor, ready);
}

interface Signing {
  readonly made: readonly Made[];
  /** In words. */
  readonly failures: readonly string[];
  readonly seconds: number;
}

/** `clients` at a time sign images of their own, until `isOver` says so. */
async function sign(
  place: Place,
  name: string,
  clients: number,
  isOver: (made: number) => boolean,
): Promise<Signing> {
  const made: Made[] = [];
  const failures: string[] = [];
  const start = performance.now();
  let begun = 0;
  const client = async (number: number): Promise<void> => {
    const repository = `${name}-${number}`;
    const cache = join(folder, 'caches', repository);
    while (!isOver(begun)) {
      const turn = begun++;
      const image = await freshImage(place, repository, turn);
      try {
        made.push(await signOnce(place, image, turn, cache));
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  return { made, failures, seconds: (performance.now() - start) / 1000 };
}

async function freshImage(
  { registry }: Place,
  repository: string,
  turn: number,
): Promise<{ readonly reference: string; readonly digest: Digest }> {
  const { digest } = await putImage(repositoryAt(registry, repository), `${repository} ${turn}`);
  return { reference: `${registry}/${repository}@${digest}`, digest };
}

/** Every key once, each published before it is used. */
async function rotateAll({ dataDir }: Place): Promise<number> {
  for (const station of rotatable) {
    await requestRotation(dataDir, { station, overlapMs: OVERLAP_MS });
    // Published, used, and for logs the old one frozen: three overlaps and a look of the stack.
    await sleep(3 * OVERLAP_MS);
  }
  for (const which of ['online', 'root'] as const) {
    await requestTufRotation(dataDir, which);
    await sleep(OVERLAP_MS / 2);
  }
  return rotatable.length + 2;
}

interface UnderLoad {
  readonly failed: number;
  readonly peakMiB: number;
}

async function underLoad(): Promise<UnderLoad> {
  const stack = await up('load');
  try {
    const place = stack.said;
    const busy = await sign(place, 'busy', CLIENTS, (begun) => begun >= SIGNATURES);
    const rate = (busy.made.length / busy.seconds).toFixed(0);
    say(`${CLIENTS} clients: ${busy.made.length} images signed through every station, ${rate}/s`);
    let isOver = false;
    const running = sign(place, 'rotating', 2, () => isOver);
    const keys = await rotateAll(place);
    isOver = true;
    const meanwhile = await running;
    const made = [...busy.made, ...meanwhile.made];
    const refused = await refusedOf(place, made, join(folder, 'caches', 'judge'));
    const failures = [...busy.failures, ...meanwhile.failures];
    say(
      `${keys} keys rotated: ${meanwhile.made.length} signatures meanwhile, ${failures.length} failed, ` +
        `${refused} of all ${made.length} refused at the end`,
    );
    for (const why of failures.slice(0, 5)) say(`  ${why}`);
    const peakMiB = stack.peakMiB();
    say(`peak memory of the stack: ${peakMiB.toFixed(0)} MiB (at most ${MEMORY_MIB_MAX})`);
    return { failed: failures.length + refused, peakMiB };
  } finally {
    await stack.stop();
  }
}

try {
  const floorShare = await starts();
  const { failed, peakMiB } = await underLoad();
  const ratios = {
    'floor, of ready from an empty folder': Number(floorShare.toFixed(3)),
    'signatures failed or refused': failed,
    'peak memory, MiB': Math.round(peakMiB),
  };
  for (const [name, value] of Object.entries(ratios)) say(`${name}: ${value}`);
  report('stack', ratios, floorShare >= FLOOR_SHARE_MIN && failed === 0 && peakMiB <= MEMORY_MIB_MAX);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
