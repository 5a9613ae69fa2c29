/**
 * Availability (P16) of one node: a log server of a million entries that is killed again and again and started again
 * by whoever watches it, a prober that reads each second, and clients that write at a steady rate.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toHex, utf8 } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { leafHash } from '#formats/merkle';
import { TILE_WIDTH, tilePath } from '#formats/tiles';
import { httpTransport } from '#platform/http-client';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock } from '#platform/system';
import { checkpointSigner, checkpointVerifier, httpTiles, lookAt, openLog } from '#tlog';
import { freePortBase } from '../free-ports.ts';
import { type Acknowledged, checkedAnswer, entryRequest } from './kill-server.ts';
import { bundled, type Program } from './program.ts';
import { chance } from './random.ts';

/** The name the server of `programs/log-server.ts` has. */
const ORIGIN = 'log.example';
const PROBE_MS = 1000;
/** Sigstore's prober tries as often before it calls a failure one; these are the pauses before each. */
const RETRY_MS = [100, 200, 400, 800];
const POLL_MS = 10;
/** Longest any request may take. */
const REQUEST_MS_MAX = 5000;

export interface AvailabilityOptions {
  readonly entries: number;
  readonly minutes: number;
  /** Seconds between kills. */
  readonly every: number;
  /** Writes per second. */
  readonly rate: number;
  readonly seed: number;
  told(text: string): void;
}

export interface AvailabilityReport {
  readonly kills: number;
  readonly reads: number;
  /** Reads that failed at the first try, and after all tries. */
  readonly readsRetried: number;
  readonly readsFailed: number;
  readonly writes: number;
  readonly writesRetried: number;
  /** Milliseconds: of writes that met no kill, and of all with their tries. */
  readonly writeP99: number;
  readonly writeP99Retried: number;
  /** Milliseconds from each kill to the first answer after it. */
  readonly outages: readonly number[];
  /** Entries of the log at the end, all proven. */
  readonly size: number;
}

