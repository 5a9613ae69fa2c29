/** The stations that issue: certificates and timestamps. */
import { equalBytes, utf8Text } from '#base/bytes';
import { generateKey, type PublicKey, publicKeyFromPem } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { CaAuthority } from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import { readFileLimited } from '#platform/files';
import type { KeyHolders } from '#platform/key-store';
import { sntpSource } from '#platform/sntp';
import { type Ca, createCa, httpCtSubmitter, readIssuerTable, registerCa } from '#services/ca';
import { type ClockWatch, createTsa, openClockWatch, registerTsa } from '#services/tsa';
import { chainPem } from '../material.ts';
import type { StationDeps, StationParts } from './frame.ts';
import {
  closeWithKeys,
  type KeyNames,
  openHeldKeys,
  type SignerSettings,
  signerDown,
  withHeldKeys,
} from './held-keys.ts';
import { R } from './reasons.ts';
import { certificatesMade, clockMetrics, timestampsMade, tsaDays } from './station-metrics.ts';

export interface CaSettings {
  /** Issuers in the form of Fulcio's configuration. */
  readonly issuersFile?: string;
  /** Base of the certificate log, and its public key as PEM. */
  readonly ctUrl?: string;
  readonly ctKeyFile?: string;
  readonly organization?: string;
  readonly issuancesPerMinute?: number;
  /** Holds `intermediate`, and `root` where it is told to. */
  readonly signer?: SignerSettings;
}

export interface TsaSettings {
  readonly organization?: string;
  /** Servers of time the clock is compared with. */
  readonly ntpServers?: readonly { readonly host: string; readonly port?: number }[];
  /** How far the clock may be from them, in milliseconds. */
  readonly maxClockOffsetMs?: number;
  /** How often it is compared, in milliseconds. */
  readonly clockEveryMs?: number;
  /** Holds `tsa`, and `root` where it is told to. */
  readonly signer?: SignerSettings;
}

const FILE_BYTES_MAX = 1024 * 1024;
const DAY_MS = 86_400_000;
const caKeys: KeyNames = { form: /^(?:root|intermediate)$/, told: 'root, intermediate' };
const tsaKeys: KeyNames = { form: /^(?:root|tsa)$/, told: 'root, tsa' };

async function readText(path: string): Promise<string> {
  return utf8Text(await readFileLimited(path, FILE_BYTES_MAX));
}

export async function caParts(settings: CaSettings, deps: StationDeps): Promise<StationParts> {
  const held = await openHeldKeys(settings.signer, caKeys, deps);
  const ca = await withHeldKeys(held, (holders) => openCa(settings, deps, holders));
  const chain = [ca.intermediate, ca.root];
  return {
    bodyBytesMax: limits.caRequestBytes,
    register: (app, log) => registerCa(app, { ca, log }),
    about: { station: 'ca', createdAt: ca.intermediate.notBefore, chain: chainPem(chain) },
    files: { 'chain.pem': chainPem(chain), 'root.pem': chainPem([ca.root]) },
    missing: (root) => chainMissing(root.certificateAuthorities, chain, 'the certificate authority'),
    unready: () => expired(chain, deps) ?? signerDown(held),
    metrics: (metrics) => {
      metrics.expiry('certificate', () => ({
        root: ca.root.notAfter,
        intermediate: ca.intermediate.notAfter,
      }));
      metrics.made(certificatesMade);
    },
    close: () => closeWithKeys(held, () => ca.close()),
  };
}

