/**
 * The log: entries a second over HTTP with the signature checked against a server that only checks it, raw appends
 * against the same hashes, signature and synchronised write without a log, and both at 10⁷ and 10⁸ entries against
 * 10⁴. Rounds take turns, medians are compared; gates are ratios of this run and the server's peak memory, other
 * absolute figures are printed.
 *
 * "Added" means here: durable, signed, published, with a proof against that checkpoint in the answer.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { leafHash, nodeHash, verifyConsistency } from '#formats/merkle';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock } from '#platform/system';
import { checkpointSigner, type LogWriter, openLog } from '#tlog';
import { verifySample } from './lib/log-answers.ts';
import { at, type Load, load, makeRequests, startServer } from './lib/log-load.ts';
import { synthetic } from './lib/log-synthetic.ts';
import { median, report } from './lib/report.ts';

const ROUNDS = 5;
/** Short turns of the engine alone: neighbours meet the same noise. */
const TURNS = 21;
const BATCH = 256;
const ENTRY_BYTES = 600;
const CLIENTS = 512;
const REQUESTS = 3072;
/** Most resident memory of the server, at any time. */
const MEMORY_MIB = 256;

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-log-'));
const key = generateKey('ed25519');
const signer = checkpointSigner({ origin: 'bench.example', signer: key });
const ratios: Record<string, number> = {};
const say = (text: string): void => console.log(text);
const entries = (): Uint8Array[] =>
  Array.from({ length: BATCH }, () => new Uint8Array(randomBytes(ENTRY_BYTES)));

/** Entries a second of one batch after the other, which is what 256 clients in a closed loop give. */
async function appendRate(log: LogWriter, batches: number): Promise<number> {
  const made = Array.from({ length: batches }, entries);
  const start = performance.now();
  for (const batch of made) await Promise.all(batch.map((entry) => log.append(entry)));
  return (batches * BATCH) / ((performance.now() - start) / 1000);
}

/** The bare operations of a batch: leaf and node hashes, one signature, one synchronised write. */
function floorRate(file: number, batches: number): number {
  const made = Array.from({ length: batches }, entries);
  const start = performance.now();
  for (const batch of made) {
    let row = batch.map(leafHash);
    while (row.length > 1) {
      const pairs = row.length / 2;
      row = Array.from({ length: pairs }, (_, i) =>
        nodeHash(row[2 * i] as Uint8Array, row[2 * i + 1] as Uint8Array),
      );
    }
    key.sign(row[0] as Uint8Array);
    writeSync(file, Buffer.concat(batch));
    fdatasyncSync(file);
  }
  return (batches * BATCH) / ((performance.now() - start) / 1000);
}

async function raw(): Promise<void> {
  const store = embeddedLogStore({ directory: join(folder, 'raw') });
  const log = await openLog({ store, signer, clock: systemClock, create: true });
  const file = openSync(join(folder, 'floor'), 'w');
  const rates = { log: [] as number[], floor: [] as number[] };
  await appendRate(log, 4);
  for (let turn = 0; turn < TURNS; turn++) {
    rates.log.push(await appendRate(log, 2));
    rates.floor.push(floorRate(file, 2));
  }
  closeSync(file);
  await log.close();
  ratios['raw append, of floor'] = round3(
    median(rates.log.map((rate, i) => rate / (rates.floor[i] as number))),
  );
  say(`raw append: ${median(rates.log).toFixed(0)}/s, floor ${median(rates.floor).toFixed(0)}/s`);
}

