/**
 * Keys behind a process that runs beside a station: a line of JSON a question, a line an answer, in any order
 * (docs/keys.md). The station never learns the key nor what opens it; it verifies every signature before it uses it.
 *
 * A process that ends, is silent, or does not keep to the protocol is ended, and started again after a rest that doubles
 * up to half a minute. What was asked of it then fails as unavailable (WB-823) and is never asked twice: the caller
 * decides. A signature that its key did not make is WB-824.
 */
import { equalBytes, toBase64 } from '#base/bytes';
import {
  defaultHash,
  type HashName,
  hash,
  type KeyHolder,
  type PublicKey,
  publicKeyFromSpki,
  verifySignature,
} from '#base/crypto';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { type JsonReader, parseJson, reader } from '#formats/json';
import { type LineProcess, startLineProcess } from '#platform/line-process';
import type { Logger } from '#platform/telemetry';
import { R } from './reasons.ts';

export interface ExternalSignerOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Of the process: what opens its keys comes from here or from its own files. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** For an answer. Default 10 s. */
  readonly timeoutMs?: number;
  /** For the first answer of a process. Default 30 s. */
  readonly startMs?: number;
  /** Before a process that ended is started again; doubles each time it gives no good answer. Default 100 ms. */
  readonly restMs?: number;
}

const TIMEOUT_MS = 10_000;
const START_MS = 30_000;
const REST_MS = 100;
const REST_MS_MAX = 30_000;
const CLOSE_MS = 2000;
const ERROR_CHARS_MAX = 300;

type Question =
  | { readonly method: 'publicKey'; readonly key: string }
  | { readonly method: 'sign'; readonly key: string; readonly hash: HashName; readonly digest: string }
  /** Ed25519 signs what was said, no hash value of it. */
  | { readonly method: 'sign'; readonly key: string; readonly message: string };

interface Waiting {
  readonly question: Question;
  readonly timer: NodeJS.Timeout;
  resolve(answer: JsonReader): void;
  reject(error: WaybillError): void;
}

interface Answer {
  readonly json: JsonReader;
  readonly id: number;
  readonly error: string | undefined;
}

/** One process from its start to its end. */
interface Life {
  readonly process: LineProcess;
  answers: number;
}

export class ExternalSigner {
  readonly #options: ExternalSignerOptions;
  readonly #held = new Map<string, PublicKey>();
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #life: Life | undefined;
  #rest: NodeJS.Timeout | undefined;
  #failures = 0;
  #trouble: string | undefined;
  #isClosed = false;

  constructor(options: ExternalSignerOptions) {
    this.#options = options;
  }

  /** Why there are no signatures now; undefined when there are. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** The key the process knows by this name. Throws WB-823, WB-104 for no public key. */
  async holder(key: string): Promise<KeyHolder> {
    const publicKey = await this.#publicKey(key);
    this.#held.set(key, publicKey);
    return {
      publicKey,
      sign: (data, algorithm = defaultHash(publicKey.kind)) => this.#sign(key, publicKey, data, algorithm),
    };
  }