async function openCa(settings: CaSettings, deps: StationDeps, holders: KeyHolders): Promise<Ca> {
  const { keys, clock, random, transport, log, isInit } = deps;
  const { organization, issuancesPerMinute, issuersFile, ctUrl, ctKeyFile } = settings;
  const common = {
    ...{ keys, holders, clock, random, transport, log },
    ...(organization === undefined ? {} : { organization }),
    ...(issuancesPerMinute === undefined ? {} : { issuancesPerMinute }),
  };
  if (isInit) {
    // Nothing is issued: the log and the issuers may not exist yet.
    const ct = httpCtSubmitter('http://127.0.0.1:9', transport);
    const issuers = readIssuerTable('{}');
    return createCa({ ...common, issuers, ct, ctKey: generateKey('p256').publicKey });
  }
  if (issuersFile === undefined || ctUrl === undefined || ctKeyFile === undefined) {
    const actual = Object.entries({ issuersFile, ctUrl, ctKeyFile }).flatMap(([name, value]) =>
      value === undefined ? [name] : [],
    );
    throw fail(R.settings, {
      expected: '--issuers, --ct-url and --ct-key',
      actual: `no ${actual.join(', no ')}`,
    });
  }
  return createCa({
    ...common,
    issuers: readIssuerTable(await readText(issuersFile)),
    ct: httpCtSubmitter(ctUrl, transport),
    ctKey: await keyIn(ctKeyFile),
  });
}

async function keyIn(path: string): Promise<PublicKey> {
  return unwrap(publicKeyFromPem(await readText(path)));
}

async function watchOf(
  { ntpServers = [], maxClockOffsetMs, clockEveryMs }: TsaSettings,
  { clock, random, log, isInit }: StationDeps,
): Promise<ClockWatch | undefined> {
  if (ntpServers.length === 0 || isInit) return undefined;
  return openClockWatch({
    ...{ clock, log, sources: ntpServers.map((server) => sntpSource({ ...server, clock, random })) },
    ...(maxClockOffsetMs === undefined ? {} : { maxOffsetMs: maxClockOffsetMs }),
    ...(clockEveryMs === undefined ? {} : { everyMs: clockEveryMs }),
  });
}

export async function tsaParts(settings: TsaSettings, deps: StationDeps): Promise<StationParts> {
  const { organization, signer } = settings;
  const { keys, clock, random, log } = deps;
  const held = await openHeldKeys(signer, tsaKeys, deps);
  const watch = await withHeldKeys(held, () => watchOf(settings, deps));
  const tsa = await withHeldKeys(held, (holders) =>
    createTsa({
      ...{ keys, holders, clock, random, log },
      ...(organization === undefined ? {} : { organization }),
      ...(watch === undefined ? {} : { watch }),
    }),
  );
  const [leaf, root] = tsa.chain;
  return {
    bodyBytesMax: limits.tsaRequestBytes,
    isOpenToWrites: true,
    register: (app, logger) => registerTsa(app, { tsa, log: logger }),
    about: { station: 'tsa', createdAt: leaf.notBefore, chain: chainPem(tsa.chain) },
    files: { 'chain.pem': chainPem(tsa.chain) },
    missing: (trusted) =>
      chainMissing(trusted.timestampAuthorities, tsa.chain, 'the certificate of the timestamp authority'),
    unready: () => expired(tsa.chain, deps) ?? signerDown(held) ?? clockTrouble(watch),
    metrics: (metrics) => {
      metrics.expiry('certificate', () => ({ root: root.notAfter, signer: leaf.notAfter }));
      const days = (): number => Math.floor((leaf.notAfter - clock.now()) / DAY_MS);
      tsaDays(metrics, days);
      metrics.made(timestampsMade);
      if (watch !== undefined) clockMetrics(metrics, watch);
    },
    close: () => {
      watch?.close();
      return closeWithKeys(held, () => tsa.close());
    },
  };
}

function clockTrouble(watch: ClockWatch | undefined): string | undefined {
  const why = watch?.trouble();
  return why === undefined ? undefined : `${why.code} the clock cannot be believed: ${why.actual}`;
}

function expired(chain: readonly Certificate[], { clock }: StationDeps): string | undefined {
  const now = clock.now();
  const ended = chain.find(({ notAfter }) => notAfter <= now);
  return ended === undefined ? undefined : `${ended.subjectText} has expired`;
}

/** What a published root lacks of this chain. */
function chainMissing(
  published: readonly CaAuthority[],
  chain: readonly Certificate[],
  what: string,
): string | undefined {
  const leaf = chain[0] as Certificate;
  return published.some((one) => equalBytes(one.chain[0].der, leaf.der)) ? undefined : what;
}