/** Restart, rate and a proof of consistency at sizes that were never written. */
async function growth(): Promise<void> {
  const sizes = { '10^4': 9984, '10^7': 10_000_128, '10^8': 100_000_000 - (100_000_000 % BATCH) };
  const logs: Record<string, LogWriter> = {};
  for (const [name, size] of Object.entries(sizes)) {
    const inner = embeddedLogStore({ directory: join(folder, name) });
    const store = await synthetic(inner, signer, size);
    const start = performance.now();
    const log = await openLog({ store, signer, clock: systemClock });
    const before = log.tree;
    await log.append(entries()[0] as Uint8Array);
    say(`restart to first write at ${name}: ${(performance.now() - start).toFixed(0)} ms (target 1000)`);
    const { size: second, root: secondRoot } = log.tree;
    const hashes = await log.consistency(before.size, second);
    const claim = { first: before.size, second, firstRoot: before.root, secondRoot, hashes };
    unwrap(verifyConsistency(claim));
    logs[name] = log;
  }
  const rates: Record<string, number[]> = { '10^4': [], '10^7': [], '10^8': [] };
  const order = Object.entries(logs);
  for (let turn = 0; turn < 2 * TURNS; turn++) {
    for (const [name, log] of order) rates[name]?.push(await appendRate(log, 2));
    // Each is first, second and last as often: none always pays for what another left to be cleaned up.
    order.push(order.shift() as (typeof order)[number]);
  }
  for (const name of ['10^7', '10^8']) {
    const ratio = median((rates[name] ?? []).map((rate, i) => rate / (rates['10^4']?.[i] ?? Number.NaN)));
    ratios[`append at ${name}, of 10^4`] = round3(ratio);
  }
  for (const log of Object.values(logs)) await log.close();
}

async function http(): Promise<void> {
  writeFileSync(join(folder, 'log.key'), key.exportPem(), { mode: 0o600 });
  const log = await startServer('test/soak/programs/log-server.ts', [
    join(folder, 'http'),
    join(folder, 'log.key'),
  ]);
  const floor = await startServer('bench/lib/log-floor.ts', []);
  const loads = { log: [] as Load[], floor: [] as Load[] };
  for (let round = -1; round < ROUNDS; round++) {
    // The first turn warms both up.
    const requests = makeRequests(round < 0 ? REQUESTS / 4 : REQUESTS, `round ${round}`);
    const ours = await load(log, requests, CLIENTS);
    const bare = await load(floor, requests, CLIENTS);
    verifySample(ours, 'log.example', key.publicKey);
    if (round >= 0) {
      loads.log.push(ours);
      loads.floor.push(bare);
    }
  }
  const [alone, bareAlone] = [
    await load(log, makeRequests(100, 'alone'), 1),
    await load(floor, makeRequests(100, 'alone'), 1),
  ];
  const rates = loads.log.map((one) => one.perSecond);
  ratios['512 clients, of floor'] = round3(
    median(rates.map((rate, i) => rate / (loads.floor[i]?.perSecond ?? Number.NaN))),
  );
  const shown = (share: number): string => median(loads.log.map((one) => at(one, share))).toFixed(0);
  const worst = Math.max(...loads.log.map((one) => at(one, 0.99))).toFixed(0);
  const late = `p99 ${shown(0.99)} ms (target 400), ${worst} ms in the worst round`;
  say(`512 clients: ${median(rates).toFixed(0)}/s, p50 ${shown(0.5)} ms, ${late}`);
  say(`floor: ${median(loads.floor.map((one) => one.perSecond)).toFixed(0)}/s`);
  say(
    `one client: p50 ${at(alone, 0.5).toFixed(1)} ms (target 25), floor ${at(bareAlone, 0.5).toFixed(1)} ms`,
  );
  const peak = log.peakMiB();
  say(`peak memory: ${peak.toFixed(0)} MiB`);
  ratios['peak memory, of 256 MiB'] = round3(peak / MEMORY_MIB);
  await log.stop();
  await floor.stop();
}

const round3 = (value: number): number => Number(value.toFixed(3));

/**
 * Size must not cost: 85 %. An append with its proof, its names, its read-back and a synchronised write for each
 * step is more than one such write, so the raw ratio only guards what was reached.
 */
const gates: Readonly<Record<string, number>> = {
  'raw append, of floor': 0.06,
  'append at 10^7, of 10^4': 0.85,
  'append at 10^8, of 10^4': 0.85,
  '512 clients, of floor': 0.4,
};

try {
  await raw();
  await growth();
  await http();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const memory = 'peak memory, of 256 MiB';
for (const [name, ratio] of Object.entries(ratios)) {
  say(`${name}: ${ratio} (${name === memory ? 'at most 1' : `gate ${gates[name]}`})`);
}
const isFast = Object.entries(gates).every(([name, gate]) => (ratios[name] ?? 0) >= gate);
report('log', ratios, isFast && (ratios[memory] ?? Number.NaN) <= 1);
