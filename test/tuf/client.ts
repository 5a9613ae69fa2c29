/** The client under test, through its protocol: inside this process, or as the executable over HTTP. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { mock } from 'node:test';
import type { Transport } from '#platform/http-client';
import { runTufClient } from '../../src/cli/tuf-conformance.ts';
import { Simulator } from './simulator.ts';

/** Runs the client with arguments of the protocol, at a time of the case's choosing; true for exit code 0. */
export type RunClient = (argv: readonly string[], at?: number) => Promise<boolean>;

export interface World {
  readonly repo: Simulator;
  readonly client: Client;
}

export class Client {
  readonly folder: string;
  readonly #run: RunClient;
  readonly #base: string;

  constructor(folder: string, base: string, run: RunClient) {
    this.folder = folder;
    this.#base = base;
    this.#run = run;
  }

  get metadataDir(): string {
    return join(this.folder, 'metadata');
  }

  async init(root: Uint8Array): Promise<boolean> {
    const file = join(this.folder, 'initial-root.json');
    await writeFile(file, root);
    return this.#run(['--metadata-dir', this.metadataDir, 'init', file]);
  }

  refresh(at?: number): Promise<boolean> {
    return this.#run(
      ['--metadata-url', `${this.#base}/metadata/`, '--metadata-dir', this.metadataDir, 'refresh'],
      at,
    );
  }

  download(...names: string[]): Promise<boolean> {
    const chosen = names.flatMap((name) => ['--target-name', name]);
    const places = [
      '--target-dir',
      join(this.folder, 'targets'),
      '--target-base-url',
      `${this.#base}/targets/`,
    ];
    const metadata = ['--metadata-url', `${this.#base}/metadata/`, '--metadata-dir', this.metadataDir];
    return this.#run([...metadata, ...chosen, ...places, 'download']);
  }

  /** `root 2`, `timestamp 1`, … of what is trusted, by name. */
  async trusted(): Promise<string[]> {
    const names = (await readdir(this.metadataDir)).filter((name) => name.endsWith('.json')).sort();
    return Promise.all(
      names.map(async (name) => `${name.slice(0, -5)} ${await this.version(name.slice(0, -5))}`),
    );
  }

  async version(role: string): Promise<number | undefined> {
    const bytes = await this.bytes(role);
    if (bytes === undefined) return undefined;
    return (JSON.parse(Buffer.from(bytes).toString()) as { signed: { version: number } }).signed.version;
  }

  async bytes(role: string): Promise<Uint8Array | undefined> {
    return readFile(join(this.metadataDir, `${role}.json`)).catch(() => undefined);
  }

  /** What was downloaded, sorted. */
  async downloaded(): Promise<string[]> {
    const folder = join(this.folder, 'targets');
    const names = await readdir(folder).catch(() => []);
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
    return texts.sort();
  }

  async assertTrusts(...expected: string[]): Promise<void> {
    assert.deepEqual(await this.trusted(), [...expected].sort());
  }
}

/** How a door starts a client for a simulator; the returned function ends it. */
export type Door = (repo: Simulator, folder: string) => Promise<{ client: Client; close(): Promise<void> }>;

export async function inWorld(door: Door, body: (world: World) => Promise<void>): Promise<void> {
  const repo = new Simulator();
  const folder = await mkdtemp(join(tmpdir(), 'waybill-tuf-case-'));
  await mkdir(join(folder, 'metadata'));
  const { client, close } = await door(repo, folder);
  try {
    await body({ repo, client });
  } finally {
    await close();
    await rm(folder, { recursive: true, force: true });
  }
}

const BASE = 'http://repository.example';

function transportOf(repo: Simulator): Transport {
  return {
    request: async ({ url, maxBytes = Infinity }) => {
      const body = repo.read(url.slice(BASE.length + 1));
      if (body !== undefined && body.length > maxBytes) throw new Error('larger than asked for');
      return {
        url,
        status: body === undefined ? 404 : 200,
        headers: new Map(),
        body: body ?? new Uint8Array(),
      };
    },
    stream: async () => {
      throw new Error('a TUF client reads whole files');
    },
  };
}

/** The client inside this process; only `Date` is faked, and only while it runs. */
export const inside: Door = async (repo, folder) => {
  const transport = transportOf(repo);
  const run: RunClient = async (argv, at) => {
    if (at !== undefined) mock.timers.enable({ apis: ['Date'], now: at });
    try {
      await runTufClient(argv, transport);
      return true;
    } catch {
      return false;
    } finally {
      if (at !== undefined) mock.timers.reset();
    }
  };
  return { client: new Client(folder, BASE, run), close: async () => {} };
};

/** The executable, over HTTP on loopback. */
export const executable: Door = async (repo, folder) => {
  const server = createServer((request, response) => {
    const body = repo.read((request.url ?? '/').slice(1));
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const run: RunClient = async (argv, at) => {
    const preload = at === undefined ? '' : ` --import=${resolve('test/tuf/fake-date.ts')}`;
    const env = {
      ...process.env,
      NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''}${preload}`.trim(),
      FAKE_DATE: String(at ?? ''),
    };
    const child = spawn('bin/waybill-tuf-conformance', argv, { env, stdio: ['ignore', 'ignore', 'ignore'] });
    const code = await new Promise<number | null>((done) => child.on('close', done));
    assert.ok(code === 0 || code === 1, `exit code ${code}`);
    return code === 0;
  };
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  return { client: new Client(folder, base, run), close };
};
