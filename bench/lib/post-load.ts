/** A closed loop of clients that post; every answer is counted only with the status that was wanted. */
import { LeanClient, postBytes } from './lean-client.ts';
import { at, closedLoop, type Load } from './log-load.ts';
import { median } from './report.ts';

export interface Post {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Rounds {
  readonly rounds: number;
  readonly clients: number;
  /** Requests of each that nobody counts: the engine compiles what it sees often. */
  readonly warmUp: number;
}

/** Medians over the rounds. */
export interface Measured {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Requests a second of each round. */
  readonly rates: readonly number[];
  /** How many were counted. */
  readonly requests: number;
}

/** For people. `processorMs`: what the server took for all of them. */
export function line(name: string, measured: Measured, clients: number, processorMs: number): string {
  const { perSecond, p50, p99, requests } = measured;
  return (
    `${name}: ${perSecond.toFixed(0)}/s with ${clients} clients, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ` +
    `${((processorMs * 1000) / requests).toFixed(0)} µs of processor each`
  );
}

/** Of so many answers one is looked into. */
const SAMPLE = 50;

/**
 * The same requests to each target by turns. `look` throws for an answer that is not what was asked for; it sees some
 * answers of each round, after its clock has stopped. `warm` is told when counting begins. Throws for any answer but
 * status 200.
 */
export async function inRounds<K extends string>(
  targets: Readonly<Record<K, string>>,
  posts: readonly Post[],
  { rounds, clients, warmUp }: Rounds,
  look: (target: K, index: number, answer: Buffer) => void = () => {},
  warm: () => void = () => {},
): Promise<Record<K, Measured>> {
  const names = Object.keys(targets) as K[];
  const loads = Object.fromEntries(names.map((name) => [name, [] as Timed[]])) as Record<K, Timed[]>;
  const before = Array.from({ length: warmUp }, (_, i) => posts[i % posts.length] as Post);
  for (const name of names) await postAll(targets[name], before, clients);
  warm();
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const { load, answers } = await postAll(targets[name], posts, clients);
      for (const [index, answer] of answers) look(name, index, answer);
      loads[name].push(load);
    }
  }
  return Object.fromEntries(names.map((name) => [name, measured(loads[name])])) as Record<K, Measured>;
}

type Timed = Omit<Load, 'sample'>;

function measured(loads: readonly Timed[]): Measured {
  const rates = loads.map(({ perSecond }) => perSecond);
  const late = (share: number): number => median(loads.map((load) => at({ ...load, sample: [] }, share)));
  const requests = loads.reduce((sum, { latencies }) => sum + latencies.length, 0);
  return { perSecond: median(rates), p50: late(0.5), p99: late(0.99), rates, requests };
}

/** The median of the rounds' own ratios: what the machine did in one round it did to both. */
export const rateRatio = (some: Measured, other: Measured): number =>
  median(some.rates.map((rate, i) => rate / (other.rates[i] as number)));

/** Sends all with `clients` at a time, each over a connection of its own. */
async function postAll(
  url: string,
  posts: readonly Post[],
  clients: number,
): Promise<{ readonly load: Timed; readonly answers: ReadonlyMap<number, Buffer> }> {
  const answers = new Map<number, Buffer>();
  const requests = posts.map(({ body, headers }) => postBytes(url, headers, body));
  const all = await Promise.all(Array.from({ length: clients }, () => LeanClient.open(url)));
  const free = [...all];
  try {
    const load = await closedLoop(requests, clients, async (request, index) => {
      const client = free.pop() as LeanClient;
      const { status, body } = await client.send(request);
      if (status !== 200) throw new Error(`status ${status}: ${body.toString().slice(0, 300)}`);
      free.push(client);
      if (index % SAMPLE === 0) answers.set(index, Buffer.from(body));
    });
    return { load, answers };
  } finally {
    for (const client of all) client.close();
  }
}
