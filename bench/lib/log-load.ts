/** A closed loop of clients against a log of API v2, each answer counted only with status 201. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { toBase64, utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';

export interface Server {
  readonly url: string;
  readonly child: ChildProcess;
  /** Highest resident memory so far, MiB. */
  peakMiB(): number;
  stop(): Promise<void>;
}

export async function startServer(program: string, args: readonly string[]): Promise<Server> {
  const words = ['--disable-warning=ExperimentalWarning', program, ...args];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = await new Promise<string>((resolve) =>
    createInterface({ input: child.stdout }).once('line', resolve),
  );
  const status = (): string => readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return {
    url,
    child,
    peakMiB: () => Number(/VmHWM:\s+(\d+)/.exec(status())?.[1]) / 1024,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Signed requests, each of another artifact, made before any clock runs. */
export function makeRequests(count: number, name: string): Buffer[] {
  const signer = generateKey('p256');
  const publicKey = { rawBytes: toBase64(signer.publicKey.spki) };
  return Array.from({ length: count }, (_, i) => {
    const artifact = utf8(`${name} ${i}`);
    const signature = {
      content: toBase64(signer.sign(artifact)),
      verifier: { publicKey, keyDetails: 'PKIX_ECDSA_P256_SHA_256' },
    };
    const digest = toBase64(sha256(artifact));
    return Buffer.from(JSON.stringify({ hashedRekordRequestV002: { digest, signature } }));
  });
}

export interface Load {
  readonly perSecond: number;
  /** Milliseconds, sorted. */
  readonly latencies: readonly number[];
  /** Some answers, for a look outside the clock. */
  readonly sample: readonly string[];
}

export const at = ({ latencies }: Load, share: number): number =>
  latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;

/** Each of `clients` sends the next item when its last one was answered; `send` throws for a wrong answer. */
export async function closedLoop<T>(
  items: readonly T[],
  clients: number,
  send: (item: T, index: number) => Promise<void>,
): Promise<Omit<Load, 'sample'>> {
  const latencies: number[] = [];
  let next = 0;
  const start = performance.now();
  const client = async (): Promise<void> => {
    for (let mine = next++; mine < items.length; mine = next++) {
      const before = performance.now();
      await send(items[mine] as T, mine);
      latencies.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - start) / 1000;
  return { perSecond: items.length / seconds, latencies: latencies.sort((a, b) => a - b) };
}

/** The same over as many connections of Node's client, which are kept. */
export async function connectedLoop<T>(
  items: readonly T[],
  clients: number,
  send: (item: T, agent: Agent, index: number) => Promise<void>,
): Promise<Omit<Load, 'sample'>> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  try {
    return await closedLoop(items, clients, (item, index) => send(item, agent, index));
  } finally {
    agent.destroy();
  }
}

/** Sends all requests with `clients` at a time. Throws for any answer but 201. */
export async function load(
  server: Pick<Server, 'url'>,
  requests: readonly Buffer[],
  clients: number,
): Promise<Load> {
  const sample: string[] = [];
  const timed = await connectedLoop(requests, clients, async (body, agent, mine) => {
    const text = await post(server.url, body, agent);
    if (mine % 100 === 0) sample.push(text);
  });
  return { ...timed, sample };
}

/** One entry; resolves with the answer's text. Throws for any status but 201. */
export function post(url: string, body: Buffer, agent: Agent): Promise<string> {
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/api/v2/log/entries`, { method: 'POST', agent, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (answer.statusCode === 201) resolve(text);
        else reject(new Error(`status ${answer.statusCode}: ${text}`));
      });
      answer.on('error', reject);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      // A server may close an idle connection just as it is taken up again: nothing of the request was read.
      const isStale = sent.reusedSocket && error.code === 'ECONNRESET';
      if (isStale) post(url, body, agent).then(resolve, reject);
      else reject(error);
    });
    sent.end(body);
  });
}
