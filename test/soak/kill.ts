/**
 * The kill loop (L1): a process with an embedded log and eight writers is ended with SIGKILL at a random moment, of
 * its recovery or of its work, again and again. A ledger outside holds everything it acknowledged against what the
 * next life shows.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKey } from '#base/crypto';
import { embeddedLogStore } from '#platform/store-embedded';
import { checkpointVerifier, fsckStored } from '#tlog';
import { Ledger } from './ledger.ts';
import type { LifeOrder, LifeWord } from './life.ts';
import { bundled, type Program } from './program.ts';
import { chance } from './random.ts';

const ORIGIN = 'log.example';
const WRITERS = 8;
/** The longest life after the log is open, and after its process began to open it, in milliseconds. */
const WORK_MS_MAX = 50;
const OPENING_MS_MAX = 25;
/** The share of kills that are aimed at the recovery. */
const OPENING_SHARE = 1 / 3;
/** Older entries, and older checkpoints, the log proves anew in every life. */
const AGAIN = 4;
/** A process that neither speaks nor ends is a finding. */
const SILENCE_MS_MAX = 300_000;

export interface KillReport {
  readonly kills: number;
  /** Kills that hit the process before the log was open. */
  readonly whileOpening: number;
  readonly acknowledged: number;
  /** Entries that are in the log though their answer did not arrive. */
  readonly unanswered: number;
  readonly checkpoints: number;
  /** Proofs of old entries, and of consistency with old checkpoints, that the log gave on demand. */
  readonly proofs: number;
  /** Unfinished files that ended writers left behind. */
  readonly leftovers: number;
}

export interface KillOptions {
  readonly count: number;
  readonly seed: number;
  /** Logs that live and die side by side. */
  readonly lanes: number;
  /** No life that is ended in its work ends before it has acknowledged something, however busy the machine is. */
  readonly afterAnswer?: boolean;
  told(text: string): void;
}

