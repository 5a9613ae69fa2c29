/** The stations that log: certificates (RFC 6962) and signatures (Rekor v1, v2), on one machine or many. */
import { join } from 'node:path';
import { equalBytes, toBase64, utf8Text } from '#base/bytes';
import { publicKeyPem } from '#base/crypto';
import { limits } from '#base/limits';
import { fail, reasonText } from '#base/reason';
import { unwrap } from '#base/result';
import { formatVerifierKey } from '#formats/cosignature';
import { parseCheckpoint, parseNote } from '#formats/note';
import { pemDecode } from '#formats/pem';
import type { LogAuthority } from '#formats/trusted-root';
import { readPublishedText } from '#platform/checkpoint-lock';
import { readFileLimited } from '#platform/files';
import type { HttpApp } from '#platform/http-server';
import { type CtConfig, createCt, registerCt } from '#services/ct';
import { createLog, type InactiveShard, type LogApi, type LogConfig, registerLog } from '#services/log';
import { type Cosigner, cosignWith, FROZEN_LINE, type Log, parseWitnessPolicy } from '#tlog';
import { TREE } from './checks.ts';
import type { StationDeps, StationParts } from './frame.ts';
import {
  closeWithKeys,
  type HeldKeys,
  type KeyNames,
  openHeldKeys,
  openLogStationKey,
  type SignerSettings,
  signerDown,
  withHeldKeys,
} from './held-keys.ts';
import type { StationMetrics } from './metrics.ts';
import { openPlacedLog } from './placed-log.ts';
import { R } from './reasons.ts';
import { fingerprint } from './record.ts';
import { attestationMetrics, ctRoutes, entriesMade, logMetrics } from './station-metrics.ts';
import { logPlace, type PlaceSettings } from './store-url.ts';

const FILE_BYTES_MAX = 1024 * 1024;

const ctKeys: KeyNames = { form: /^log$/, told: 'log' };
const logKeys: KeyNames = { form: /^(?:log|inactive-[1-9][0-9]?)$/, told: 'log, inactive-1' };

export interface CtSettings extends PlaceSettings {
  /** Name of the log in its checkpoints. */
  readonly name?: string;
  /** PEM files of roots whose chains are taken; read again when they change. */
  readonly rootFiles: readonly string[];
  /** Holds `log`. */
  readonly signer?: SignerSettings;
}

export async function ctParts(settings: CtSettings, deps: StationDeps): Promise<StationParts> {
  const { clock, log, isInit } = deps;
  const { name, rootFiles, role = 'all' } = settings;
  const takes = role !== 'sequencer';
  if (name === undefined || (rootFiles.length === 0 && takes && !isInit)) {
    throw fail(R.settings, { expected: '--name and --root', actual: 'one of them, or none' });
  }
  const readRoots = async (): Promise<readonly Uint8Array[]> =>
    (await Promise.all(rootFiles.map((path) => readFileLimited(path, FILE_BYTES_MAX)))).flatMap((bytes) =>
      unwrap(pemDecode(utf8Text(bytes), 'CERTIFICATE')).map(({ der }) => der),
    );
  const held = await openHeldKeys(settings.signer, ctKeys, deps);
  const placed = await withHeldKeys(held, async () => {
    const key = await openLogStationKey(held, deps, 'p256');
    // Its name may have a slash; its key is as much its own.
    const place = logPlace(settings, `ct-${fingerprint(key.publicKey)}`, deps.dataDir);
    const config: CtConfig = { origin: name, key, roots: [], create: deps.isFirst, clock, log };
    return openPlacedLog({ place, role, key: key.publicKey }, deps, (home) =>
      createCt({ ...config, ...home }),
    );
  });
  const ct = placed.service;
  const addRoots = async (): Promise<void> => {
    for (const der of await readRoots()) ct.addRoot(der);
  };
  const close = (): Promise<void> => closeWithKeys(held, () => placed.close());
  if (!isInit) await addRoots().catch((error: unknown) => close().then(() => Promise.reject(error)));
  const pem = publicKeyPem(ct.publicKey);
  return {
    bodyBytesMax: limits.logRequestBytes,
    isOpenToWrites: takes,
    register: (app, logger) => (takes ? registerCt(app, ct, logger) : registerHealth(app)),
    tree: placed.tree,
    about: { station: 'ct', createdAt: deps.createdAt, key: pem, logId: toBase64(ct.logId) },
    files: { 'ctfe.pub': pem },
    missing: ({ ctlogs }) => logMissing(ctlogs, ct.logId, 'the certificate log'),
    unready: () => logTrouble(ct.log) ?? signerDown(held),
    metrics: (metrics) => {
      logMetrics(metrics, () => ct.log);
      metrics.made(entriesMade(ctRoutes));
      sequencerMetric(metrics, placed.term);
    },
    reload: addRoots,
    close,
  };
}

