/**
 * The kill loop: a real log server under load is ended with SIGKILL at random points, again and again. A monitor
 * that knows only the public key and what was acknowledged rebuilds the tree after every life.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromBase64, toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { leafHash, verifyInclusion } from '#formats/merkle';
import { httpTransport } from '#platform/http-client';
import { type CheckpointVerifier, checkpointVerifier, httpTiles, lookAt, type MonitorState } from '#tlog';
import { chance } from './random.ts';

const WRITERS = 8;
/** The longest life of a server after it began to answer, in milliseconds. */
const LIFE_MS_MAX = 50;

export interface ServerKills {
  readonly kills: number;
  readonly acknowledged: number;
  /** Entries that are in the log though their answer did not arrive. */
  readonly unanswered: number;
}

export interface Acknowledged {
  readonly index: number;
  readonly leaf: string;
  readonly checkpoint: string;
}

const logKey = generateKey('ed25519');
/** Whoever signs the entries. */
const signer = generateKey('p256');
const verifier = checkpointVerifier({ origin: 'log.example', publicKey: logKey.publicKey });

/**
 * Runs `count` lives and checks after each; throws on the first thing that is wrong. `afterAnswer`: no life ends before
 * something was acknowledged in it, however busy the machine is.
 */
export async function killServer(
  count: number,
  seed: number,
  told: (text: string) => void,
  { afterAnswer = false }: { readonly afterAnswer?: boolean } = {},
): Promise<ServerKills> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-kill-server-'));
  const keyFile = join(folder, 'log.key');
  writeFileSync(keyFile, logKey.exportPem(), { mode: 0o600 });
  const random = chance(seed);
  const history = new History();
  try {
    for (let kill = 1; kill <= count; kill++) {
      const server = await start(join(folder, 'data'), keyFile);
      try {
        // What the life before left is proven by the one after it, while that takes entries already.
        const writing = write(server, `${kill}`, history);
        await history.look(server.url);
        if (afterAnswer) await history.next();
        await sleep(random() * LIFE_MS_MAX);
        server.child.kill('SIGKILL');
        await writing;
      } finally {
        server.child.kill('SIGKILL');
        await server.ended;
      }
      if (kill % 100 === 0) told(`${kill} kills, ${history.acknowledged} entries acknowledged`);
    }
    const last = await start(join(folder, 'data'), keyFile);
    try {
      await history.look(last.url);
    } finally {
      last.child.kill('SIGKILL');
      await last.ended;
    }
    return { kills: count, acknowledged: history.acknowledged, unanswered: history.unanswered };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Server {
  readonly url: string;
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
}

async function start(dataDir: string, keyFile: string): Promise<Server> {
  const program = join(import.meta.dirname, 'programs/log-server.ts');
  const args = ['--disable-warning=ExperimentalWarning', program, dataDir, keyFile];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const line = new Promise<string>((resolve) =>
    createInterface({ input: child.stdout }).once('line', resolve),
  );
  const origin = await Promise.race([line, ended.then(() => undefined)]);
  assert.ok(origin !== undefined, 'the log did not open again');
  return { url: `${origin}/api/v2`, child, ended };
}

/** Writers that go on until the server is gone. */
async function write(server: Server, life: string, history: History): Promise<void> {
  const writer = async (who: number): Promise<void> => {
    for (let i = 0; ; i++) {
      const answer = await submit(server.url, `${life}-${who}-${i}`).catch(() => undefined);
      if (answer === undefined) return;
      history.take(answer);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, who) => writer(who)));
}

/** An entry of the v2 API, with a signature that the log checks. */
export function entryRequest(name: string): string {
  const digest = toBase64(sha256(utf8(name)));
  const publicKey = { rawBytes: toBase64(signer.publicKey.spki) };
  const verifierJson = { publicKey, keyDetails: 'PKIX_ECDSA_P256_SHA_256' };
  const signature = { content: toBase64(signer.sign(utf8(name))), verifier: verifierJson };
  return JSON.stringify({ hashedRekordRequestV002: { digest, signature } });
}

async function submit(url: string, name: string): Promise<Acknowledged> {
  const response = await fetch(`${url}/log/entries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: entryRequest(name),
  });
  const text = await response.text();
  assert.equal(response.status, 201, text);
  return checkedAnswer(verifier, text);
}

interface EntryJson {
  readonly logIndex: string;
  readonly canonicalizedBody: string;
  readonly inclusionProof: {
    readonly hashes: readonly string[];
    readonly checkpoint: { readonly envelope: string };
  };
}

/** An answer counts only when a stranger could verify it. */
export function checkedAnswer(log: CheckpointVerifier, text: string): Acknowledged {
  const entry = JSON.parse(text) as EntryJson;
  const { hashes, checkpoint } = entry.inclusionProof;
  const { size, root } = unwrap(log.open(checkpoint.envelope));
  const leaf = leafHash(fromBase64(entry.canonicalizedBody));
  const index = Number(entry.logIndex);
  unwrap(verifyInclusion({ index, size, leaf, hashes: hashes.map(fromBase64), root }));
  return { index, leaf: toHex(leaf), checkpoint: checkpoint.envelope };
}

class History {
  #state: MonitorState | undefined;
  #entries = 0;
  readonly #leaves: string[] = [];
  #unchecked: Acknowledged[] = [];
  #waiting: (() => void) | undefined;
  acknowledged = 0;

  get unanswered(): number {
    return this.#entries - this.acknowledged;
  }

  take(answer: Acknowledged): void {
    this.#unchecked.push(answer);
    this.#waiting?.();
  }

  /** The next answer of the server. */
  next(): Promise<void> {
    return new Promise((done) => {
      this.#waiting = done;
    });
  }

  /** Rebuilds what is new, and holds everything acknowledged before this moment against it. */
  async look(url: string): Promise<void> {
    const answers = this.#unchecked;
    this.#unchecked = [];
    const look = await lookAt({
      source: httpTiles(url, httpTransport()),
      verifier,
      known: answers.map((answer) => answer.checkpoint),
      ...(this.#state === undefined ? {} : { state: this.#state }),
      onEntry: (index, entry) => {
        this.#leaves[index] = toHex(leafHash(entry));
        this.#entries++;
      },
    });
    assert.deepEqual(look.problems, []);
    for (const { index, leaf } of answers) {
      assert.equal(this.#leaves[index], leaf, `entry ${index} was acknowledged and is another now`);
      this.acknowledged++;
    }
    assert.equal(new Set(this.#leaves).size, this.#leaves.length, 'an entry stands twice');
    this.#state = look.state;
  }
}
