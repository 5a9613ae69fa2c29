/**
 * Does a running stack do what it is for? Everything is asked over the network as a stranger would, starting from the
 * one root in its public folder; what must be refused is tried as well.
 */
import { join } from 'node:path';
import { toHex, utf8 } from '#base/bytes';
import type { Clock } from '#base/clock';
import { sha256 } from '#base/crypto';
import type { Random } from '#base/random';
import { reasonText, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { type ParsedBundle, parseBundle } from '#formats/bundle';
import { INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import { statementBytes } from '#formats/intoto';
import { parseSigningConfig, type SigningConfig } from '#formats/signing-config';
import { parseTrustedRoot } from '#formats/trusted-root';
import type { Transport } from '#platform/http-client';
import { createSigner, servicesFrom } from '#sign';
import { loadTrust, stackTrustFiles, type Trust } from '#trust';
import { identity, requireKeyless, trustMaterial, type Verdict, verifyBundle } from '#verify';
import { registryProbe } from './registry-probe.ts';
import { requireState, type StackState, stackTransport } from './state.ts';
import { stationStates } from './status.ts';
import { fetchDevelopmentToken } from './token.ts';

export interface ProbeResult {
  readonly name: string;
  readonly passed: boolean;
  readonly milliseconds: number;
  /** What was seen; why it failed. */
  readonly detail: string;
}

export interface SelfTestDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly cacheDir: string;
}

type Probe = () => Promise<string>;

/** Leaves two entries in each log and one small image in the registry. Throws WB-1202 where there is no stack. */
export async function selfTest(dataDir: string, given: SelfTestDeps): Promise<readonly ProbeResult[]> {
  const state = await requireState(dataDir);
  const deps = { ...given, transport: stackTransport(dataDir, state, given.transport) };
  const run = new Run(dataDir, state, deps);
  const probes: readonly (readonly [string, Probe])[] = [
    ['every station answers', () => run.answering()],
    ['the trusted root verifies from the pinned TUF root', () => run.trusting()],
    ['a signature over log API v1 verifies', () => run.signing(1)],
    ['a signature over log API v2 verifies', () => run.signing(2)],
    ['a statement in DSSE verifies', () => run.attesting()],
    ['another signer is not accepted', () => run.otherSigner()],
    ['other bytes are not accepted', () => run.otherBytes()],
    ['a token for another audience gets no certificate', () => run.otherAudience()],
    ['an image is pushed, found by what refers to it, and deleted', () => registryProbe(state, deps)],
  ];
  const results: ProbeResult[] = [];
  for (const [name, probe] of probes) results.push(await resultOf(name, probe, deps.clock));
  return results;
}

async function resultOf(name: string, probe: Probe, clock: Clock): Promise<ProbeResult> {
  const started = clock.now();
  const result = (passed: boolean, detail: string): ProbeResult => ({
    name,
    passed,
    milliseconds: clock.now() - started,
    detail,
  });
  try {
    return result(true, await probe());
  } catch (error) {
    return result(false, error instanceof WaybillError ? reasonText(error.reason) : String(error));
  }
}

const EMAIL = 'stack-test@example.com';
const PREDICATE_TYPE = 'https://waybill.dev/stack-test/v1';

class Run {
  readonly #dataDir: string;
  readonly #state: StackState;
  readonly #deps: SelfTestDeps;
  /** Different in each run: a log would answer that it knows it. */
  readonly #artifact: Uint8Array;
  #trust: Trust | undefined;
  #signed: ParsedBundle | undefined;

  constructor(dataDir: string, state: StackState, deps: SelfTestDeps) {
    this.#dataDir = dataDir;
    this.#state = state;
    this.#deps = deps;
    this.#artifact = utf8(`stack test ${toHex(deps.random.bytes(16))}`);
  }

  async answering(): Promise<string> {
    const all = await stationStates(this.#state.origins, this.#deps.transport);
    const down = all.filter(({ isUp }) => !isUp).map(({ name }) => name);
    if (down.length > 0) throw new Error(`no answer from ${down.join(', ')}`);
    return `${all.length} stations`;
  }

  async trusting(): Promise<string> {
    const root = join(this.#dataDir, stackTrustFiles.tufRoot);
    const { transport, cacheDir } = this.#deps;
    const source = { kind: 'tuf', mirror: this.#state.origins.tuf, root, cacheDir } as const;
    this.#trust = await loadTrust(source, { transport });
    return `root version ${this.#trust.tuf?.rootVersion ?? 0}`;
  }

  async signing(version: 1 | 2): Promise<string> {
    const signer = await this.#signer(version, 'sigstore');
    const { bundle, entries } = await signer.sign({ kind: 'message', bytes: this.#artifact });
    this.#signed = unwrap(parseBundle(bundle));
    const verdict = this.#judge(this.#signed, this.#artifact, EMAIL);
    if (verdict.outcome !== 'accepted') throw new Error(textOf(verdict));
    return `entry ${entries[0]?.logIndex ?? '?'}`;
  }

  async attesting(): Promise<string> {
    const digest = { sha256: toHex(sha256(this.#artifact)) };
    const payload = statementBytes({
      subject: [{ name: 'stack-test', digest }],
      predicateType: PREDICATE_TYPE,
      predicate: { ok: true },
    });
    const signer = await this.#signer(1, 'sigstore');
    const { bundle } = await signer.sign({ kind: 'dsse', payloadType: INTOTO_PAYLOAD_TYPE, payload });
    const verdict = this.#judge(unwrap(parseBundle(bundle)), this.#artifact, EMAIL);
    if (verdict.outcome !== 'accepted') throw new Error(textOf(verdict));
    return PREDICATE_TYPE;
  }

  otherSigner(): Promise<string> {
    return this.#refused(this.#artifact, 'somebody-else@example.com');
  }

  otherBytes(): Promise<string> {
    return this.#refused(utf8('other bytes'), EMAIL);
  }

  async #refused(artifact: Uint8Array, email: string): Promise<string> {
    if (this.#signed === undefined) throw new Error('nothing was signed');
    const verdict = this.#judge(this.#signed, artifact, email);
    if (verdict.outcome !== 'rejected') throw new Error(`it was ${verdict.outcome}`);
    return verdict.reason.code;
  }

  async otherAudience(): Promise<string> {
    try {
      await (await this.#signer(1, 'another-service')).sign({ kind: 'message', bytes: this.#artifact });
    } catch (error) {
      if (error instanceof WaybillError && error.reason.side !== 'environment') return error.reason.code;
      throw error;
    }
    throw new Error('a certificate was issued');
  }

  async #signer(version: 1 | 2, audience: string) {
    const { transport, clock, random } = this.#deps;
    const trust = this.#loaded();
    const request = { email: EMAIL, aud: audience };
    const token = await fetchDevelopmentToken(this.#state.origins, request, transport);
    const services = servicesFrom(this.#config(trust, version), { now: clock.now(), random });
    return createSigner({
      ...{ transport, clock, random, services },
      identity: { kind: 'token', token, audience },
      trustedRoot: trust.trustedRoot,
    });
  }

  #loaded(): Trust {
    if (this.#trust !== undefined) return this.#trust;
    throw new Error('no trusted root');
  }

  #config({ signingConfigBytes }: Trust, version: 1 | 2): SigningConfig {
    if (signingConfigBytes === undefined) throw new Error('no signing config');
    const config = unwrap(parseSigningConfig(signingConfigBytes));
    if (version === 1) return config;
    const [first] = config.rekorTlogUrls;
    if (first === undefined) throw new Error('no log');
    return { ...config, rekorTlogUrls: [{ ...first, url: this.#state.origins.log2, majorApiVersion: 2 }] };
  }

  #judge(bundle: ParsedBundle, artifact: Uint8Array, email: string): Verdict {
    const { trustedRootBytes } = this.#loaded();
    const who = unwrap(identity({ issuer: this.#state.origins.oidc, san: email }));
    return verifyBundle({
      artifact,
      bundle,
      trustedRoot: trustMaterial(unwrap(parseTrustedRoot(trustedRootBytes))),
      requirements: unwrap(requireKeyless({ identities: [who] })),
      now: this.#deps.clock.now(),
    });
  }
}

function textOf(verdict: Verdict): string {
  if (verdict.outcome === 'accepted') return 'accepted';
  return reasonText(verdict.outcome === 'rejected' ? verdict.reason : verdict.cause);
}
