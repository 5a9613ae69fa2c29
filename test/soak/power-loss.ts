/**
 * Power loss (L6): every call by which a log process changes its disk is recorded, and for every moment of the
 * record the disks are built that the machine may find when it starts again. On each the log opens, is sound, and
 * has everything it had acknowledged by then.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Answer,
  type NamedEntry,
  NOW,
  ORIGIN,
  type RunOrder,
  type RunWord,
  TestLog,
} from './log-run.ts';
import { Disk, isShared, writeImage } from './power/disk.ts';
import { type DiskCall, readTrace, TRACED, UNREAD } from './power/trace.ts';
import { bundled, type Program } from './program.ts';
import { chance } from './random.ts';

/** With so many pieces under way or fewer every set of them is tried. */
export const EVERY_SET_OF = 5;

export interface PowerOptions {
  /** Records: each of one to three processes over one folder. */
  readonly count: number;
  readonly seed: number;
  /** With more pieces than that: none, all, and so many sets by chance. */
  readonly sets: number;
  told(text: string): void;
}

export interface PowerReport {
  readonly traces: number;
  readonly calls: number;
  readonly moments: number;
  /** Moments at which every possible disk was built. */
  readonly exhausted: number;
  readonly images: number;
  readonly acknowledged: number;
}

type Chance = () => number;

