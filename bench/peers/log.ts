/**
 * Our log against the real ones, in turns within one run. Over HTTP with the signature checked: Rekor v2
 * (rekor-tiles over files), its checkpoints and batches tuned for short waits; the same requests, hashedrekord 0.0.2,
 * from the same clients, and some answers of each round verified. Raw appends of bytes that only hashing looks at:
 * Tessera's POSIX driver with its persistent antispam, the better of two settings; it counts an entry when its index
 * is durable, we when it is published and proven as well. `npm run bench:peers -- log`.
 *
 * Gates: 4 times Rekor's rate at 512 clients (aim 8), one client answered within 25 ms (aim 10), 0.8 of Tessera's
 * rate (aim 1.2).
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { generateKey } from '#base/crypto';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock } from '#platform/system';
import { checkpointSigner, openLog } from '#tlog';
import { requirePeer } from '../../test/peers/cache.ts';
import { freePort, Processes } from '../../test/peers/real-services.ts';
import { verifySample } from '../lib/log-answers.ts';
import { at, closedLoop, type Load, load, makeRequests, startServer } from '../lib/log-load.ts';
import { median, report } from '../lib/report.ts';

const CLIENTS = 512;
const ROUNDS = 5;
const REQUESTS = 3072;
const TURNS = 9;
/** Enough that Tessera's index of what it knows, which follows behind, cannot hide in a turn. */
const APPENDS = 10_000;
const ENTRY_BYTES = 600;
const GATES = { rekor: 4, aloneMs: 25, tessera: 0.8 };

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-peers-log-'));
const key = generateKey('ed25519');
const keyFile = join(folder, 'log.key');
writeFileSync(keyFile, key.exportPem(), { mode: 0o600 });
const say = (text: string): void => console.log(text);

/** Rekor v2 with checkpoints ten times a second and batches that wait 20 ms: its best at hundreds of clients. */
async function startRekor(processes: Processes): Promise<string> {
  const [port, grpc, metrics] = await Promise.all([freePort(), freePort(), freePort()]);
  const storage = join(folder, 'rekor');
  mkdirSync(storage);
  processes.start('rekor-tiles', [
    ...['serve', '--storage-dir', storage, '--signer-filepath', keyFile, '--hostname', 'log.example'],
    ...['--http-port', `${port}`, '--grpc-port', `${grpc}`, '--http-metrics-port', `${metrics}`],
    ...['--checkpoint-interval', '100ms', '--batch-max-age', '20ms', '--log-level', 'warn'],
    // It refuses repetitions only when told to; we always do.
    '--persistent-antispam',
  ]);
  const url = `http://127.0.0.1:${port}`;
  await processes.answer('rekor-tiles', `${url}/healthz`);
  return url;
}

interface Turns {
  readonly loads: readonly Load[];
  readonly alone: number;
}

/** Each name's loads, by turns; the first turn, which warms both up, is not kept. */
async function inTurns(urls: Readonly<Record<'waybill' | 'rekor', string>>): Promise<Record<string, Turns>> {
  const names = ['waybill', 'rekor'] as const;
  const loads = { waybill: [] as Load[], rekor: [] as Load[] };
  for (let round = -1; round < ROUNDS; round++) {
    const requests = makeRequests(round < 0 ? CLIENTS : REQUESTS, `round ${round}`);
    for (const name of names) {
      const one = await load({ url: urls[name] }, requests, CLIENTS);
      verifySample(one, 'log.example', key.publicKey);
      if (round >= 0) loads[name].push(one);
    }
  }
  const alone = { waybill: 0, rekor: 0 };
  for (const [name, count] of [
    ['waybill', 60],
    ['rekor', 8],
  ] as const) {
    alone[name] = at(await load({ url: urls[name] }, makeRequests(count, 'alone'), 1), 0.5);
  }
  return Object.fromEntries(names.map((name) => [name, { loads: loads[name], alone: alone[name] }]));
}

