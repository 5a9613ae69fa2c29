/** A closed loop of clients that post; every answer is counted only with the status that was wanted. */
import { type Agent, request } from 'node:http';
import { at, closedLoop, type Load } from './log-load.ts';
import { median } from './report.ts';

export interface Post {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends all with `clients` at a time. Throws for any answer with another status. */
async function postAll(url: string, posts: readonly Post[], clients: number, status = 200): Promise<Load> {
  const timed = await closedLoop(posts, clients, (post, agent) => send(url, post, agent, status));
  return { ...timed, sample: [] };
}

export interface Rounds {
  readonly rounds: number;
  readonly clients: number;
  /** Requests of each that nobody counts. */
  readonly warmUp: number;
}

/** The same requests to ours and to its floor, by turns: rates and the 99th percentile of ours as medians. */
export async function againstFloor(
  ours: string,
  floor: string,
  posts: readonly Post[],
  { rounds, clients, warmUp }: Rounds,
): Promise<{
  readonly rate: number;
  readonly floor: number;
  readonly p99: number;
  readonly ofFloor: number;
}> {
  for (const target of [ours, floor]) await postAll(target, posts.slice(0, warmUp), clients);
  const [rates, floors, late]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    const load = await postAll(ours, posts, clients);
    rates.push(load.perSecond);
    late.push(at(load, 0.99));
    floors.push((await postAll(floor, posts, clients)).perSecond);
  }
  // Round by round, before any list is sorted for its median.
  const ofFloor = median(rates.map((rate, i) => rate / (floors[i] as number)));
  return { rate: median(rates), floor: median(floors), p99: median(late), ofFloor };
}

function send(url: string, { body, headers }: Post, agent: Agent, status: number): Promise<void> {
  const all = { ...headers, 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers: all }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        if (answer.statusCode === status) return resolve();
        reject(new Error(`status ${answer.statusCode}: ${Buffer.concat(chunks).toString().slice(0, 300)}`));
      });
      answer.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