/** A process that sequences alone is asked for nothing else. */
function registerHealth(app: HttpApp): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
}

function sequencerMetric(metrics: StationMetrics, term: (() => number) | undefined): void {
  if (term !== undefined) metrics.gauge('sequencer', '1 while this process sequences.', term);
}

export interface LogSettings extends PlaceSettings {
  readonly api: LogApi;
  /** Host name clients know the log by. */
  readonly hostname?: string;
  /** v1: data directories of frozen logs this one follows, oldest first. */
  readonly inactiveDirs?: readonly string[];
  readonly witnessPolicyFile?: string;
  /** v1: all statements of intoto entries that are kept, together, in bytes. */
  readonly attestationStoreBytesMax?: number;
  /** Publish after a while with what the witnesses gave. */
  readonly isWitnessOptional?: boolean;
  /** Holds `log`, and `inactive-<n>`: the key of the log in the nth of `inactiveDirs`. */
  readonly signer?: SignerSettings;
}

export async function logParts(settings: LogSettings, deps: StationDeps): Promise<StationParts> {
  const { clock, log } = deps;
  const { api, hostname, role = 'all' } = settings;
  if (hostname === undefined) throw fail(R.settings, { expected: '--hostname NAME', actual: 'none' });
  const held = await openHeldKeys(settings.signer, logKeys, deps);
  const placed = await withHeldKeys(held, async () => {
    const key = await openLogStationKey(held, deps, api === 'v1' ? 'p256' : 'ed25519');
    const inactive = await inactiveShards(settings, held, deps);
    const cosign = await cosignerFor(settings, deps);
    const { attestationStoreBytesMax: room } = settings;
    const base: LogConfig = {
      ...{ api, hostname, key, clock, log, inactive, create: deps.isFirst },
      ...(room === undefined ? {} : { attestationStoreBytesMax: room }),
    };
    // Two logs of one host name share a database without meeting.
    const place = logPlace(settings, `${hostname}-${api}`, deps.dataDir);
    return openPlacedLog({ place, role, key: key.publicKey }, deps, (home) =>
      createLog({ ...base, ...(cosign === undefined ? {} : { cosign }), ...home }),
    );
  });
  const { service } = placed;
  const takes = role !== 'sequencer';
  const pem = publicKeyPem(service.publicKey);
  return {
    bodyBytesMax: api === 'v1' ? limits.logEnvelopeBytes : limits.logRequestBytes,
    isOpenToWrites: takes,
    register: (app, logger) => (takes ? registerLog(app, service, logger) : registerHealth(app)),
    tree: placed.tree,
    about: { station: 'log', createdAt: deps.createdAt, api, key: pem, logId: toBase64(service.logId) },
    files: {
      'rekor.pub': pem,
      // What witnesses and monitors are told of a log: `waybill witness --log`.
      ...(api === 'v2'
        ? { 'verifier-key': `${formatVerifierKey(hostname, service.publicKey, 'log')}\n` }
        : {}),
    },
    missing: ({ tlogs }) => logMissing(tlogs, service.logId, 'the transparency log'),
    unready: () => logTrouble(service.log) ?? signerDown(held),
    metrics: (metrics) => {
      logMetrics(metrics, () => service.log);
      metrics.made(entriesMade([`/api/${api}/log/entries`]));
      if (api === 'v1') attestationMetrics(metrics, () => service.attestations);
      sequencerMetric(metrics, placed.term);
    },
    close: () => closeWithKeys(held, () => placed.close()),
  };
}