export async function powerLoss({ count, seed, sets, told }: PowerOptions): Promise<PowerReport> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-power-'));
  try {
    const program = await bundled('log-run', join(folder, 'program'));
    const total = { traces: 0, calls: 0, moments: 0, exhausted: 0, images: 0, acknowledged: 0 };
    for (let i = 0; i < count; i++) {
      const run = new Run(join(folder, `run-${i}`), program, chance(seed + i), sets);
      try {
        const one = await run.judged();
        for (const name of Object.keys(one) as (keyof typeof one)[]) total[name] += one[name];
      } catch (error) {
        throw new Error(`run of seed ${seed + i}`, { cause: error });
      }
      total.traces++;
      told(`${total.traces} traces: ${total.moments} moments, ${total.images} disks`);
    }
    return total;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class Run {
  readonly #folder: string;
  readonly #program: Program;
  readonly #random: Chance;
  readonly #sets: number;
  readonly #log = new TestLog();
  readonly #disk: Disk;
  readonly #said: { answers: Answer[]; shown: string[] } = { answers: [], shown: [] };
  readonly #seen = new Set<string>();
  #names = 0;
  readonly counts = { calls: 0, moments: 0, exhausted: 0, images: 0, acknowledged: 0 };

  constructor(folder: string, program: Program, random: Chance, sets: number) {
    this.#folder = folder;
    this.#sets = sets;
    this.#program = program;
    this.#random = random;
    mkdirSync(this.#live, { recursive: true });
    this.#disk = new Disk(this.#live);
    writeFileSync(join(folder, 'log.key'), this.#log.key.exportPem(), { mode: 0o600 });
  }

  get #live(): string {
    return join(this.#folder, 'live');
  }

  async judged(): Promise<Run['counts']> {
    const lives = 1 + this.#below(3);
    for (let life = 0; life < lives; life++) {
      const { calls, unfinished } = this.#record();
      for (const one of calls) await this.#take(one);
      // The call at which a process was ended may have been done: the disk itself says.
      if (!this.#isAsModelled()) for (const one of unfinished) await this.#take(one);
      assert.ok(this.#isAsModelled(), 'the model and the folder differ');
      this.#disk.processEnded();
    }
    this.counts.acknowledged = this.#said.answers.length;
    rmSync(this.#folder, { recursive: true, force: true });
    return this.counts;
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  /** One process: some batches, and one of three ends. */
  #record(): ReturnType<typeof readTrace> {
    const order: RunOrder = {
      directory: join(this.#live, 'data'),
      lockFile: join(this.#live, 'lock', 'lock.db'),
      keyFile: join(this.#folder, 'log.key'),
      ...{ origin: ORIGIN, now: NOW, groups: this.#groups(), gate: 'none' },
      close: this.#random() < 0.4,
      ...(this.#random() < 0.4 ? { end: { at: 1 + this.#below(30), within: this.#below(8) } } : {}),
    };
    const file = join(this.#folder, 'trace');
    const kill = this.#random() < 0.2 ? ['-e', `inject=${this.#killAt()}`] : [];
    const { args, env } = this.#program;
    const tracing = [
      '-f',
      '-xx',
      '-s',
      '4194304',
      '-o',
      file,
      '-e',
      `trace=${[...TRACED, ...UNREAD]}`,
      ...kill,
    ];
    const ran = spawnSync('strace', [...tracing, process.execPath, ...args, JSON.stringify(order)], {
      env: { ...env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 60_000,
    });
    const text = readFileSync(file, 'utf8');
    assert.ok(ran.status === 0 || /killed by SIGKILL/.test(text), String(ran.stderr));
    rmSync(file);
    return readTrace(text);
  }

  /** A call of the log's at which strace ends the process. */
  #killAt(): string {
    const [call, most] = [['rename', 4] as const, ['fsync', 12] as const, ['mkdir', 6] as const][
      this.#below(3)
    ] as readonly [string, number];
    return `${call}:signal=KILL:when=${1 + this.#below(most)}`;
  }

  #groups(): NamedEntry[][] {
    return Array.from({ length: 2 + this.#below(4) }, () => {
      const isLarge = this.#random() < 0.1;
      const size = isLarge ? 6 : 1 + this.#below(this.#random() < 0.4 ? 250 : 4);
      return Array.from({ length: size }, () => {
        const bytes = isLarge ? 60_000 : 20 + this.#below(200);
        return { name: `${this.#names++}`, bytes };
      });
    });
  }

  async #take(one: DiskCall): Promise<void> {
    if (one.call === 'write' && one.fd === 1) return this.#hear(one.bytes);
    if (!this.#disk.apply(one)) return;
    this.counts.calls++;
    if (one.call === 'close') return;
    this.counts.moments++;
    const pending = this.#disk.pending.map(({ id }) => id);
    if (pending.length <= EVERY_SET_OF) this.counts.exhausted++;
    for (const kept of setsOf(pending, this.#sets, this.#random)) await this.#judge(new Set(kept));
  }

  #hear(bytes: Uint8Array): void {
    for (const line of Buffer.from(bytes).toString().split('\n')) {
      if (line === '') continue;
      const word = JSON.parse(line) as RunWord;
      assert.equal(word.refused, undefined, 'nothing fails in a recorded run');
      if (word.acked !== undefined) this.#said.answers.push(word.acked);
      if (word.opened !== undefined) this.#said.shown.push(word.opened);
    }
  }

  async #judge(kept: ReadonlySet<number>): Promise<void> {
    const { answers, shown } = this.#said;
    const signature = `${answers.length} ${shown.length} ${this.#disk.signature(kept)}`;
    if (this.#seen.has(signature)) return;
    this.#seen.add(signature);
    this.counts.images++;
    const image = this.#disk.image(kept);
    const folder = join(this.#folder, 'image');
    writeImage(image, folder);
    try {
      const paths = { directory: join(folder, 'data'), lockFile: join(folder, 'lock', 'lock.db') };
      await this.#log.judge(paths, answers, shown);
    } catch (error) {
      const files = [...image].map(([path, what]) => `${path} ${what === 'folder' ? '/' : what.length}`);
      const missing = this.#disk.pending.length - kept.size;
      throw new Error(`a disk without ${missing} pieces: ${files.join(', ')}`, { cause: error });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** With everything on disk the model is the folder, byte by byte. */
  #isAsModelled(): boolean {
    const all = new Set(this.#disk.pending.map(({ id }) => id));
    const image = this.#disk.image(all);
    const real = readdirSync(this.#live, { recursive: true, encoding: 'utf8' }).filter(
      (path) => !isShared(path),
    );
    if (real.length !== image.size) return false;
    return real.every((path) => {
      const what = image.get(path);
      const file = join(this.#live, path);
      if (statSync(file).isDirectory()) return what === 'folder';
      return what !== undefined && what !== 'folder' && what.equals(readFileSync(file));
    });
  }
}

/** Sets of pieces that arrived: all of them where they are few. */
function* setsOf(pending: readonly number[], some: number, random: Chance): Generator<readonly number[]> {
  if (pending.length <= EVERY_SET_OF) {
    for (let bits = 0; bits < 2 ** pending.length; bits++) {
      yield pending.filter((_, i) => (bits >> i) % 2 === 1);
    }
    return;
  }
  yield [];
  yield pending;
  for (let i = 0; i < some; i++) {
    // Nearly all, nearly none, half: faults hide at both ends.
    const share = [0.9, 0.1, 0.5][Math.floor(random() * 3)] as number;
    yield pending.filter(() => random() < share);
  }
}
