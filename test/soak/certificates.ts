/**
 * No unlogged certificate (P3): an authority with its certificate log is ended at each of its steps, then at random
 * moments. Afterwards the log is read from its entries, and every certificate that ever left must be in it, with a
 * stamp that the verifier of clients accepts.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBase64, toHex } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { embeddedScts, precertTbs, sctSignedData } from '#formats/sct';
import { type Certificate, parseCertificate } from '#formats/x509';
import { createLogger } from '#platform/telemetry';
import { createCt } from '#services/ct';
import { trustMaterial } from '#verify';
import { verifyScts } from '../../src/verify/sct.ts';
import { NOW } from '../services/ca-fixture.ts';
import type { When } from './counted.ts';
import { bundled, type Program } from './program.ts';
import { chance } from './random.ts';

const ORIGIN = 'ct.example';
/** The longest life of an authority after it is open, in milliseconds. */
const LIFE_MS_MAX = 300;

export interface IssueOrder {
  readonly folder: string;
  readonly ctKeyFile: string;
  readonly origin: string;
  /** The step at which the process ends; 0 for none. */
  readonly at: number;
  readonly when: When;
  /** 0: without end. */
  readonly groups: number;
  readonly together: number;
}

export interface IssueWord {
  /** Intermediate and root, base64 DER. */
  readonly authority?: readonly [string, string];
  /** PEM. */
  readonly released?: string;
  readonly refused?: string;
  /** Steps there were. */
  readonly done?: number;
}

export interface UnloggedOptions {
  /** Random kills after the steps. */
  readonly count: number;
  readonly seed: number;
  told(text: string): void;
}

export interface UnloggedReport {
  readonly steps: number;
  readonly kills: number;
  readonly released: number;
  /** Precertificates in the log whose certificate never left. */
  readonly unreleased: number;
}