/** Throws WB-1212 for a directory without the key of a log, or a key of none of them. */
async function inactiveShards(
  { inactiveDirs = [], api }: LogSettings,
  { elsewhere }: HeldKeys,
  { keysOf }: StationDeps,
): Promise<InactiveShard[]> {
  if (inactiveDirs.length > 0 && api === 'v2') {
    throw fail(R.settings, { expected: '--inactive with --api v1', actual: 'v2: each has a URL of its own' });
  }
  const stray = [...elsewhere.keys()].find(
    (name) => name !== 'log' && Number(name.replace('inactive-', '')) > inactiveDirs.length,
  );
  if (stray !== undefined) {
    throw fail(R.settings, { expected: `--inactive for ${stray}`, actual: `${inactiveDirs.length} of them` });
  }
  const shards: InactiveShard[] = [];
  for (const [i, dir] of inactiveDirs.entries()) {
    const name = `inactive-${i + 1}`;
    const key = elsewhere.get(name) ?? (await keysOf(dir).findKey('log'));
    if (key === undefined) {
      const expected = `the key of the log in ${dir}: there, or --signer-key ${name}=KEY`;
      throw fail(R.settings, { expected, actual: 'none' });
    }
    requireFrozen(dir);
    shards.push({ key, dataDir: join(dir, TREE), isClosed: true });
  }
  return shards;
}

/**
 * The last checkpoint of a frozen log is published, and nothing follows it: its lock, which may be on another machine,
 * is not needed to serve it. Throws WB-1212 for one that still takes entries.
 */
function requireFrozen(dir: string): void {
  const published = readPublishedText(join(dir, TREE));
  const head =
    published === undefined ? undefined : unwrap(parseCheckpoint(unwrap(parseNote(published)).text));
  if (head?.extensions.includes(FROZEN_LINE) === true) return;
  const actual = head === undefined ? 'no log' : 'a log that takes entries';
  throw fail(R.settings, { expected: `a frozen log in ${dir} (waybill log freeze)`, actual });
}

async function cosignerFor(
  settings: LogSettings,
  { transport, log }: StationDeps,
): Promise<Cosigner | undefined> {
  const { witnessPolicyFile, isWitnessOptional } = settings;
  if (witnessPolicyFile === undefined) return undefined;
  const text = utf8Text(await readFileLimited(witnessPolicyFile, FILE_BYTES_MAX));
  return cosignWith({
    policy: unwrap(parseWitnessPolicy(text)),
    transport,
    mode: isWitnessOptional === true ? 'open' : 'closed',
    onFailure: (witness, why) =>
      log.warn({ witness, code: why.code, why: reasonText(why) }, 'no cosignature'),
  });
}

/** Why a log is not ready to take entries; undefined when it is. */
export function logTrouble({
  stopped,
  isBehind,
  isStalled,
}: Pick<Log, 'stopped' | 'isBehind' | 'isStalled'>): string | undefined {
  if (stopped !== undefined) return `the log stopped: ${stopped.actual}`;
  if (isStalled) return 'entries wait, and no sequencer takes them';
  return isBehind ? 'the last checkpoint waits for its witnesses' : undefined;
}

function logMissing(published: readonly LogAuthority[], logId: Uint8Array, what: string): string | undefined {
  return published.some((one) => equalBytes(one.logId, logId)) ? undefined : `the key of ${what}`;
}
