/**
 * No fork (P2, L4): two real processes over one data directory. One is stopped in the middle of its work, a second
 * takes the log over, and the first goes on as if nothing had been. Then a copy of the data from before is put back.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { equalBytes } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock } from '#platform/system';
import { checkpointSigner, type LogWriter, openLog } from '#tlog';
import type { Acked, LifeOrder, LifeWord } from './life.ts';
import { bundled, type Program } from './program.ts';
import { chance } from './random.ts';

const ORIGIN = 'log.example';
const WRITERS = 4;
/** How long each process works at most before the next thing happens to it, in milliseconds. */
const WORK_MS_MAX = 60;
const ACKED_MIN = 4;

export interface WritersReport {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly checkpoints: number;
  /** Processes that ended themselves when they found the lock moved, or never could move it. */
  readonly gaveWay: number;
  /** Copies of older data that were refused with the lock of now. */
  readonly refusedCopies: number;
}

export async function writers(options: { count: number; seed: number }): Promise<WritersReport> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-writers-'));
  try {
    const program = await bundled('log-writers', join(folder, 'program'));
    const drill = new Rivals(folder, program, chance(options.seed));
    for (let round = 1; round <= options.count; round++) await drill.round();
    return drill.report();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Rival {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  readonly acked: Acked[];
  readonly shown: string[];
}

class Rivals {
  readonly #folder: string;
  readonly #program: Program;
  readonly #random: () => number;
  readonly #key = generateKey('ed25519');
  readonly #signer = checkpointSigner({ origin: ORIGIN, signer: this.#key });
  readonly #keyFile: string;
  readonly #entries = new Map<number, string>();
  readonly #roots = new Map<number, Uint8Array>();
  #lives = 0;
  #rounds = 0;
  #gaveWay = 0;
  #refusedCopies = 0;

  constructor(folder: string, program: Program, random: () => number) {
    this.#folder = folder;
    this.#program = program;
    this.#random = random;
    this.#keyFile = join(folder, 'log.key');
    mkdirSync(folder, { recursive: true });
    writeFileSync(this.#keyFile, this.#key.exportPem(), { mode: 0o600 });
  }

  report(): WritersReport {
    const [rounds, gaveWay, refusedCopies] = [this.#rounds, this.#gaveWay, this.#refusedCopies];
    return {
      rounds,
      acknowledged: this.#entries.size,
      checkpoints: this.#roots.size,
      gaveWay,
      refusedCopies,
    };
  }

  async round(): Promise<void> {
    const first = this.#start();
    await this.#works(first);
    first.child.kill('SIGSTOP');
    const copy = join(this.#folder, 'copy');
    cpSync(this.#paths.directory, copy, { recursive: true });
    const second = this.#start();
    try {
      await this.#works(second);
      first.child.kill('SIGCONT');
      await this.#works(second);
      // Both had their turn: whoever found the lock moved has ended by itself.
      for (const rival of [first, second]) if (rival.child.exitCode !== null) this.#gaveWay++;
    } finally {
      for (const { child } of [first, second]) child.kill('SIGKILL');
      await Promise.all([first.ended, second.ended]);
    }
    for (const rival of [first, second]) this.#note(rival);
    await this.#prove();
    await this.#putBack(copy);
    rmSync(copy, { recursive: true });
    this.#rounds++;
  }

  get #paths() {
    return { directory: join(this.#folder, 'data'), lockFile: join(this.#folder, 'lock', 'lock.db') };
  }

  #start(): Rival {
    const order: LifeOrder = {
      ...this.#paths,
      ...{ keyFile: this.#keyFile, origin: ORIGIN, life: ++this.#lives, writers: WRITERS },
      ...{ seen: Number.MAX_SAFE_INTEGER, again: [], chain: [], isLast: false },
    };
    const { args, env } = this.#program;
    const child = spawn(process.execPath, [...args, JSON.stringify(order)], {
      // A writer that lost its log ends with an error, which is what it should do.
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...env },
    });
    const rival = { child, acked: [] as Acked[], shown: [] as string[] };
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.endsWith('}')) return;
      const { acked, ready } = JSON.parse(line) as LifeWord;
      if (acked !== undefined) rival.acked.push(acked);
      if (ready !== undefined) rival.shown.push(ready);
    });
    return { ...rival, ended: new Promise((resolve) => child.once('close', () => resolve())) };
  }

  /** Until it has answered some more, or ended; and some time by chance. */
  async #works({ child, acked }: Rival): Promise<void> {
    const until = acked.length + ACKED_MIN;
    while (acked.length < until && child.exitCode === null && child.signalCode === null) await sleep(2);
    await sleep(this.#random() * WORK_MS_MAX);
  }

  /** An index has one entry and a size one root, whoever of the two said so. */
  #note({ acked, shown }: Rival): void {
    for (const { index, name, checkpoint } of acked) {
      assert.equal(this.#entries.get(index) ?? name, name, `index ${index} was given twice: a fork`);
      this.#entries.set(index, name);
      this.#head(checkpoint);
    }
    for (const checkpoint of shown) this.#head(checkpoint);
  }

  #head(checkpoint: string): void {
    const { size, root } = unwrap(this.#signer.open(checkpoint));
    assert.ok(equalBytes(this.#roots.get(size) ?? root, root), `two trees of size ${size}: a fork`);
    this.#roots.set(size, root);
  }

  #open(paths: { readonly directory: string; readonly lockFile: string }): Promise<LogWriter> {
    const store = embeddedLogStore(paths);
    return openLog({ store, signer: this.#signer, clock: systemClock }).catch(async (error: unknown) => {
      await store.close();
      throw error;
    });
  }

  async #prove(): Promise<void> {
    const log = await this.#open(this.#paths);
    try {
      assert.deepEqual((await log.check()).problems, []);
      for (const [index, name] of this.#entries) {
        assert.equal(Buffer.from((await log.record(index)).entry).toString(), name, `entry ${index} is lost`);
      }
      for (const [size, root] of this.#roots) assert.ok(equalBytes(await log.rootAt(size), root), 'a fork');
    } finally {
      await log.close();
    }
  }

  /** The lock is apart from the data: an older copy cannot sign. */
  async #putBack(copy: string): Promise<void> {
    const paths = { directory: copy, lockFile: this.#paths.lockFile };
    const isRefusal = (error: unknown): boolean =>
      error instanceof WaybillError && error.reason.code === 'WB-409';
    await assert.rejects(async () => this.#open(paths), isRefusal, 'older data with the lock of now');
    this.#refusedCopies++;
  }
}