export async function availability(options: AvailabilityOptions): Promise<AvailabilityReport> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-availability-'));
  const drill = new Drill(folder, options, await bundled('log-server', join(folder, 'program')));
  try {
    return await drill.run();
  } finally {
    await drill.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What P16 promises; throws when one of it is not kept. */
export function judge(report: AvailabilityReport, say: (text: string) => void): void {
  const { kills, reads, readsRetried, readsFailed, writes, writesRetried, size } = report;
  const ms = (value: number): string => `${Math.round(value)} ms`;
  const longest = Math.max(...report.outages);
  const mean = report.outages.reduce((sum, one) => sum + one, 0) / kills;
  const share = (value: number): string => `${(100 * value).toFixed(3)} %`;
  say(`${kills} kills: serving again after ${ms(mean)} on average, ${ms(longest)} at most (limit 2000)`);
  say(
    `${reads} reads: ${readsRetried} at a second try or later, ${readsFailed} failed after five (limit 0.1 %)`,
  );
  say(`with one kill a minute a single try is answered in ${share(1 - mean / 60_000)} of the time`);
  say(`${writes} writes: p99 ${ms(report.writeP99)} (limit 500) of those that met no kill,`);
  say(`  ${writesRetried} were sent again; p99 ${ms(report.writeP99Retried)} of all with their tries`);
  say(`${size} entries proven, none that was acknowledged lost`);
  assert.ok(kills > 0, 'the drill was too short for a kill');
  assert.ok(readsFailed <= reads / 1000, 'reads failed');
  assert.ok(longest < 2000, 'a restart took too long');
  assert.ok(report.writeP99 < 500, 'writes took too long');
}

class Drill {
  readonly #folder: string;
  readonly #options: AvailabilityOptions;
  readonly #program: Program;
  readonly #key = generateKey('ed25519');
  readonly #verifier = checkpointVerifier({ origin: ORIGIN, publicKey: this.#key.publicKey });
  readonly #transport = httpTransport();
  readonly #acked: Acknowledged[] = [];
  readonly #random: () => number;
  #child: ChildProcess | undefined;
  #isOver = false;
  #port = 0;
  #ended: Promise<unknown> = Promise.resolve();
  readonly #reads = { all: 0, retried: 0, failed: 0 };
  readonly #latencies: { readonly ms: number; readonly tries: number }[] = [];
  readonly #outages: number[] = [];

  constructor(folder: string, options: AvailabilityOptions, program: Program) {
    this.#folder = folder;
    this.#options = options;
    this.#program = program;
    this.#random = chance(options.seed);
    writeFileSync(join(folder, 'log.key'), this.#key.exportPem(), { mode: 0o600 });
  }

  get #url(): string {
    return `http://127.0.0.1:${this.#port}/api/v2`;
  }

  async run(): Promise<AvailabilityReport> {
    const { told, entries, minutes, every, rate } = this.#options;
    await this.#prepare(entries);
    this.#port = await freePortBase();
    const began = performance.now();
    this.#start();
    await this.#answers();
    told(`a log of ${entries} entries answers ${Math.round(performance.now() - began)} ms after its start`);
    const end = performance.now() + minutes * 60_000;
    await Promise.all([this.#probe(end), this.#write(end, rate), this.#kill(end, every * 1000)]);
    await this.#answers();
    const size = await this.#prove();
    const whole = this.#latencies.filter(({ tries }) => tries === 1);
    return {
      ...{ kills: this.#outages.length, outages: this.#outages, size },
      ...{ reads: this.#reads.all, readsRetried: this.#reads.retried, readsFailed: this.#reads.failed },
      ...{ writes: this.#latencies.length, writesRetried: this.#latencies.length - whole.length },
      writeP99: percentile(whole.map(({ ms }) => ms)),
      writeP99Retried: percentile(this.#latencies.map(({ ms }) => ms)),
    };
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  /** Real entries, written by the engine. */
  async #prepare(entries: number): Promise<void> {
    const directory = join(this.#folder, 'data');
    mkdirSync(directory);
    const log = await openLog({
      store: embeddedLogStore({ directory }),
      signer: checkpointSigner({ origin: ORIGIN, signer: this.#key }),
      clock: systemClock,
      create: true,
    });
    for (let at = 0; at < entries; ) {
      const together = Math.min(8 * TILE_WIDTH, entries - at);
      await Promise.all(Array.from({ length: together }, () => log.append(utf8(`small ${at++}`))));
    }
    await log.close();
  }

  /** Whoever runs a server starts it again: at once, as a container runtime does at the first failure. */
  #start(): void {
    const { args, env } = this.#program;
    const place = [join(this.#folder, 'data'), join(this.#folder, 'log.key'), String(this.#port)];
    const child = spawn(process.execPath, [...args, ...place], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...env },
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', resolve));
    child.once('close', () => {
      if (!this.#isOver) this.#start();
    });
  }

  async #answers(): Promise<void> {
    while ((await this.#read('checkpoint')) === undefined) await sleep(POLL_MS);
  }

  async #kill(end: number, everyMs: number): Promise<void> {
    for (;;) {
      await sleep(everyMs * (0.75 + 0.5 * this.#random()));
      if (performance.now() > end) return;
      const killed = performance.now();
      const before = this.#child;
      before?.kill('SIGKILL');
      await this.#ended;
      await this.#answers();
      this.#outages.push(performance.now() - killed);
      this.#options.told(
        `kill ${this.#outages.length}: back after ${Math.round(this.#outages.at(-1) ?? 0)} ms`,
      );
    }
  }

  async #read(path: string): Promise<Uint8Array | undefined> {
    try {
      const timeoutMs = REQUEST_MS_MAX;
      const url = `${this.#url}/${path}`;
      const { status, body } = await this.#transport.request({ url, maxBytes: 1024 * 1024, timeoutMs });
      return status === 200 ? body : undefined;
    } catch {
      return undefined;
    }
  }

  /** A checkpoint that verifies, and a full tile. */
  async #probe(end: number): Promise<void> {
    while (performance.now() < end) {
      const next = sleep(PROBE_MS);
      const tries = await retried(async () => {
        const checkpoint = await this.#read('checkpoint');
        if (checkpoint === undefined) return false;
        unwrap(this.#verifier.open(Buffer.from(checkpoint).toString()));
        const index = Math.floor((this.#random() * this.#options.entries) / TILE_WIDTH) - 1;
        const tile = { kind: 'hashes', level: 0, index: Math.max(0, index), width: TILE_WIDTH } as const;
        return (await this.#read(tilePath(tile)))?.length === TILE_WIDTH * 32;
      });
      this.#reads.all++;
      if (tries !== 1) this.#reads.retried++;
      if (tries === undefined) this.#reads.failed++;
      await next;
    }
  }

  async #write(end: number, rate: number): Promise<void> {
    const running = new Set<Promise<void>>();
    for (let i = 0; performance.now() < end; i++) {
      const next = sleep(1000 / rate);
      const one = this.#submit(`entry ${this.#options.seed} ${i}`).finally(() => running.delete(one));
      running.add(one);
      await next;
    }
    await Promise.all(running);
  }

  async #submit(name: string): Promise<void> {
    const body = utf8(entryRequest(name));
    const began = performance.now();
    const tries = await retried(async () => {
      const answer = await this.#post(body);
      if (answer !== undefined) this.#acked.push(answer);
      return answer !== undefined;
    });
    assert.ok(tries !== undefined, 'a write found no server in all its tries');
    this.#latencies.push({ ms: performance.now() - began, tries });
  }

  async #post(body: Uint8Array): Promise<Acknowledged | undefined> {
    const url = `${this.#url}/log/entries`;
    const headers = { 'content-type': 'application/json' };
    const request = {
      url,
      method: 'POST',
      headers,
      body,
      maxBytes: 1024 * 1024,
      timeoutMs: REQUEST_MS_MAX,
    } as const;
    const answer = await this.#transport.request(request).catch(() => undefined);
    if (answer === undefined || answer.status >= 500) return undefined;
    // An entry that was logged without an answer is found when it is sent again.
    assert.ok([200, 201, 409].includes(answer.status), Buffer.from(answer.body).toString());
    return checkedAnswer(this.#verifier, Buffer.from(answer.body).toString());
  }

  /** The whole log from its entries, with everything that was answered. */
  async #prove(): Promise<number> {
    const wanted = new Map(this.#acked.map(({ index, leaf }) => [index, leaf]));
    const known = [...new Set(this.#acked.map(({ checkpoint }) => checkpoint))];
    const look = await lookAt({
      source: httpTiles(this.#url, this.#transport),
      ...{ verifier: this.#verifier, known },
      onEntry: (index, entry) => {
        const leaf = wanted.get(index);
        if (leaf !== undefined) assert.equal(toHex(leafHash(entry)), leaf, `entry ${index} is another now`);
        wanted.delete(index);
      },
    });
    assert.deepEqual(look.problems, []);
    assert.equal(wanted.size, 0, 'entries that were acknowledged are not in the log');
    return look.head.size;
  }
}

/** How many tries it took; undefined when none of them did it. */
async function retried(act: () => Promise<boolean>): Promise<number | undefined> {
  for (let tries = 1; ; tries++) {
    if (await act()) return tries;
    const pause = RETRY_MS[tries - 1];
    if (pause === undefined) return undefined;
    await sleep(pause);
  }
}

function percentile(values: readonly number[], share = 0.99): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