  /** Lets the process end; what is under way fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#rest);
    this.#failAll('the station stops');
    await this.#life?.process.close(CLOSE_MS);
  }

  async #publicKey(key: string): Promise<PublicKey> {
    const answer = await this.#ask({ method: 'publicKey', key });
    return unwrap(publicKeyFromSpki(answer.bytes('publicKey')));
  }

  async #sign(key: string, publicKey: PublicKey, data: Uint8Array, algorithm: HashName): Promise<Uint8Array> {
    const asked =
      publicKey.kind === 'ed25519'
        ? { message: toBase64(data) }
        : { hash: algorithm, digest: toBase64(hash(algorithm, data)) };
    const answer = await this.#ask({ method: 'sign', key, ...asked });
    const signature = answer.bytes('signature');
    if (!verifySignature(publicKey, data, signature, algorithm)) {
      this.#options.log.error({ key }, 'the signer gave a signature its key did not make');
      throw fail(R.externalAnswer, {
        expected: `a signature by the public key of ${key}`,
        actual: 'another',
      });
    }
    this.#isWell();
    return signature;
  }

  #isWell(): void {
    this.#failures = 0;
    this.#trouble = undefined;
  }

  async #ask(question: Question): Promise<JsonReader> {
    const expected = `an answer to ${question.method} of key ${question.key}`;
    const refuse = (actual: string): WaybillError => fail(R.external, { expected, actual });
    if (this.#isClosed) throw refuse('the station stops');
    if (this.#rest !== undefined) throw refuse(`it is down (${this.#trouble}) and will be started again`);
    if (this.#waiting.size >= limits.signerInFlight) {
      throw refuse(`${limits.signerInFlight} questions under way, and no more are sent`);
    }
    this.#life ??= this.#start();
    const life = this.#life;
    const { answers } = life;
    const { timeoutMs = TIMEOUT_MS, startMs = START_MS } = this.#options;
    const limitMs = answers === 0 ? Math.max(startMs, timeoutMs) : timeoutMs;
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(refuse(`none within ${limitMs} ms`));
        // One slow answer is its own matter; silence is the end of the process.
        if (life.answers === answers) life.process.kill(`silent for ${limitMs} ms`);
      }, limitMs);
      this.#waiting.set(id, { question, timer, resolve, reject });
      life.process.send(JSON.stringify({ id, ...question }));
    });
  }

  #start(): Life {
    const { command, args, env, log } = this.#options;
    const life: Life = {
      answers: 0,
      process: startLineProcess({
        ...{ command, args, env },
        lineBytesMax: limits.signerLineBytes,
        onLine: (line) => this.#hear(life, line),
        onMessage: (text) => log.warn({ text }, 'the signer says'),
        onEnd: (why) => this.#ended(why),
      }),
    };
    return life;
  }

  #hear(life: Life, line: string): void {
    const read = attempt(() => {
      const json = reader(unwrap(parseJson(line)), '$', { as: R.externalAnswer });
      return { json, id: json.integer('id'), error: json.optionalString('error') };
    });
    if (!read.ok) {
      life.process.kill(`an answer that is none: ${read.error.actual}`);
    } else if (read.value.id < 1 || read.value.id >= this.#nextId) {
      life.process.kill('an answer to a question nobody asked');
    } else {
      life.answers++;
      this.#settle(read.value);
    }
  }

  #settle({ json, id, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    // The answer came too late, or twice.
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (error === undefined) {
      waiting.resolve(json);
      return;
    }
    const { method, key } = waiting.question;
    const text = error.slice(0, ERROR_CHARS_MAX);
    this.#options.log.error({ method, key, error: text }, 'the signer refused');
    // What it says of its insides is for the operator, who is there at the start, and not for clients.
    const actual = method === 'publicKey' ? text : 'it refused; its words are in the log of the station';
    waiting.reject(fail(R.external, { expected: `${method} of key ${key}`, actual }));
  }

  #ended(why: string): void {
    this.#life = undefined;
    this.#failAll(why);
    // Before it has shown a key, whoever opens it decides.
    if (this.#isClosed || this.#held.size === 0) return;
    const restMs = Math.min(REST_MS_MAX, (this.#options.restMs ?? REST_MS) * 2 ** this.#failures);
    this.#failures++;
    this.#trouble = why;
    this.#options.log.error({ why, restMs }, 'the signer is down; it is started again after a rest');
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      void this.#revive();
    }, restMs);
  }

  /** Starts the process and asks for the keys again: others than before are not worked with. */
  async #revive(): Promise<void> {
    try {
      for (const [key, known] of this.#held) {
        const found = await this.#publicKey(key);
        if (equalBytes(found.spki, known.spki)) continue;
        throw fail(R.externalAnswer, { expected: `the public key of ${key} as before`, actual: 'another' });
      }
      this.#isWell();
      this.#options.log.info({}, 'the signer is there again');
    } catch (error) {
      const why = error instanceof WaybillError ? error.reason.actual : String(error);
      this.#life?.process.kill(`not as before: ${why}`);
    }
  }

  #failAll(why: string): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { question, timer, reject } of all) {
      clearTimeout(timer);
      const expected = `an answer to ${question.method} of key ${question.key}`;
      reject(fail(R.external, { expected, actual: why }));
    }
  }
}
