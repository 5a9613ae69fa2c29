/** The stations that log: certificates (RFC 6962) and signatures (Rekor v1, v2), on one machine or many. */
import { hostname as machineName } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { equalBytes, toBase64, toHex, utf8Text } from '#base/bytes';
import { publicKeyPem } from '#base/crypto';
import { limits } from '#base/limits';
import { fail, reasonText, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { formatVerifierKey } from '#formats/cosignature';
import { parseCheckpoint, parseNote } from '#formats/note';
import { pemDecode } from '#formats/pem';
import type { LogAuthority } from '#formats/trusted-root';
import { readPublishedText } from '#platform/checkpoint-lock';
import { readFileLimited } from '#platform/files';
import { openStore, type StoreSettings } from '#platform/store-open';
import { createCt, registerCt } from '#services/ct';
import { createLog, type InactiveShard, type LogConfig, type LogService, registerLog } from '#services/log';
import {
  type Cosigner,
  cosignWith,
  FROZEN_LINE,
  type Log,
  type LogOptions,
  openFront,
  openLog,
  parseWitnessPolicy,
  runSequencer,
} from '#tlog';
import { TREE } from './checks.ts';
import type { StationDeps, StationParts } from './frame.ts';
import { R } from './reasons.ts';
import { ctRoutes, entriesMade, logMetrics } from './station-metrics.ts';
import { logPlace, type PlaceSettings } from './store-url.ts';

const FILE_BYTES_MAX = 1024 * 1024;
const LEASE_MS = 5000;

export interface CtSettings {
  /** Name of the log in its checkpoints. */
  readonly name?: string;
  /** PEM files of roots whose chains are taken; read again when they change. */
  readonly rootFiles: readonly string[];
  /** File of the checkpoint lock, out of the folder that is backed up. */
  readonly lockFile?: string;
}

export async function ctParts(settings: CtSettings, deps: StationDeps): Promise<StationParts> {
  const { keys, clock, log, dataDir, isInit } = deps;
  const { name, rootFiles, lockFile } = settings;
  if (name === undefined || (rootFiles.length === 0 && !isInit)) {
    throw fail(R.settings, { expected: '--name and --root', actual: 'one of them, or none' });
  }
  const readRoots = async (): Promise<readonly Uint8Array[]> =>
    (await Promise.all(rootFiles.map((path) => readFileLimited(path, FILE_BYTES_MAX)))).flatMap((bytes) =>
      unwrap(pemDecode(utf8Text(bytes), 'CERTIFICATE')).map(({ der }) => der),
    );
  const key = await keys.openKey('log', 'p256');
  const tree = { dataDir: join(dataDir, TREE), lockFile: deps.lockFile(key.publicKey, lockFile) };
  const ct = await createCt({ origin: name, key, roots: [], ...tree, create: deps.isFirst, clock, log });
  const addRoots = async (): Promise<void> => {
    for (const der of await readRoots()) ct.addRoot(der);
  };
  if (!isInit) await addRoots();
  const pem = publicKeyPem(ct.publicKey);
  return {
    bodyBytesMax: limits.logRequestBytes,
    isOpenToWrites: true,
    register: (app, logger) => registerCt(app, ct, logger),
    tree: { lockFile: tree.lockFile },
    about: { station: 'ct', createdAt: deps.createdAt, key: pem, logId: toBase64(ct.logId) },
    files: { 'ctfe.pub': pem },
    missing: ({ ctlogs }) => logMissing(ctlogs, ct.logId, 'the certificate log'),
    unready: () => stoppedText(ct.log),
    metrics: (metrics) => {
      logMetrics(metrics, () => ct.log);
      metrics.made(entriesMade(ctRoutes));
    },
    reload: addRoots,
    close: () => ct.close(),
  };
}

export interface LogSettings extends PlaceSettings {
  /** With a database: front ends take entries, one sequencer at a time commits them. */
  readonly role: 'all' | 'front' | 'sequencer';
  /** v1: data directories of frozen logs this one follows, oldest first. */
  readonly inactiveDirs?: readonly string[];
  readonly witnessPolicyFile?: string;
  /** Publish after a while with what the witnesses gave. */
  readonly isWitnessOptional?: boolean;
}

export async function logParts(settings: LogSettings, deps: StationDeps): Promise<StationParts> {
  const { keys, clock, log, dataDir } = deps;
  const { api, hostname, lockFile } = settings;
  if (hostname === undefined) throw fail(R.settings, { expected: '--hostname NAME', actual: 'none' });
  const key = await keys.openKey('log', api === 'v1' ? 'p256' : 'ed25519');
  const inactive = await inactiveShards(settings, deps);
  const base: LogConfig = { api, hostname, key, clock, log, inactive, create: deps.isFirst };
  const place = logPlace(settings, dataDir);
  const cosign = await cosignerFor(settings, deps);
  const cosigned = cosign === undefined ? {} : { cosign };
  let opened: OpenedLog;
  const kept: { lockFile?: string } = {};
  if (place.kind === 'embedded') {
    kept.lockFile = deps.lockFile(key.publicKey, lockFile);
    const service = await createLog({ ...base, ...cosigned, dataDir: join(dataDir, TREE), ...kept });
    opened = { service, close: () => service.close() };
  } else opened = await openShared({ ...base, ...cosigned }, { place, role: settings.role }, deps);
  const { service } = opened;
  const pem = publicKeyPem(service.publicKey);
  return {
    bodyBytesMax: api === 'v1' ? limits.logEnvelopeBytes : limits.logRequestBytes,
    isOpenToWrites: settings.role !== 'sequencer',
    register: (app, logger) => {
      if (settings.role !== 'sequencer') return registerLog(app, service, logger);
      app.get('/healthz', async () => ({ status: 'ok' }));
    },
    tree: kept,
    about: { station: 'log', createdAt: deps.createdAt, api, key: pem, logId: toBase64(service.logId) },
    files: {
      'rekor.pub': pem,
      // What witnesses and monitors are told of a log: `waybill witness --log`.
      ...(api === 'v2'
        ? { 'verifier-key': `${formatVerifierKey(hostname, service.publicKey, 'log')}\n` }
        : {}),
    },
    missing: ({ tlogs }) => logMissing(tlogs, service.logId, 'the transparency log'),
    unready: () => stoppedText(service.log),
    metrics: (metrics) => {
      logMetrics(metrics, () => service.log);
      metrics.made(entriesMade([`/api/${api}/log/entries`]));
      const { term } = opened;
      if (term !== undefined) metrics.gauge('sequencer', '1 while this process sequences.', () => term());
    },
    close: () => opened.close(),
  };
}

/** Throws WB-1212 for a directory without the key of a log. */
async function inactiveShards(
  { inactiveDirs = [], api }: LogSettings,
  { keysOf }: StationDeps,
): Promise<InactiveShard[]> {
  if (inactiveDirs.length > 0 && api === 'v2') {
    throw fail(R.settings, { expected: '--inactive with --api v1', actual: 'v2: each has a URL of its own' });
  }
  const shards: InactiveShard[] = [];
  for (const dir of inactiveDirs) {
    const key = await keysOf(dir).findKey('log');
    if (key === undefined) throw fail(R.settings, { expected: `the key of a log in ${dir}`, actual: 'none' });
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

interface OpenedLog {
  readonly service: LogService;
  /** 1 while this process sequences. */
  readonly term?: () => number;
  close(): Promise<void>;
}

/** Over a store that other processes share. */
async function openShared(
  config: LogConfig,
  { place, role }: { readonly place: StoreSettings; readonly role: LogSettings['role'] },
  deps: StationDeps,
): Promise<OpenedLog> {
  const opened = await openStore(place);
  const { queue } = opened;
  // For the names of v1's search alone: they can be made again from the log.
  const shared = { ...config, store: opened.store, dataDir: `${deps.dataDir}/search` };
  if (queue === undefined) {
    const service = await createLog(shared);
    return { service, close: () => service.close().then(() => opened.close()) };
  }
  const end = new AbortController();
  let sequencing: Sequencing | undefined;
  const close = async (service: LogService | undefined): Promise<void> => {
    await service?.close();
    end.abort();
    await sequencing?.ended;
    await opened.close();
  };
  try {
    const service = await createLog({
      ...shared,
      engine: async (options) => {
        if (role !== 'front') sequencing = await startSequencer(options, place, deps, end.signal);
        return openWhenThere(() => openFront({ ...options, queue, random: deps.random }));
      },
    });
    const term = (): number => sequencing?.term() ?? 0;
    return { service, term, close: () => close(service) };
  } catch (error) {
    await close(undefined);
    throw error;
  }
}

const START_MS_MAX = 15_000;
const LOOK_MS = 100;

/** A front end may start before the first sequencer has made the log. */
async function openWhenThere(open: () => Promise<Log>): Promise<Log> {
  for (let waited = 0; ; waited += LOOK_MS) {
    try {
      return await open();
    } catch (error) {
      const isMissing = error instanceof WaybillError && error.reason.code === 'WB-411';
      if (!isMissing || waited >= START_MS_MAX) throw error;
      await sleep(LOOK_MS);
    }
  }
}

interface Sequencing {
  readonly ended: Promise<void>;
  /** 1 while this process sequences. */
  term(): number;
}

/** Campaigns with a store of its own: a term closes the store it wrote to. */
async function startSequencer(
  { signer, cosign, create }: LogOptions,
  place: StoreSettings,
  { clock, random, log }: StationDeps,
  signal: AbortSignal,
): Promise<Sequencing> {
  const opened = await openStore(place);
  const { store, queue, lease } = opened;
  if (queue === undefined || lease === undefined) throw new Error('a database has a queue and a lease');
  let isOurs = 0;
  const cosigned = cosign === undefined ? {} : { cosign };
  const holder = `${machineName()} ${process.pid} ${toHex(random.bytes(4))}`;
  const running = runSequencer(
    {
      election: { cell: lease, holder, leaseMs: LEASE_MS, clock },
      queue,
      open: () => openLog({ store, signer, clock, create: create === true, ...cosigned }),
      onTerm: (event) => {
        isOurs = event.kind === 'began' ? 1 : 0;
        log.info({ ...event }, 'term of a sequencer');
      },
    },
    signal,
  );
  const ended = running.then(() => opened.close());
  return { ended, term: () => isOurs };
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

function stoppedText({ stopped, isBehind }: Pick<Log, 'stopped' | 'isBehind'>): string | undefined {
  if (stopped !== undefined) return `the log stopped: ${stopped.actual}`;
  return isBehind ? 'the last checkpoint waits for its witnesses' : undefined;
}

function logMissing(published: readonly LogAuthority[], logId: Uint8Array, what: string): string | undefined {
  return published.some((one) => equalBytes(one.logId, logId)) ? undefined : `the key of ${what}`;
}
