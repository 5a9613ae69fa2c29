/**
 * The sweep of system calls (L2): strace makes each writing call of a log process fail, or ends the process there,
 * one call at a time. Calls are counted by thread: all but the synchronisation of files is done on the first one, that
 * on the one worker.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { FixedClock } from '#base/clock';
import { embeddedLogStore } from '#platform/store-embedded';
import { openLog } from '#tlog';
import { entryOf, type NamedEntry, NOW, ORIGIN, type RunOrder, type RunWord, TestLog } from './log-run.ts';
import { bundled, type Program } from './program.ts';

const CALLS = [
  ...['openat', 'write', 'pwrite64', 'fsync', 'fdatasync', 'ftruncate', 'close'],
  ...['rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink', 'unlinkat', 'mkdir', 'mkdirat'],
];

/** What strace does at a call. A short write writes nothing and says so. */
export const FAULTS = {
  EIO: 'error=EIO',
  ENOSPC: 'error=ENOSPC',
  EINTR: 'error=EINTR',
  short: 'retval=0',
  KILL: 'signal=KILL',
} as const;
export type Fault = keyof typeof FAULTS;

/** A run that neither ends nor is ended. */
const RUN_MS_MAX = 20_000;

export interface SweepOptions {
  readonly faults: readonly Fault[];
  readonly calls?: readonly string[];
  readonly lanes: number;
  told(text: string): void;
}

export interface SweepReport {
  /** Calls that were made to fail, by name of the call and fault. */
  readonly injected: ReadonlyMap<string, number>;
  readonly runs: number;
  /** Processes that ended with their log open and everything acknowledged all the same. */
  readonly untouched: number;
  /** Runs whose call did not come: the run took another course. */
  readonly missed: number;
  /** Processes that neither ended in order nor were ended. */
  readonly aborted: number;
  readonly acknowledged: number;
  /** How refusals were told, by code. */
  readonly refusals: ReadonlyMap<string, number>;
}

/** True when this machine can trace a process. */
export function canTrace(): boolean {
  return spawnSync('strace', ['-o', '/dev/null', '-e', 'inject=fsync:error=EIO:when=9', 'true']).status === 0;
}

/** The counts of a sweep in words. */
export function tell(report: SweepReport, say: (text: string) => void): void {
  const byCall = Map.groupBy(report.injected, ([name]) => name.split(' ')[0] as string);
  for (const [call, faults] of byCall) {
    say(`${call.padEnd(10)} ${faults.map(([name, count]) => `${name.split(' ')[1]} ${count}`).join(', ')}`);
  }
  const { runs, untouched, missed, aborted, acknowledged, refusals } = report;
  say(
    `${runs} runs: ${acknowledged} entries acknowledged, none lost; ${untouched} went on as if nothing had been`,
  );
  say(`refusals: ${[...refusals].map(([code, count]) => `${code} ${count}`).join(', ')}`);
  say(`${missed} runs did not come to their call; ${aborted} processes were aborted`);
}

interface Point {
  readonly scene: Scene;
  readonly thread: Thread;
  readonly call: string;
  readonly nth: number;
  readonly fault: Fault;
}

const THREADS = ['main', 'worker'] as const;
type Thread = (typeof THREADS)[number];
/** As libuv names the thread of its pool. */
const WORKER_NAME = 'libuv-worker';
type Threads = Readonly<Record<Thread, number>>;

/** A folder to begin with, and what a process does in it from the gate on. */
interface Scene {
  readonly name: string;
  readonly template: string;
  readonly gate: 'open' | 'append';
  /** Of the log in the template. */
  readonly shown: readonly string[];
}

const named = (name: string, bytes: number): NamedEntry => ({ name, bytes });
/** Four entries that fill a tile, then one more batch. */
const GROUPS = [[named('a', 40), named('b', 70), named('c', 9000), named('d', 40)], [named('e', 40)]];
const BEFORE = 254;

