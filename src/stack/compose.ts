/**
 * A private stack for development in one process and one data directory: identity, certificates, logs, time,
 * trust and images. One trust domain on one machine: its issuer mints any identity for whoever reaches it.
 */
import { join, resolve } from 'node:path';
import type { Clock } from '#base/clock';
import { publicKeyPem } from '#base/crypto';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import type { Secret } from '#base/secret';
import { makeFolders, writeFileDurable } from '#platform/files';
import { lockFolder } from '#platform/folder-lock';
import { httpTransport } from '#platform/http-client';
import { createHttpServer, listen } from '#platform/http-server';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger, type Logger, type LogLevel } from '#platform/telemetry';
import { Tracer, type TraceSettings } from '#platform/traces';
import { isLoopback, type TokenRequest } from '#services/oidc';
import { clientTrustConfigBytes, type SimulatedProvider, type Simulation, stackTrustFiles } from '#trust';
import { type Administration, openAdministration } from './administration.ts';
import { readRestored, settleRestored } from './backup.ts';
import { environmentText, oldEnvironmentText } from './environment.ts';
import { factsOf } from './facts.ts';
import { type Generations, writeGenerations } from './generations.ts';
import { generationsToOpen, isInside, requireTufRoot, rootHash, withKeys } from './kept.ts';
import type { Origins } from './layout.ts';
import { logNames, withSuccessors } from './lost-log.ts';
import { chainPem, type Published, publishedMaterial } from './material.ts';
import type { Closers, StackTime } from './opener.ts';
import { stackView } from './page-view.ts';
import { protectKeys } from './protected-keys.ts';
import { R } from './reasons.ts';
import { Rotation, withOrigins } from './rotation.ts';
import { TimeWatch } from './serve/record.ts';
import { organizationOf, requireSameKind, simulationOf } from './simulate.ts';
import type { StackMetrics } from './stack-metrics.ts';
import type { StackSignerSettings } from './stack-signer.ts';
import { readState, STATE_SCHEMA, type StackState, writeState } from './state.ts';
import { openStations, type Stations } from './stations.ts';
import { StackTls, TLS_CA_FILE } from './tls.ts';

export interface StackConfig {
  readonly dataDir: string;
  /** Where the checkpoint locks of its logs are kept: apart from the data, so that a copy of it cannot fork them. */
  readonly lockDir: string;
  /** Locks that are lost are made again: only when nothing was signed after this data. */
  readonly hasLostLocks?: boolean;
  /** What the registry held is lost for good: it begins anew. */
  readonly hasLostImages?: boolean;
  /** Loopback only; default 127.0.0.1. */
  readonly host?: string;
  /** First of the ports; 0 (default): free ones, the same again at later starts where possible. */
  readonly portBase?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Lines of the services on standard error; default `warn`. */
  readonly logLevel?: LogLevel;
  /** O of the certificates and operator of the services; default `waybill-dev`. */
  readonly organization?: string;
  /** Play this issuer: a trust domain of its own that nothing outside may rely on (docs/guide.md). */
  readonly simulate?: SimulatedProvider;
  /** With `simulate`: further repositories that are read and written elsewhere. */
  readonly mirrors?: Simulation['mirrors'];
  /** Every key of the stack is encrypted under this; keys that lie there plain are encrypted at the start. */
  readonly passphrase?: Secret;
  /** A program beside it that holds keys of its stations (docs/keys.md). */
  readonly signer?: StackSignerSettings;
  /** Servers of time the clock is compared with: without a majority of them nothing is stamped. */
  readonly time?: StackTime;
  /** HTTPS with an authority of its own, for everything but images. Once begun it stays. */
  readonly tls?: boolean;
  /** Serves /metrics of all stations; loopback as well. */
  readonly metrics?: { readonly port: number; readonly withAliases: boolean };
  /** Where traces of requests go. */
  readonly traces?: TraceSettings;
}

export interface Stack {
  /** Where /metrics is, when it was asked for. */
  readonly metricsOrigin?: string;
  readonly dataDir: string;
  /** As it is now: a rotation may move a log to another address. */
  readonly state: StackState;
  readonly origins: Origins;
  /** `127.0.0.1:PORT`: what stands before the first slash of an image reference. */
  readonly registryHost: string;
  readonly published: Published;
  readonly stations: Stations;
  readonly rotation: Rotation;
  /** A token of the development issuer. */
  mint(request: TokenRequest): Promise<Secret>;
  close(): Promise<void>;
}

