/** The webhook as people run it: `waybill serve admission` as a child process, asked over HTTPS. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { compiledCode } from '../compiled.ts';
import type { Answer } from './admission-fixture.ts';

export interface WebhookProcess {
  readonly origin: string;
  readonly caPem: string;
  readonly pid: number;
  /** Sends a review as an API server does, over connections that stay open. */
  ask(path: '/mutate' | '/validate', review: object): Promise<Answer['response']>;
  /** The samples of GET /metrics, by name with labels. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  stop(): Promise<void>;
}

export interface WebhookProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** At most this many connections. */
  readonly connections?: number;
}

/** Starts it on a free port of 127.0.0.1; `args` follow `serve admission`. */
export async function startWebhookProcess(
  args: readonly string[],
  options: WebhookProcessOptions = {},
): Promise<WebhookProcess> {
  const words = ['serve', 'admission', '--listen', '127.0.0.1:0', '--log-level', 'error', ...args, '--json'];
  const child = spawn(resolve('bin/waybill'), words, {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      ...compiledCode,
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const { origin, caBundle } = await readyLine(child);
  const caPem = Buffer.from(caBundle, 'base64').toString();
  const agent = new Agent({ ca: caPem, keepAlive: true, maxSockets: options.connections ?? 16 });
  return {
    origin,
    caPem,
    pid: child.pid ?? 0,
    async ask(path, review) {
      const text = await send(agent, new URL(`${path}?timeout=30s`, origin), JSON.stringify(review));
      return (JSON.parse(text) as Answer).response;
    },
    async metrics() {
      const text = await send(agent, new URL('/metrics', origin));
      const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      return new Map(
        samples.map((line) => {
          const at = line.lastIndexOf(' ');
          return [line.slice(0, at), Number(line.slice(at + 1))];
        }),
      );
    },
    async stop() {
      process.off('exit', kill);
      agent.destroy();
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function readyLine(child: ChildProcess): Promise<{ origin: string; caBundle: string }> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-4000);
  });
  if (child.stdout !== null) {
    for await (const line of createInterface({ input: child.stdout })) {
      return JSON.parse(line) as { origin: string; caBundle: string };
    }
  }
  throw new Error(`serve admission ended with ${child.exitCode}: ${stderr}`);
}

function send(agent: Agent, url: URL, body?: string): Promise<string> {
  return new Promise((done, failed) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request(url, { agent, method: body === undefined ? 'GET' : 'POST', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) done(text);
        else failed(new Error(`${url.pathname}: ${response.statusCode} ${text}`));
      });
    });
    sent.on('error', failed);
    sent.end(body);
  });
}