/** Throws on the first thing that is wrong. */
export async function killLoop(options: KillOptions): Promise<KillReport> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-kill-'));
  try {
    const program = await bundled('log-writers', join(folder, 'program'));
    const progress = { kills: 0 };
    const lanes = Array.from({ length: options.lanes }, (_, lane) => {
      const random = chance(options.seed + lane * 7919);
      return new Lane(join(folder, `lane-${lane}`), program, random, options.afterAnswer === true);
    });
    await Promise.all(lanes.map((lane) => lane.run(options, progress)));
    return lanes.map((lane) => lane.report()).reduce(added);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function added(one: KillReport, other: KillReport): KillReport {
  const names = Object.keys(one) as (keyof KillReport)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as unknown as KillReport;
}

/** One log, and everything known of it. */
class Lane {
  readonly #directory: string;
  readonly #keyFile: string;
  readonly #lockFile: string;
  readonly #program: Program;
  readonly #random: () => number;
  readonly #afterAnswer: boolean;
  readonly #verifier;
  readonly #ledger: Ledger;
  #kills = 0;
  #whileOpening = 0;
  #life = 0;

  constructor(folder: string, program: Program, random: () => number, afterAnswer: boolean) {
    mkdirSync(folder, { recursive: true });
    const key = generateKey('ed25519');
    this.#directory = join(folder, 'data');
    // Apart from the data, as in a stack.
    this.#lockFile = join(folder, 'lock', 'lock.db');
    this.#keyFile = join(folder, 'log.key');
    writeFileSync(this.#keyFile, key.exportPem(), { mode: 0o600 });
    this.#program = program;
    this.#random = random;
    this.#afterAnswer = afterAnswer;
    this.#verifier = checkpointVerifier({ origin: ORIGIN, publicKey: key.publicKey });
    this.#ledger = new Ledger(this.#verifier);
  }

  async run({ count, told }: KillOptions, progress: { kills: number }): Promise<void> {
    while (progress.kills < count) {
      progress.kills++;
      await this.#live(false);
      if (progress.kills % 500 === 0) told(`${progress.kills} kills`);
    }
    await this.#live(true);
    assert.ok(this.#ledger.isSettled, 'something that was acknowledged or signed was never shown');
    await this.#fsck();
  }

  report(): KillReport {
    const { acknowledged, unanswered, checkpoints, chained, again } = this.#ledger;
    const files = readdirSync(this.#directory, { recursive: true, encoding: 'utf8' });
    const leftovers = files.filter((name) => name.endsWith('.tmp')).length;
    const [kills, whileOpening, proofs] = [this.#kills, this.#whileOpening, chained + again];
    return { kills, whileOpening, acknowledged, unanswered, checkpoints, proofs, leftovers };
  }

  /** One process. Its last life ends by itself when it has shown everything. */
  async #live(isLast: boolean): Promise<void> {
    const order = this.#order(isLast);
    this.#ledger.begin();
    const atOpening = this.#random() < OPENING_SHARE;
    const delay = this.#random() * (atOpening ? OPENING_MS_MAX : WORK_MS_MAX);
    const { args, env } = this.#program;
    const child = spawn(process.execPath, [...args, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...env },
    });
    const silence = setTimeout(() => child.kill('SIGKILL'), SILENCE_MS_MAX);
    const heard = { ready: false, shown: false, aimed: false };
    try {
      await hear(child, (word) => {
        this.#ledger.hear(word);
        heard.ready ||= word.ready !== undefined;
        heard.shown ||= word.shown === true;
        const isWorking = this.#afterAnswer ? word.acked !== undefined : word.ready !== undefined;
        const isTime = atOpening ? word.opening === true : isWorking;
        if (isLast || heard.aimed || !isTime) return;
        heard.aimed = true;
        setTimeout(() => child.kill('SIGKILL'), delay);
      });
    } finally {
      clearTimeout(silence);
      child.kill('SIGKILL');
    }
    if (isLast) assert.ok(heard.shown && child.exitCode === 0, 'the log did not open and show everything');
    else {
      assert.ok(heard.aimed && child.signalCode === 'SIGKILL', `the log did not open: ${child.exitCode}`);
      this.#kills++;
      if (!heard.ready) this.#whileOpening++;
    }
  }

  #order(isLast: boolean): LifeOrder {
    const { edge, heads } = this.#ledger;
    const below = (n: number): number => Math.floor(this.#random() * n);
    const some = edge.size === 0 ? [] : Array.from({ length: AGAIN }, () => below(edge.size));
    const chain = heads.length === 0 ? [] : Array.from({ length: AGAIN }, () => heads[below(heads.length)]);
    return {
      directory: this.#directory,
      lockFile: this.#lockFile,
      keyFile: this.#keyFile,
      origin: ORIGIN,
      life: ++this.#life,
      writers: WRITERS,
      seen: edge.size,
      again: some,
      chain: chain.flatMap((head) => (head === undefined ? [] : [head.size])),
      isLast,
    };
  }

  /** At the end everything is read once more, from the files. */
  async #fsck(): Promise<void> {
    const store = embeddedLogStore({ directory: this.#directory, lockFile: this.#lockFile });
    try {
      const report = await fsckStored({ store, verifier: this.#verifier });
      assert.deepEqual(report.problems, []);
      assert.equal(report.size, this.#ledger.edge.size);
    } finally {
      await store.close();
    }
  }
}

/** Every whole line of a process, until it has ended: a line that the kill cut was not said. */
async function hear(child: ChildProcess, take: (word: LifeWord) => void): Promise<void> {
  assert.ok(child.stdout !== null);
  const done = Promise.withResolvers<void>();
  let failure: unknown;
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    try {
      if (failure === undefined) for (const line of lines) take(JSON.parse(line) as LifeWord);
    } catch (error) {
      failure = error;
      child.kill('SIGKILL');
    }
  });
  child.once('close', () => done.resolve());
  child.once('error', done.reject);
  await done.promise;
  if (failure !== undefined) throw failure;
}