const RENEW_INTERVAL_MS = 3_600_000;
const ROTATION_INTERVAL_MS = 1000;
const CLOCK_INTERVAL_MS = 60_000;

/**
 * Starts everything. Throws WB-1201, WB-1205, WB-1213 (a key or root that is not the published one), WB-1215 (a clock
 * that went back), WB-409 and WB-411 (data and lock of a log do not fit, or its data is gone), WB-1104 (the registry is
 * gone), WB-210 (in use), WB-211 (port taken) and what a station throws.
 */
export async function composeStack(config: StackConfig): Promise<Stack> {
  const { dataDir, host = '127.0.0.1', clock = systemClock, random = systemRandom } = config;
  if (!isLoopback(host)) throw fail(R.host, { expected: 'a loopback address', actual: JSON.stringify(host) });
  await makeFolders(dataDir, 0o700);
  const closers: Closers = [];
  const lock = lockFolder(dataDir);
  closers.push(() => lock.release());
  try {
    const before = await readState(dataDir);
    const watch = await TimeWatch.open(dataDir, clock);
    closers.push(() => watch.keep());
    const createdAt = before?.createdAt ?? Math.floor(clock.now() / 1000) * 1000;
    requireSameKind(before, config.simulate);
    const organization = config.organization ?? organizationOf(config.simulate);
    await requireTufRoot(dataDir, before);
    const known = withSuccessors(await generationsToOpen(dataDir, createdAt, before), clock.now());
    const logLevel = config.logLevel ?? 'warn';
    const { passphrase } = config;
    await protectKeys(dataDir, passphrase, createLogger('keys', logLevel));
    warnOfLocks(config, logLevel);
    const tls = await StackTls.open(dataDir, config.tls === true, { clock, random }, passphrase);
    // Written before a station is up: the authority reads it to reach the issuer.
    if (tls !== undefined) await writeFileDurable(join(dataDir, TLS_CA_FILE), tls.caPem);
    const metrics = config.metrics && (await openMetrics(config.metrics.withAliases));
    const tracer = config.traces && openTracer(config.traces, { clock, random, logLevel }, closers);
    const stations = await openStations(
      {
        dataDir,
        host,
        portBase: config.portBase ?? 0,
        ...{ before: before?.origins ?? {}, isFirst: before === undefined },
        ...{ generations: known, organization, clock, random, logLevel, lockDir: config.lockDir },
        ...asked(config),
        ...(tls === undefined ? {} : { tls }),
        watch: (name, app) => {
          metrics?.of(name).watch(app);
          tracer?.watch(app);
        },
      },
      closers,
    );
    // Written down before anything is published: from now on these keys, and no others.
    const generations = withAddresses(
      withKeys(known, (name, number) => stations.keysOf(name, number)),
      stations,
    );
    await writeGenerations(dataDir, generations);
    metrics?.about(stations, clock);
    const metricsOrigin = metrics && (await serveMetrics(metrics, config, closers));
    const stack = new RunningStack(
      { ...config, clock, random },
      {
        ...{ createdAt, organization, stations, closers, tls },
        ...(metricsOrigin === undefined ? {} : { metricsOrigin }),
      },
    );
    // Renewed first: after a long pause even the root may have expired, and nothing new verifies then.
    await stations.tuf.renew();
    await stack.start(generations, logLevel);
    const seen = async (): Promise<void> => {
      watch.look();
      await watch.keep();
    };
    every(CLOCK_INTERVAL_MS, seen, createLogger('clock', logLevel), closers);
    return stack;
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** Where there are several generations of a log, each goes on where it is. */
const withAddresses = (all: Generations, stations: Stations): Generations =>
  logNames
    .filter((name) => all.stations[name].length > 1)
    .reduce((next, name) => withOrigins(next, name, stations), all);

/** What was asked for beyond the least, as it is handed on. */
function asked({ hasLostLocks, hasLostImages, simulate, passphrase, signer, time }: StackConfig) {
  return {
    ...(hasLostLocks === true ? { hasLostLocks } : {}),
    ...(hasLostImages === true ? { hasLostImages } : {}),
    ...(simulate === undefined ? {} : { simulate }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(signer === undefined ? {} : { signer }),
    ...(time === undefined ? {} : { time }),
  };
}

function warnOfLocks({ dataDir, lockDir }: StackConfig, logLevel: LogLevel): void {
  if (!isInside(dataDir, lockDir)) return;
  const text =
    'the checkpoint locks lie in the data folder: whoever copies it takes them along and can fork a log';
  createLogger('stack', logLevel).warn({ lockDir }, text);
}

/** Loaded only when it is asked for: a stack is up the sooner. */
async function openMetrics(withAliases: boolean): Promise<StackMetrics> {
  const { StackMetrics } = await import('./stack-metrics.ts');
  return new StackMetrics(withAliases);
}

function openTracer(
  settings: TraceSettings,
  deps: { readonly clock: Clock; readonly random: Random; readonly logLevel: LogLevel },
  closers: Closers,
): Tracer {
  const log = createLogger('traces', deps.logLevel);
  const tracer = new Tracer(settings, { ...deps, log, transport: httpTransport() });
  closers.push(() => tracer.close());
  return tracer;
}

async function serveMetrics(
  metrics: StackMetrics,
  { host = '127.0.0.1', metrics: asked, logLevel = 'warn' }: StackConfig,
  closers: Closers,
): Promise<string> {
  const app = createHttpServer({ log: createLogger('metrics', logLevel), bodyBytesMax: 1024 });
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  closers.push(() => app.close());
  return listen(app, host, asked?.port ?? 0);
}

interface RunningParts {
  readonly tls: StackTls | undefined;
  readonly metricsOrigin?: string;
  readonly createdAt: number;
  readonly organization: string;
  readonly stations: Stations;
  readonly closers: Closers;
}

class RunningStack implements Stack {
  readonly dataDir: string;
  readonly stations: Stations;
  readonly metricsOrigin?: string;
  readonly #config: StackConfig & { readonly clock: Clock; readonly random: Random };
  readonly #parts: RunningParts;
  #shown: { readonly state: StackState; readonly published: Published } | undefined;
  #rotation: Rotation | undefined;
  #administration: Administration | undefined;

  constructor(config: StackConfig & { readonly clock: Clock; readonly random: Random }, parts: RunningParts) {
    this.dataDir = config.dataDir;
    this.#config = config;
    this.#parts = parts;
    this.stations = parts.stations;
    if (parts.metricsOrigin !== undefined) this.metricsOrigin = parts.metricsOrigin;
  }

  get state(): StackState {
    return this.#ready(this.#shown).state;
  }

  get published(): Published {
    return this.#ready(this.#shown).published;
  }

  get rotation(): Rotation {
    return this.#ready(this.#rotation);
  }

  get origins(): Origins {
    return this.stations.origins;
  }

  get registryHost(): string {
    return new URL(this.origins.registry).host;
  }

  mint(request: TokenRequest): Promise<Secret> {
    return this.stations.oidc.mint(request);
  }

  close(): Promise<void> {
    return closeAll(this.#parts.closers);
  }

  async start(generations: Generations, level: LogLevel): Promise<void> {
    const { closers, stations } = this.#parts;
    const { clock, dataDir } = this.#config;
    const log = createLogger('rotation', level);
    const publish = (next: Generations): Promise<void> => this.#publish(next);
    const check = (next: Generations): void => void this.#material(next);
    this.#rotation = new Rotation({ dataDir, stations, generations, clock, log, check, publish });
    this.#administration = await openAdministration(
      dataDir,
      { rotation: this.#rotation, tuf: stations.tuf },
      log,
    );
    closers.push(() => this.#administration?.close());
    await this.#publish(generations);
    await this.#rotation.step();
    await this.#settleRestored();
    every(RENEW_INTERVAL_MS, () => stations.tuf.renew(), createLogger('tuf', level), closers);
    every(ROTATION_INTERVAL_MS, () => this.rotation.step(), log, closers);
    const { tls } = this.#parts;
    if (tls !== undefined) every(RENEW_INTERVAL_MS, async () => tls.renew(), log, closers);
    closers.push(() => this.rotation.settled());
  }

  /**
   * Logs that came from a backup take nothing more: what they signed after it was made is not known here. Clients may
   * know later metadata than the backup has, and would follow nothing older.
   */
  async #settleRestored(): Promise<void> {
    const restored = await readRestored(this.dataDir);
    if (restored === undefined) return;
    await this.stations.tuf.outrun();
    if (!restored.continueLogs) await this.#succeedLogs();
    await settleRestored(this.dataDir);
  }

  async #succeedLogs(): Promise<void> {
    for (const station of ['ct', 'log', 'log2'] as const) {
      const isUnderWay = this.rotation.generations.pending.some((one) => one.station === station);
      if (!isUnderWay) await this.rotation.rotate({ station, overlapMs: 0 });
      else
        while (this.rotation.generations.pending.some((one) => one.station === station))
          await this.rotation.hasten(station);
    }
  }

  /** Makes the TUF repository, the public files and the state say what the generations are now. */
  async #publish(generations: Generations): Promise<void> {
    const { createdAt, stations } = this.#parts;
    const { clock, random, dataDir, simulate, mirrors = [] } = this.#config;
    const published = this.#material(generations);
    await stations.tuf.publish(published.targets);
    await writePublic(dataDir, stations, published);
    const { origins } = stations;
    const state: StackState = {
      schema: STATE_SCHEMA,
      development: true,
      createdAt,
      origins,
      pid: process.pid,
      tufRoot: rootHash(await stations.tuf.initialRoot()),
      lockDir: resolve(this.#config.lockDir),
      ...(this.#administration === undefined ? {} : { admin: this.#administration.socket }),
      ...(simulate === undefined ? {} : { simulate: simulationOf(simulate, this.registryHost, mirrors) }),
      ...(this.#parts.tls === undefined ? {} : { tlsCa: TLS_CA_FILE }),
    };
    await writeState(dataDir, state);
    this.#shown = { state, published };
    const { trustedRoot } = published;
    stations.page.open({ clock, view: stackView({ state, dataDir, stations, trustedRoot, clock, random }) });
  }

  #material(generations: Generations): Published {
    const { createdAt, organization, stations } = this.#parts;
    return publishedMaterial(factsOf(stations, generations, { createdAt, organization }));
  }

  #ready<T>(value: T | undefined): T {
    if (value === undefined) throw new Error('the stack is starting');
    return value;
  }
}

/** Runs `work` again and again until the stack closes; a failure is logged and tried again. */
function every(milliseconds: number, work: () => Promise<unknown>, log: Logger, closers: Closers): void {
  const timer = setInterval(() => {
    work().catch((error: unknown) => log.error({ err: error }, 'background work failed'));
  }, milliseconds);
  timer.unref();
  closers.push(() => clearInterval(timer));
}

/** Everything clients may be given, as files; nothing secret. */
async function writePublic(dataDir: string, stations: Stations, published: Published): Promise<void> {
  const { trustedRoot, signingConfig, signingConfigV2 } = published;
  const files: Record<string, Uint8Array | string> = {
    [stackTrustFiles.trustedRoot]: trustedRoot,
    [stackTrustFiles.signingConfig]: signingConfig,
    [stackTrustFiles.signingConfigV2]: signingConfigV2,
    [stackTrustFiles.trustConfig]: clientTrustConfigBytes(trustedRoot, signingConfig),
    [stackTrustFiles.tufRoot]: await stations.tuf.initialRoot(),
    'public/fulcio_chain.pem': chainPem([stations.ca.intermediate, stations.ca.root]),
    'public/tsa_chain.pem': chainPem(stations.tsa.chain),
    // Of the logs that take entries: the newest key signs nothing before its overlap is over.
    'public/rekor.pub': publicKeyPem(stations.changing.logs.current.publicKey),
    'public/ctfe.pub': publicKeyPem(stations.changing.cts.current.publicKey),
    'public/env': environmentText(dataDir, stations.origins),
    'public/env-cosign2': oldEnvironmentText(dataDir),
  };
  for (const [name, data] of Object.entries(files)) await writeFileDurable(join(dataDir, name), data);
}

async function closeAll(closers: Closers): Promise<void> {
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
}