/** How many times Rekor's rate, and what one client alone waits, milliseconds. */
async function againstRekor(): Promise<{ readonly times: number; readonly aloneMs: number }> {
  const processes = new Processes(folder);
  const ours = await startServer('test/soak/programs/log-server.ts', [join(folder, 'ours'), keyFile]);
  try {
    const turns = await inTurns({ waybill: ours.url, rekor: await startRekor(processes) });
    const late = (loads: readonly Load[], share: number): string =>
      median(loads.map((one) => at(one, share))).toFixed(0);
    for (const [name, { loads, alone }] of Object.entries(turns)) {
      const rate = median(loads.map((one) => one.perSecond)).toFixed(0);
      const worst = Math.max(...loads.map((one) => at(one, 0.99))).toFixed(0);
      const waits = `p50 ${late(loads, 0.5)} ms, p99 ${late(loads, 0.99)} ms, ${worst} ms in the worst round`;
      say(
        `${name}: ${rate} entries/s with ${CLIENTS} clients, ${waits}; one client p50 ${alone.toFixed(1)} ms`,
      );
    }
    say(`waybill: peak memory ${ours.peakMiB().toFixed(0)} MiB`);
    const { waybill, rekor } = turns as Record<'waybill' | 'rekor', Turns>;
    const times = median(
      waybill.loads.map((one, i) => one.perSecond / (rekor.loads[i]?.perSecond ?? Number.NaN)),
    );
    return { times, aloneMs: waybill.alone };
  } finally {
    await Promise.all([ours.stop(), processes.close()]);
  }
}

/** Starts Tessera in a loop; gives its entries a second for so many appends. */
function startTessera(name: string, batch: number, age: string) {
  const words = [join(folder, name), `${CLIENTS}`, `${ENTRY_BYTES}`, `${batch}`, age];
  const child = spawn(requirePeer('tessera'), words, { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    rate: async (count: number): Promise<number> => {
      child.stdin.write(`${count}\n`);
      const { value, done } = await answers.next();
      if (done === true) throw new Error('tessera ended');
      return count / (Number(value) / 1e9);
    },
    close: async (): Promise<void> => {
      child.stdin.end();
      await ended;
    },
  };
}

/** Our rate as a part of Tessera's. */
async function againstTessera(): Promise<number> {
  const store = embeddedLogStore({ directory: join(folder, 'raw') });
  const signer = checkpointSigner({ origin: 'bench.example', signer: key });
  const log = await openLog({ store, signer, clock: systemClock, create: true });
  const others = {
    '256 entries, 5 ms': startTessera('quick', 256, '5ms'),
    '256 entries, 20 ms': startTessera('calm', 256, '20ms'),
  };
  const append = async (count: number): Promise<number> => {
    const entries = Array.from({ length: count }, () => new Uint8Array(randomBytes(ENTRY_BYTES)));
    const send = async (entry: Uint8Array): Promise<void> => {
      if ((await log.append(entry)).duplicate) throw new Error('random bytes were known already');
    };
    return (await closedLoop(entries, CLIENTS, send)).perSecond;
  };
  try {
    const rates = { waybill: [] as number[], tessera: Object.values(others).map(() => [] as number[]) };
    for (let turn = -1; turn < TURNS; turn++) {
      const ours = await append(APPENDS);
      if (turn >= 0) rates.waybill.push(ours);
      for (const [i, other] of Object.values(others).entries()) {
        const theirs = await other.rate(APPENDS);
        if (turn >= 0) rates.tessera[i]?.push(theirs);
      }
    }
    say(`raw append, waybill: ${median(rates.waybill).toFixed(0)} entries/s`);
    for (const [i, name] of Object.keys(others).entries()) {
      say(
        `raw append, tessera with batches of ${name}: ${median(rates.tessera[i] ?? []).toFixed(0)} entries/s`,
      );
    }
    const best = rates.tessera.toSorted((a, b) => median(b) - median(a))[0] ?? [];
    return median(rates.waybill.map((rate, i) => rate / (best[i] ?? Number.NaN)));
  } finally {
    await Promise.all(Object.values(others).map((other) => other.close()));
    await log.close();
  }
}

try {
  const { times, aloneMs } = await againstRekor();
  const tessera = await againstTessera();
  const ratios = {
    'times Rekor v2 at 512 clients': Number(times.toFixed(2)),
    'one client p50, of 25 ms': Number((aloneMs / GATES.aloneMs).toFixed(2)),
    'raw append, of Tessera': Number(tessera.toFixed(2)),
  };
  for (const [name, value] of Object.entries(ratios)) say(`${name}: ${value}`);
  report('peers-log', ratios, times >= GATES.rekor && aloneMs <= GATES.aloneMs && tessera >= GATES.tessera);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
