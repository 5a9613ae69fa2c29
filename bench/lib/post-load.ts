/** A closed loop of clients that post; every answer is counted only with the status that was wanted. */
import { Agent, request } from 'node:http';
import type { Load } from './log-load.ts';

export interface Post {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends all with `clients` at a time. Throws for any answer with another status. */
export async function postAll(
  url: string,
  posts: readonly Post[],
  clients: number,
  status = 200,
): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const latencies: number[] = [];
  let next = 0;
  const start = performance.now();
  const client = async (): Promise<void> => {
    for (let mine = next++; mine < posts.length; mine = next++) {
      const before = performance.now();
      await send(url, posts[mine] as Post, agent, status);
      latencies.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - start) / 1000;
  agent.destroy();
  return { perSecond: posts.length / seconds, latencies: latencies.sort((a, b) => a - b), sample: [] };
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