export async function sweep(options: SweepOptions): Promise<SweepReport> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-syscalls-'));
  try {
    return await new Sweep(folder, await bundled('log-run', join(folder, 'program')), options).run();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class Sweep {
  readonly #folder: string;
  readonly #program: Program;
  readonly #options: SweepOptions;
  readonly #log = new TestLog();
  readonly #keyFile: string;
  readonly #injected = new Map<string, number>();
  readonly #refusals = new Map<string, number>();
  #counts = { runs: 0, untouched: 0, missed: 0, aborted: 0, acknowledged: 0 };

  constructor(folder: string, program: Program, options: SweepOptions) {
    this.#folder = folder;
    this.#program = program;
    this.#options = options;
    this.#keyFile = join(folder, 'log.key');
    writeFileSync(this.#keyFile, this.#log.key.exportPem(), { mode: 0o600 });
  }

  async run(): Promise<SweepReport> {
    const points: Point[] = [];
    for (const scene of [await this.#appending(), await this.#recovering()]) {
      const counted = await this.#count(scene);
      this.#options.told(`${scene.name}: ${counted.length} calls`);
      for (const call of counted) {
        const faults = this.#options.faults.filter((fault) => fault !== 'short' || /write/.test(call.call));
        points.push(...faults.map((fault) => ({ ...call, scene, fault })));
      }
    }
    const left = points.values();
    const lane = async (): Promise<void> => {
      for (const point of left) await this.#inject(point);
    };
    await Promise.all(Array.from({ length: this.#options.lanes }, lane));
    return { injected: this.#injected, refusals: this.#refusals, ...this.#counts };
  }

  /** A log two entries short of a tile, opened before the gate. */
  async #appending(): Promise<Scene> {
    const template = join(this.#folder, 'appending');
    const shown = await this.#filled(template, false);
    return { name: 'an append that fills a tile, one more, and the end', template, gate: 'append', shown };
  }

  /** A log that was ended between the lock and the tiles: opening it finishes the batch. */
  async #recovering(): Promise<Scene> {
    const template = join(this.#folder, 'recovering');
    const shown = await this.#filled(template, true);
    return { name: 'a recovery, an append, one more, and the end', template, gate: 'open', shown };
  }

  async #filled(template: string, stops: boolean): Promise<readonly string[]> {
    mkdirSync(template, { recursive: true });
    const store = embeddedLogStore(pathsIn(template));
    let isStopped = false;
    const stopping = {
      ...store,
      writeTile: (path: string, bytes: Uint8Array) =>
        isStopped ? Promise.reject(new Error('ended here')) : store.writeTile(path, bytes),
    };
    const { signer } = this.#log;
    const log = await openLog({ store: stopping, signer, clock: new FixedClock(NOW), create: true });
    for (let i = 0; i < BEFORE; i++) void log.append(entryOf(`${i}`, 30));
    await log.append(entryOf('last', 30));
    const shown = [log.tree.checkpoint];
    isStopped = stops;
    const more = ['x', 'y', 'z'].slice(0, stops ? 3 : 0).map((name) => log.append(entryOf(name, 30)));
    const settled = await Promise.allSettled(more);
    assert.ok(settled.every(({ status }) => status === 'rejected'));
    // The files as they stand: closing would tidy them up.
    cpSync(template, `${template}.stands`, { recursive: true });
    await log.close();
    rmSync(template, { recursive: true });
    cpSync(`${template}.stands`, template, { recursive: true });
    return shown;
  }

  async #count(scene: Scene): Promise<Pick<Point, 'thread' | 'call' | 'nth'>[]> {
    const points: Pick<Point, 'thread' | 'call' | 'nth'>[] = [];
    const calls = this.#options.calls ?? CALLS;
    for (const thread of THREADS) {
      const { trace, words } = await this.#trace(scene, thread, `count-${scene.gate}-${thread}`, [
        ...['-e', `trace=${CALLS.map((call) => `?${call}`).join(',')}`],
      ]);
      assert.ok(
        words.some((word) => word.ended),
        'a run without a fault ends by itself',
      );
      const seen = new Map<string, number>();
      for (const [, call = ''] of trace.matchAll(/^(?:\d+ +)?(\w+)\(/gm)) {
        const nth = (seen.get(call) ?? 0) + 1;
        seen.set(call, nth);
        if (calls.includes(call)) points.push({ thread, call, nth });
      }
    }
    return points;
  }

  async #inject(point: Point): Promise<void> {
    const { scene, thread, call, nth, fault } = point;
    const name = `${scene.gate}-${thread}-${call}-${nth}-${fault}`;
    const inject = `inject=${call}:${FAULTS[fault]}:when=${nth}`;
    const { trace, words, directory, isHung } = await this.#trace(scene, thread, name, [
      ...['-e', `trace=${call}`, '-e', inject],
    ]);
    const fired = fault === 'KILL' ? /killed by SIGKILL/.test(trace) : /\(INJECTED\)/.test(trace);
    const answers = words.flatMap(({ acked }) => (acked === undefined ? [] : [acked]));
    const shown = words.flatMap(({ opened }) => (opened === undefined ? [] : [opened]));
    const wanted = GROUPS.flat().length;
    try {
      assert.ok(!isHung, 'the process did not end by itself');
      await this.#log.judge(pathsIn(directory), answers, [...scene.shown, ...shown]);
    } catch (error) {
      throw new Error(`${scene.name}: ${thread}, ${fault} at ${call} number ${nth}`, { cause: error });
    }
    this.#counts.runs++;
    this.#counts.acknowledged += answers.length;
    const isOrderly = words.some((word) => word.ended);
    if (answers.length === wanted && isOrderly) this.#counts.untouched++;
    // Node itself aborts at some errors nobody expects: one more way to end, which is counted.
    if (!isOrderly && fault !== 'KILL') this.#counts.aborted++;
    if (!fired) {
      this.#counts.missed++;
      this.#options.told(`not reached: ${scene.gate}, ${thread}, ${fault} at ${call} number ${nth}`);
    }
    if (fired) add(this.#injected, `${call} ${fault}`);
    for (const { refused } of words) if (refused !== undefined) add(this.#refusals, refused.code);
    if (this.#counts.runs % 200 === 0) this.#options.told(`${this.#counts.runs} runs`);
    rmSync(directory, { recursive: true, force: true });
  }

  /** One process from its gate to its end, with a tracer on one of its threads. */
  async #trace(
    scene: Scene,
    thread: Thread,
    name: string,
    filter: readonly string[],
  ): Promise<{ trace: string; words: readonly RunWord[]; directory: string; isHung: boolean }> {
    const directory = join(this.#folder, name);
    cpSync(scene.template, directory, { recursive: true });
    const child = this.#start(directory, scene.gate);
    let isHung = false;
    const silence = setTimeout(() => {
      isHung = true;
      child.kill('SIGKILL');
    }, RUN_MS_MAX);
    try {
      const words: RunWord[] = [];
      const atGate = Promise.withResolvers<void>();
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        if (!line.endsWith('}')) return;
        const word = JSON.parse(line) as RunWord;
        words.push(word);
        if (word.gate === true) atGate.resolve();
      });
      const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
      await Promise.race([atGate.promise, ended]);
      assert.ok(words.at(-1)?.gate === true, 'the process did not come to its gate');
      const file = `${directory}.trace`;
      const tracer = await attach(threadsOf(child)[thread], file, filter);
      child.stdin?.write('\n');
      await Promise.all([ended, tracer.ended]);
      const trace = readFileSync(file, 'utf8');
      rmSync(file);
      return { trace, words, directory, isHung };
    } finally {
      clearTimeout(silence);
      child.kill('SIGKILL');
    }
  }

  #start(directory: string, gate: Scene['gate']): ChildProcess {
    const order: RunOrder = {
      ...pathsIn(directory),
      ...{ keyFile: this.#keyFile, origin: ORIGIN, now: NOW, groups: GROUPS, gate, close: true },
    };
    const { args, env } = this.#program;
    return spawn(process.execPath, [...args, JSON.stringify(order)], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' },
    });
  }
}

const pathsIn = (folder: string) => ({
  directory: join(folder, 'data'),
  lockFile: join(folder, 'lock', 'lock.db'),
});

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function threadsOf(child: ChildProcess): Threads {
  const tasks = `/proc/${child.pid}/task`;
  // A thread has the name of the one that made it until it names itself.
  const workers = readdirSync(tasks).filter(
    (task) => readFileSync(join(tasks, task, 'comm'), 'utf8').trim() === WORKER_NAME,
  );
  assert.equal(workers.length, 1, 'one worker');
  return { main: Number(child.pid), worker: Number(workers[0]) };
}

async function attach(
  thread: number,
  file: string,
  filter: readonly string[],
): Promise<{ ended: Promise<void> }> {
  const tracer = spawn('strace', ['-p', String(thread), '-o', file, ...filter], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => tracer.once('close', () => resolve()));
  const attached = new Promise<void>((resolve) => {
    createInterface({ input: tracer.stderr }).on('line', (line) => {
      if (line.includes('attached')) resolve();
    });
  });
  const isOn = await Promise.race([attached.then(() => true), ended.then(() => false)]);
  assert.ok(isOn, 'strace could not be put on the process');
  return { ended };
}
