/**
 * The same log over a folder, and over PostgreSQL with its tiles in an S3-compatible store: entries a second with the
 * signature checked, by turns on one machine, where a database and a store beside it can only cost. Then two front
 * ends over one sequencer under load: every entry that was acknowledged is in the log once, where it was said to be,
 * and its proof verifies. `npm run bench:peers -- storage`; it needs PostgreSQL's programs and `npm run peers -- versitygw`.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBase64 } from '#base/bytes';
import { publicKeyFromPem } from '#base/crypto';
import { attempt, unwrap } from '#base/result';
import { httpTransport } from '#platform/http-client';
import { type CheckpointVerifier, checkpointVerifier, httpTiles, lookAt } from '#tlog';
import { hasPostgres, startPostgres } from '../../test/double/postgres.ts';
import { type LogAnswer, requireProof } from '../lib/log-answers.ts';
import { at, connectedLoop, type Load, load, makeRequests, post } from '../lib/log-load.ts';
import { type ObjectStore, startObjectStore } from '../lib/object-store.ts';
import { ratioOf } from '../lib/processes.ts';
import { median, report } from '../lib/report.ts';
import { type Running, startWaybill } from '../lib/waybill-process.ts';

const ROUNDS = 5;
const CLIENTS = 256;
const REQUESTS = 1024;
const CLUSTER_REQUESTS = 4096;
/** Issue: at least half of what a folder gives, on one machine. */
const GATE = 0.5;
/** Logs of different host names share a database without meeting. */
const hostnames = { one: 'one.example', many: 'many.example' };

interface Station {
  readonly origin: string;
}

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-storage-'));
const say = (text: string): void => console.log(text);

/** A log station with the key of `like`, when one is named: processes of one log have one key. */
function startLog(
  name: string,
  words: readonly string[],
  { env, like }: { readonly env?: Readonly<Record<string, string>>; readonly like?: string } = {},
): Promise<Running<Station>> {
  const data = join(folder, name);
  if (like !== undefined) {
    mkdirSync(join(data, 'keys'), { recursive: true, mode: 0o700 });
    copyFileSync(join(folder, like, 'keys', 'log.key'), join(data, 'keys', 'log.key'));
  }
  const all = ['--api', 'v2', '--listen', '127.0.0.1:0', '--log-level', 'error'];
  return startWaybill<Station>(['serve', 'log', '--data', data, ...all, ...words], env);
}

const keyOf = (name: string) =>
  unwrap(publicKeyFromPem(readFileSync(join(folder, name, 'public', 'rekor.pub'), 'utf8')));

async function compared(shared: readonly string[], objects: ObjectStore): Promise<number> {
  const [embedded, database] = await Promise.all([
    startLog('embedded', ['--hostname', hostnames.one]),
    startLog('database', [...shared, '--hostname', hostnames.one, '--objects', objects.url('tiles', 'one')], {
      env: objects.env,
    }),
  ]);
  const loads = { embedded: [] as Load[], database: [] as Load[] };
  for (let round = -1; round < ROUNDS; round++) {
    // The first turn warms both up.
    for (const [name, { said }] of Object.entries({ embedded, database })) {
      const requests = makeRequests(round < 0 ? CLIENTS : REQUESTS, `${name} ${round}`);
      const found = await load({ url: said.origin }, requests, CLIENTS);
      if (round >= 0) loads[name as keyof typeof loads].push(found);
    }
  }
  for (const [name, found] of Object.entries(loads)) {
    const rate = median(found.map(({ perSecond }) => perSecond)).toFixed(0);
    const late = median(found.map((one) => at(one, 0.99))).toFixed(0);
    say(`${name}: ${rate} entries/s with ${CLIENTS} clients, p99 ${late} ms`);
  }
  await Promise.all([embedded.stop(), database.stop()]);
  const rates = (name: keyof typeof loads) => loads[name].map(({ perSecond }) => perSecond);
  return ratioOf(rates('database'), rates('embedded'));
}

interface Counts {
  readonly acknowledged: number;
  readonly unproven: number;
  readonly misplaced: number;
  readonly twice: number;
}

/** A sequencer that serves nobody, two front ends, and clients that take turns between them. */
async function cluster(shared: readonly string[], objects: ObjectStore): Promise<Counts> {
  const words = [...shared, '--hostname', hostnames.many, '--objects', objects.url('tiles', 'many')];
  const { env } = objects;
  const sequencer = await startLog('sequencer', [...words, '--role', 'sequencer'], { env });
  const front = (name: string) => startLog(name, [...words, '--role', 'front'], { env, like: 'sequencer' });
  const fronts = await Promise.all([front('front-1'), front('front-2')]);
  const answers: LogAnswer[] = [];
  const requests = makeRequests(CLUSTER_REQUESTS, 'cluster');
  const { perSecond } = await connectedLoop(requests, CLIENTS, async (body, agent, turn) => {
    const { origin } = (fronts[turn % fronts.length] as (typeof fronts)[number]).said;
    answers.push(JSON.parse(await post(origin, body, agent)) as LogAnswer);
  });
  say(`two front ends, one sequencer: ${perSecond.toFixed(0)} entries/s with ${CLIENTS} clients`);
  const verifier = checkpointVerifier({ origin: hostnames.many, publicKey: keyOf('sequencer') });
  const entries: string[] = [];
  // As a stranger reads it: the tree is rebuilt from the entries and held against the checkpoint.
  const { problems, head } = await lookAt({
    source: httpTiles(`${fronts[0].said.origin}/api/v2`, httpTransport()),
    verifier,
    tiles: true,
    onEntry: (index, entry) => {
      entries[index] = toBase64(entry);
    },
  });
  for (const problem of problems) say(`  ${problem}`);
  say(`the log has ${head.size} entries, ${new Set(entries).size} of them distinct`);
  const unproven = answers.filter((answer) => !isProven(answer, verifier)).length + problems.length;
  const misplaced = answers.filter((one) => entries[Number(one.logIndex)] !== one.canonicalizedBody).length;
  await Promise.all(fronts.map((one) => one.stop()));
  await sequencer.stop();
  return {
    ...{ acknowledged: answers.length, unproven, misplaced },
    twice: entries.length - new Set(entries).size + Math.abs(head.size - answers.length),
  };
}

const isProven = (answer: LogAnswer, verifier: CheckpointVerifier): boolean =>
  attempt(() => requireProof(answer, verifier)).ok;

if (!hasPostgres())
  throw new Error('storage: the programs of PostgreSQL (initdb, postgres) are not on the PATH');
const objects = await startObjectStore(join(folder, 'objects'), ['tiles']);
const postgres = await startPostgres();
try {
  const ratio = await compared(['--store', postgres.url], objects);
  const counts = await cluster(['--store', postgres.url], objects);
  const { acknowledged, unproven, misplaced, twice } = counts;
  say(
    `${acknowledged} acknowledged: ${unproven} unproven, ${misplaced} elsewhere, ${twice} twice or never asked for`,
  );
  const ratios = {
    'PostgreSQL and S3, of a folder': Number(ratio.toFixed(3)),
    'acknowledged and not as promised': unproven + misplaced + twice,
  };
  for (const [name, value] of Object.entries(ratios)) say(`${name}: ${value}`);
  const isWhole = acknowledged === CLUSTER_REQUESTS && unproven + misplaced + twice === 0;
  report('storage', ratios, ratio >= GATE && isWhole);
} finally {
  await postgres.stop();
  await objects.stop();
  rmSync(folder, { recursive: true, force: true });
}
