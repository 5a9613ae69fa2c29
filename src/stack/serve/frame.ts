/**
 * One station in a process of its own: the same order of checks, servers and shutdown for all of them.
 *
 * Start: own folder → lock → record (version, keys) → clock → the station opens its keys and data → published keys →
 * listen. What contradicts is refused before a port is open. End: no new connection, what is under way finishes,
 * data is closed, the lock is given back.
 */
import { join } from 'node:path';
import type { Clock } from '#base/clock';
import type { PublicKey } from '#base/crypto';
import { limits } from '#base/limits';
import type { Random } from '#base/random';
import { fail, reasonText, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import type { Secret } from '#base/secret';
import { parseTrustedRoot, type TrustedRoot } from '#formats/trusted-root';
import { makeFolders, readFileLimited, writeFileDurable } from '#platform/files';
import { lockFolder } from '#platform/folder-lock';
import type { Transport } from '#platform/http-client';
import {
  createHttpServer,
  type HttpApp,
  type HttpTimes,
  listen,
  useCertificate,
} from '#platform/http-server';
import { fileKeyStore, type KeyStore } from '#platform/key-store';
import type { LoadedTls, TlsFiles } from '#platform/server-tls';
import { createLogger, type Logger, type LogLevel } from '#platform/telemetry';
import { Tracer, type TraceSettings } from '#platform/traces';
import type { Closers } from '../opener.ts';
import { refuseDevelopment } from '../state.ts';
import { CertificateFiles } from './certificate-files.ts';
import { lockPlace, requireAdmin, requireWriters } from './checks.ts';
import { watchClients } from './clients.ts';
import type { StationMetrics } from './metrics.ts';
import { type PublicFile, publicFileText } from './public-file.ts';
import { R } from './reasons.ts';
import { fingerprint, readRecord, requireOwnFolder, TimeWatch, watchedKeys, writeRecord } from './record.ts';
import { openTenants } from './tenants.ts';

export interface Address {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

export interface StationSettings {
  readonly dataDir: string;
  readonly listen: Address;
  /** Metrics and health on an address of their own. */
  readonly admin?: Address;
  /** That address may be beyond this machine. */
  readonly isAdminPublic?: boolean;
  readonly tls?: TlsFiles;
  /** `trusted_root.json` as it is published: the station's key must be in it. */
  readonly trustedRootFile?: string;
  /** Who may write, and how much. Absent: anybody on this machine, without a quota. */
  readonly tenantsFile?: string;
  /** Anybody may write who reaches it, beyond this machine too. */
  readonly hasPublicWrites?: boolean;
  /** Also show metrics under the names Sigstore's servers give them. */
  readonly sigstoreMetrics?: boolean;
  readonly passphrase?: Secret;
  /** Where the checkpoint lock of a log is kept, unless it is given a file of its own. */
  readonly lockDir?: string;
  /** A lock that is lost is made again: only when nothing was signed after this data. */
  readonly hasLostLock?: boolean;
  /** Where traces of requests go. */
  readonly traces?: TraceSettings;
  readonly logLevel: LogLevel;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  /** What clients are held to, where it is not the default. */
  readonly times?: Partial<HttpTimes>;
  /** How often files are looked at again, in milliseconds. Default 10 s. */
  readonly reloadMs?: number;
}

/** What a station is given. */
export interface StationDeps extends Pick<StationSettings, 'clock' | 'random' | 'transport'> {
  readonly dataDir: string;
  readonly keys: KeyStore;
  /** Says that this is the station's key of the name, which lies elsewhere. Throws WB-1213 for another than before. */
  noteKey(name: string, key: PublicKey): void;
  /** For stations that keep keys in files of their own kind. */
  readonly passphrase?: Secret;
  /** The keys of an earlier generation in another data directory. */
  keysOf(dataDir: string): KeyStore;
  readonly log: Logger;
  readonly createdAt: number;
  /** `--init`: keys are made, nothing is served. */
  readonly isInit: boolean;
  /** True at the first start: a log may be made. */
  readonly isFirst: boolean;
  /** Of a log in a folder: the file of its checkpoint lock. `asked` is what the operator named. Throws WB-1212. */
  lockFile(key: PublicKey, asked?: string): string;
}

/** What a station brings. */
export interface StationParts {
  readonly bodyBytesMax: number;
  /** What is written is nobody's in particular: without tenants, whoever reaches it may. */
  readonly isOpenToWrites?: boolean;
  register(app: HttpApp, log: Logger): void | Promise<void>;
  /** What others need to know of it. */
  readonly about: PublicFile;
  /** Of a log in a folder: where its checkpoint lock is. */
  readonly tree?: { readonly lockFile?: string };
  /** Further files for `public/`. */
  readonly files?: Readonly<Record<string, string>>;
  /** What of its keys a published root lacks; absent: its keys are not published there. */
  missing?(root: TrustedRoot): string | undefined;
  /** Why it is not ready; undefined when it is. */
  unready?(): string | undefined;
  metrics?(metrics: StationMetrics): void;
  /** Reads its files again: every `reloadMs`, and at a hang-up signal. */
  reload?(): Promise<void>;
  /** Told once where it is reached. */
  listening?(origin: string): void;
  close(): Promise<void>;
}

export interface RunningStation {
  readonly origin: string;
  readonly adminOrigin?: string;
  readonly about: PublicFile;
  /** Looks at all files now. */
  reload(): Promise<void>;
  /** Resolves with why the station cannot go on: the clock went back, for example. */
  readonly failed: Promise<WaybillError>;
  close(): Promise<void>;
}

const RELOAD_MS = 10_000;
const PUBLIC = 'public';
const KEYS = 'keys';

type Make = (deps: StationDeps) => Promise<StationParts>;

/** Starts a station. Throws WB-1212 to WB-1215, WB-210, WB-211, WB-216, WB-219 and what the station throws. */
export async function openStation(
  station: string,
  settings: StationSettings,
  make: Make,
): Promise<RunningStation> {
  const closers: Closers = [];
  try {
    const opened = await prepare(station, settings, make, { isInit: false, closers });
    return await serve(station, settings, opened, closers);
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** Makes the keys and public files of a station and ends. Errors as `openStation`. */
export async function initStation(
  station: string,
  settings: StationSettings,
  make: Make,
): Promise<PublicFile> {
  const closers: Closers = [];
  try {
    return (await prepare(station, settings, make, { isInit: true, closers })).parts.about;
  } finally {
    await closeAll(closers);
  }
}

interface Opened {
  readonly parts: StationParts;
  readonly watch: TimeWatch;
  readonly log: Logger;
}

async function prepare(
  station: string,
  settings: StationSettings,
  make: Make,
  { isInit, closers }: { readonly isInit: boolean; readonly closers: Closers },
): Promise<Opened> {
  const { dataDir, clock, random, transport } = settings;
  requireAdmin(settings);
  await makeFolders(dataDir, 0o700);
  await requireOwnFolder(dataDir);
  const lock = lockFolder(dataDir);
  closers.push(() => lock.release());
  await refuseDevelopment(dataDir);
  const record = await readRecord(dataDir, station);
  const watch = await TimeWatch.open(dataDir, clock);
  const { store, opened, note } = watchedKeys(join(dataDir, KEYS), record?.keys, settings.passphrase);
  const createdAt = record?.createdAt ?? Math.floor(clock.now() / 1000) * 1000;
  const log = createLogger(station, settings.logLevel);
  const keysOf = (other: string): KeyStore => fileKeyStore(join(other, KEYS), settings.passphrase);
  const parts = await make({
    ...{ dataDir, keys: store, noteKey: note, keysOf, clock, random, transport, log, createdAt, isInit },
    ...(settings.passphrase === undefined ? {} : { passphrase: settings.passphrase }),
    // The record is written when keys and tree are there: with it, neither is made again.
    isFirst: record === undefined,
    lockFile: (key, asked) => lockPlace(settings, record?.lockFile, { key, asked, log }),
  });
  closers.push(() => parts.close());
  requireWriters(settings, parts, isInit);
  await requirePublished(settings, parts);
  const keys = Object.fromEntries([...opened].map(([name, key]) => [name, fingerprint(key)]));
  const { tree } = parts;
  await writeRecord(dataDir, {
    ...{ station, createdAt, keys: { ...record?.keys, ...keys } },
    ...tree,
  });
  const files = { 'station.json': publicFileText(parts.about), ...parts.files };
  for (const [name, text] of Object.entries(files)) await writeFileDurable(join(dataDir, PUBLIC, name), text);
  return { parts, watch, log };
}

async function requirePublished(
  { trustedRootFile }: StationSettings,
  { missing }: StationParts,
): Promise<void> {
  if (trustedRootFile === undefined || missing === undefined) return;
  const root = unwrap(parseTrustedRoot(await readFileLimited(trustedRootFile, limits.trustedRootBytes)));
  const what = missing(root);
  if (what === undefined) return;
  throw fail(R.otherKey, { expected: `${what} in ${trustedRootFile}`, actual: 'other keys' });
}

async function serve(
  station: string,
  settings: StationSettings,
  { parts, watch, log }: Opened,
  closers: Closers,
): Promise<RunningStation> {
  const tls = settings.tls === undefined ? undefined : new CertificateFiles(settings.tls, log);
  const pair = await tls?.open();
  const tenants = await openTenants(settings, log);
  const app = createHttpServer({
    log,
    bodyBytesMax: parts.bodyBytesMax,
    ...(settings.times === undefined ? {} : { times: settings.times }),
    ...(pair === undefined ? {} : { tls: pair }),
  });
  const { StationMetrics } = await import('./metrics.ts');
  const metrics = new StationMetrics(station, settings.sigstoreMetrics === true);
  const failure = Promise.withResolvers<WaybillError>();
  const unready = (): string | undefined => parts.unready?.();
  if (settings.traces !== undefined) {
    const tracer = new Tracer(settings.traces, { ...settings, log });
    closers.push(() => tracer.close());
    tracer.watch(app);
  }
  if (settings.tls?.clientCaFile !== undefined) watchClients(app, log);
  tenants?.guard(app);
  metrics.watch(app);
  app.get('/readyz', (_request, reply) => {
    const why = unready();
    const status = why === undefined ? 200 : 503;
    return reply
      .code(status)
      .type('text/plain')
      .send(why ?? 'ok');
  });
  await parts.register(app, log);
  parts.metrics?.(metrics);
  if (tls !== undefined) metrics.expiry('tls', () => ({ server: tls.notAfter }));
  closers.push(() => app.close());
  const origin = await listen(app, settings.listen.host, settings.listen.port);
  parts.listening?.(origin);
  const adminOrigin = await openAdmin(settings, { metrics, unready, log }, closers);
  let hasFailed = false;
  metrics.gauge('reload_failed', '1 when its files could not be read again.', () => Number(hasFailed));
  const reload = async (): Promise<void> => {
    const done = [
      await kept('certificate', log, async () => {
        if ((await tls?.refresh()) === true) useCertificate(app, tls?.current as LoadedTls);
      }),
      await kept('tenants', log, async () => tenants?.refresh()),
      await kept('settings', log, async () => parts.reload?.()),
    ];
    hasFailed = done.includes(false);
  };
  const everyMs = settings.reloadMs ?? RELOAD_MS;
  watchTime({ watch, failure, everyMs, log, reload }, closers);
  return {
    origin,
    ...(adminOrigin === undefined ? {} : { adminOrigin }),
    about: parts.about,
    reload,
    failed: failure.promise,
    close: () => closeAll(closers),
  };
}

interface Watched {
  readonly watch: TimeWatch;
  readonly failure: PromiseWithResolvers<WaybillError>;
  readonly everyMs: number;
  readonly log: Logger;
  readonly reload: () => Promise<void>;
}

/** Looks at the clock and at all files again and again. */
function watchTime({ watch, failure, everyMs, log, reload }: Watched, closers: Closers): void {
  const look = async (): Promise<void> => {
    try {
      watch.look();
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      return failure.resolve(error);
    }
    await kept('time', log, () => watch.keep());
    await reload();
  };
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  closers.push(
    () => watch.keep(),
    () => clearInterval(timer),
  );
}

/** What was good stays in force when its replacement is not; false then. */
async function kept(what: string, log: Logger, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    const why = error instanceof WaybillError ? reasonText(error.reason) : String(error);
    log.error({ what, why }, 'not reloaded; what was there stays in force');
    return false;
  }
}

async function openAdmin(
  { admin }: StationSettings,
  parts: { readonly metrics: StationMetrics; unready(): string | undefined; readonly log: Logger },
  closers: Closers,
): Promise<string | undefined> {
  if (admin === undefined) return undefined;
  const app = createHttpServer({ log: parts.log, bodyBytesMax: 1024 });
  app.get('/healthz', (_request, reply) => reply.type('text/plain').send('ok'));
  app.get('/readyz', (_request, reply) => {
    const why = parts.unready();
    const status = why === undefined ? 200 : 503;
    return reply
      .code(status)
      .type('text/plain')
      .send(why ?? 'ok');
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(parts.metrics.contentType).send(await parts.metrics.text()),
  );
  closers.push(() => app.close());
  return listen(app, admin.host, admin.port);
}

async function closeAll(closers: Closers): Promise<void> {
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
}