export async function unlogged({ count, seed, told }: UnloggedOptions): Promise<UnloggedReport> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-unlogged-'));
  try {
    const program = await bundled('certificates', join(folder, 'program'));
    const total = { steps: 0, kills: 0, released: 0, unreleased: 0 };
    const take = ({ released, logged }: Audit): void => {
      total.released += released;
      total.unreleased += logged - released;
    };
    for (const when of ['before', 'after'] as const) {
      for (let at = 1; ; at++) {
        const pair = new Pair(join(folder, `${when}-${at}`), program);
        const words = await pair.live({ at, when, groups: 2, together: 3 });
        take(await pair.audit());
        pair.remove();
        if (words.some(({ done }) => done !== undefined)) break;
        total.steps++;
      }
      told(`${total.steps} steps`);
    }
    const random = chance(seed);
    const pair = new Pair(join(folder, 'random'), program);
    for (; total.kills < count; total.kills++) {
      await pair.live({ at: 0, when: 'before', groups: 0, together: 4 }, random() * LIFE_MS_MAX);
      if (total.kills % 20 === 19) told(`${total.kills + 1} kills`);
    }
    take(await pair.audit());
    return total;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Audit {
  readonly released: number;
  readonly logged: number;
}

/** An authority and its log, over one folder. */
class Pair {
  readonly #folder: string;
  readonly #program: Program;
  readonly #key = generateKey('p256');
  readonly #keyFile: string;
  readonly #released: Certificate[] = [];
  #authority: readonly [Certificate, Certificate] | undefined;

  constructor(folder: string, program: Program) {
    this.#folder = folder;
    this.#program = program;
    this.#keyFile = join(folder, 'ct.key');
    mkdirSync(folder, { recursive: true });
    writeFileSync(this.#keyFile, this.#key.exportPem(), { mode: 0o600 });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** One process; `lifeMs`: how long after its authority is open it is ended. */
  async live(
    steps: Pick<IssueOrder, 'at' | 'when' | 'groups' | 'together'>,
    lifeMs?: number,
  ): Promise<IssueWord[]> {
    const order: IssueOrder = { folder: this.#folder, ctKeyFile: this.#keyFile, origin: ORIGIN, ...steps };
    const { args, env } = this.#program;
    const child = spawn(process.execPath, [...args, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...env },
    });
    const words: IssueWord[] = [];
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      const heard = lines.map((line) => JSON.parse(line) as IssueWord);
      words.push(...heard);
      if (lifeMs !== undefined && heard.some(({ authority }) => authority !== undefined)) {
        setTimeout(() => child.kill('SIGKILL'), lifeMs);
      }
    });
    await new Promise((resolve) => child.once('close', resolve));
    const isEnded = child.signalCode === 'SIGKILL' || words.some(({ done }) => done !== undefined);
    assert.ok(isEnded, `the authority did not open: ${child.exitCode}`);
    for (const word of words) this.#hear(word);
    return words;
  }

  #hear({ authority, released, refused }: IssueWord): void {
    assert.equal(refused, undefined, 'nothing is refused in an orderly process');
    if (released !== undefined) this.#released.push(certificateOf(released));
    if (authority === undefined) return;
    const [intermediate, root] = authority.map((der) => unwrap(parseCertificate(fromBase64(der))));
    assert.ok(intermediate !== undefined && root !== undefined);
    const before = this.#authority?.[0];
    assert.ok(before === undefined || toHex(before.der) === toHex(intermediate.der), 'another authority');
    this.#authority = [intermediate, root];
  }

  /** Reads the log from its entries and looks for every certificate that left. */
  async audit(): Promise<Audit> {
    if (this.#authority === undefined) return { released: 0, logged: 0 };
    const ct = await createCt({
      ...{ origin: ORIGIN, key: this.#key, roots: [], create: false, clock: new FixedClock(NOW) },
      dataDir: join(this.#folder, 'ct'),
      lockFile: join(this.#folder, 'lock', 'ct.db'),
      log: createLogger('ct', 'silent'),
    });
    try {
      assert.deepEqual((await ct.log.check()).problems, []);
      const { size } = ct.log.tree;
      const leaves = new Set<string>();
      for (let index = 0; index < size; index++) leaves.add(toHex((await ct.log.record(index)).entry));
      assert.equal(leaves.size, size, 'an entry stands twice');
      for (const certificate of this.#released) this.#find(certificate, leaves);
      const [first] = this.#released;
      if (first !== undefined) assert.throws(() => this.#find(first, new Set()), /never logged/);
      return { released: this.#released.length, logged: size };
    } finally {
      await ct.close();
    }
  }

  #find(certificate: Certificate, leaves: ReadonlySet<string>): void {
    const [intermediate, root] = this.#authority as readonly [Certificate, Certificate];
    const { publicKey } = this.#key;
    const validFor = { start: NOW - 1 };
    const trust = trustMaterial({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      ...{ tlogs: [], timestampAuthorities: [], unsupported: [] },
      ctlogs: [
        {
          ...{ baseUrl: `https://${ORIGIN}`, publicKey, keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
          logId: sha256(publicKey.spki),
        },
      ],
      certificateAuthorities: [
        {
          subject: { organization: 'waybill', commonName: 'waybill' },
          uri: 'https://ca.example',
          chain: [intermediate, root],
          validFor,
        },
      ],
    });
    const authority = trust.authorities[0];
    assert.ok(authority !== undefined);
    unwrap(verifyScts({ certificate, authority, sct: undefined }, trust, 1));
    const issuerKeyHash = sha256(intermediate.publicKey.spki);
    for (const sct of unwrap(embeddedScts(certificate))) {
      const leaf = sctSignedData(sct, issuerKeyHash, precertTbs(certificate));
      assert.ok(leaves.has(toHex(leaf)), `certificate ${certificate.serialHex} left and was never logged`);
    }
  }
}

const certificateOf = (pem: string): Certificate =>
  unwrap(parseCertificate(unwrap(pemDecode(pem, 'CERTIFICATE'))[0].der));
