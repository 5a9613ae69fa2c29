/** Opens one generation of one station, with its keys, its folder and, where it has its own, its server. */
import { join } from 'node:path';
import type { Clock } from '#base/clock';
import type { KeyHolder, KeyKind, PublicKey, Signer } from '#base/crypto';
import { limits } from '#base/limits';
import type { Random } from '#base/random';
import type { Secret } from '#base/secret';
import { adoptLock, lockFileOf } from '#platform/checkpoint-lock';
import { httpTransport, type Transport } from '#platform/http-client';
import { createHttpServer, type HttpApp, listen } from '#platform/http-server';
import { sntpSource } from '#platform/sntp';
import { createLogger, type Logger, type LogLevel } from '#platform/telemetry';
import type { Claims, MissingLog } from '#services/audit';
import { type Ca, createCa } from '#services/ca';
import { type CtLog, createCt, registerCt } from '#services/ct';
import { createLog, type LogService, registerLog } from '#services/log';
import type { OidcIssuer } from '#services/oidc';
import { type ClockWatch, createTsa, openClockWatch, type Tsa } from '#services/tsa';
import type { SimulatedProvider } from '#trust';
import { auditHooks } from './audit-feed.ts';
import { folderOf, type Generation, type Generations, type LostMark, type Rotatable } from './generations.ts';
import { developmentIssuers } from './issuers.ts';
import type { OpenedKeys } from './kept.ts';
import { type Origins, portOf, type StationName } from './layout.ts';
import { authorityOf, type LogName, registerLost } from './lost-log.ts';
import { fingerprint, type WatchedKeys, watchedKeys } from './serve/record.ts';
import { redirected, SIMULATED_ISSUER } from './simulate.ts';
import { StackSigner, type StackSignerSettings } from './stack-signer.ts';
import { type StackTls, TLS_CA_FILE } from './tls.ts';

export interface StationDeps {
  readonly dataDir: string;
  readonly host: string;
  readonly portBase: number;
  /** Origins of an earlier start: their ports are asked for again. */
  readonly before: Partial<Origins>;
  readonly generations: Generations;
  readonly organization: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logLevel: LogLevel;
  /** Where the checkpoint locks of the logs are kept. */
  readonly lockDir: string;
  /** Locks that are lost are made again from the logs' own checkpoints. */
  readonly hasLostLocks?: boolean;
  /** The first start of this stack. */
  readonly isFirst: boolean;
  readonly hasLostImages?: boolean;
  readonly simulate?: SimulatedProvider;
  readonly tls?: StackTls;
  readonly passphrase?: Secret;
  /** A program that holds keys of the stations. */
  readonly signer?: StackSignerSettings;
  /** Servers of time the clock is compared with before anything is stamped. */
  readonly time?: StackTime;
  /** Counts and times the requests of a station. */
  readonly watch?: (name: StationName, app: HttpApp) => void;
}

export interface StackTime {
  readonly ntpServers: readonly { readonly host: string; readonly port?: number }[];
  /** How far the clock may be from them, in milliseconds. */
  readonly maxClockOffsetMs: number;
}

/** A log of one generation, served at an address of its own. */
export interface Shard<T> {
  readonly number: number;
  readonly origin: string;
  readonly publicKey: PublicKey;
  readonly logId: Uint8Array;
  /** Absent: it is lost. */
  readonly service?: T;
}

/** Of the current generation, which is never one that is lost. */
export function serviceOf<T>({ service, number }: Shard<T>): T {
  if (service !== undefined) return service;
  throw new Error(`generation ${number} of a log is lost and cannot be current`);
}

/** Something to be closed when the stack stops, in reverse order of opening. */
export type Closers = (() => Promise<void> | void)[];

/** Opens one generation of a station. */
export class Opener {
  /** Every transparency log there is, as the audit service searches them. */
  readonly audited: LogService[] = [];
  /** Those that cannot be searched any more. */
  readonly missing: MissingLog[] = [];
  readonly #deps: StationDeps;
  readonly #closers: Closers;
  readonly #claims: Claims;
  readonly #signer: StackSigner | undefined;
  readonly #keys = new Map<string, WatchedKeys>();
  #watch: Promise<ClockWatch> | undefined;

  constructor(deps: StationDeps, closers: Closers, claims: Claims) {
    this.#deps = deps;
    this.#closers = closers;
    this.#claims = claims;
    this.#signer = deps.signer && new StackSigner(deps.signer, loggerOf(deps, 'signer'));
    closers.push(() => this.#signer?.close());
  }

  /** Serves what `register` adds; returns the origin. */
  async serve(
    name: StationName,
    bodyBytesMax: number,
    register: (app: HttpApp, log: Logger) => void | Promise<void>,
    generation?: Generation,
  ): Promise<string> {
    const { host, portBase, before } = this.#deps;
    const log = loggerOf(this.#deps, name);
    // Clients of registries speak plain http to this machine, whatever else they are told.
    const tls = name === 'registry' ? undefined : this.#deps.tls;
    const app = createHttpServer({ log, bodyBytesMax, ...(tls === undefined ? {} : { tls: tls.pair }) });
    tls?.keep(app);
    this.#deps.watch?.(name, app);
    await register(app, log);
    this.#closers.push(() => app.close());
    const kept = generation?.origin;
    const isLater = generation !== undefined && generation.number > 1;
    const port =
      kept !== undefined ? Number(new URL(kept).port) : isLater ? 0 : portOf(name, portBase, before);
    return listen(app, host, port);
  }

  /** SHA-256 of the keys that were opened, by name; undefined for a generation that was not. */
  keysOf(station: Rotatable, generation: number): OpenedKeys | undefined {
    const found = this.#keys.get(folderOf(station, generation));
    if (found === undefined) return undefined;
    const { opened, elsewhere } = found;
    const keys = Object.fromEntries([...opened].map(([name, key]) => [name, fingerprint(key)]));
    return { keys, elsewhere: [...elsewhere] };
  }

  async ca(oidc: OidcIssuer, ct: CtLog, generation: Generation): Promise<Ca> {
    return createCa({
      ...(await this.#common('ca', generation)),
      issuers: developmentIssuers(oidc),
      ct,
      ctKey: ct.publicKey,
      transport: issuerTransport(this.#deps, oidc),
    });
  }

  async tsa(generation: Generation): Promise<Tsa> {
    const watch = await this.clockWatch();
    const clock = watch === undefined ? {} : { watch };
    return createTsa({ ...(await this.#common('tsa', generation)), ...clock });
  }

  /** Compares the clock for every generation; undefined where no server of time was named. */
  clockWatch(): Promise<ClockWatch | undefined> {
    const { time, clock, random } = this.#deps;
    if (time === undefined) return Promise.resolve(undefined);
    const sources = time.ntpServers.map((server) => sntpSource({ ...server, clock, random }));
    const log = loggerOf(this.#deps, 'tsa');
    this.#watch ??= openClockWatch({ clock, log, sources, maxOffsetMs: time.maxClockOffsetMs }).then(
      (watch) => {
        this.#closers.push(() => watch.close());
        return watch;
      },
    );
    return this.#watch;
  }

  /** Keys of the TUF repository that are in no file. */
  async tufKeys(): Promise<ReadonlyMap<string, KeyHolder>> {
    return (await this.#signer?.tufKeys()) ?? new Map();
  }

  async ct(generation: Generation): Promise<Shard<CtLog>> {
    const { clock, host } = this.#deps;
    if (generation.lost !== undefined) return this.#lost('ct', generation, generation.lost);
    const key = await this.#logKey('ct', generation, 'p256');
    const service = await createCt({
      origin: `${host}/${folderOf('ct', generation.number)}`,
      // The authority's root is added once it is open: each of the two needs the other.
      roots: [],
      ...this.#tree('ct', generation, key),
      ...{ key, clock, log: loggerOf(this.#deps, 'ct') },
    });
    this.#closers.push(() => service.close());
    const register = (app: HttpApp, log: Logger): void => registerCt(app, service, log);
    const origin = await this.serve('ct', limits.logRequestBytes, register, generation);
    const { publicKey, logId } = service;
    return { number: generation.number, origin, publicKey, logId, service };
  }

  async log(name: 'log' | 'log2', generation: Generation): Promise<Shard<LogService>> {
    const { clock, host } = this.#deps;
    if (generation.lost !== undefined) return this.#lost(name, generation, generation.lost);
    const api = name === 'log' ? 'v1' : 'v2';
    const kind = api === 'v1' ? 'p256' : 'ed25519';
    const key = await this.#logKey(name, generation, kind);
    const service = await createLog({
      ...this.#tree(name, generation, key),
      api,
      // Clients find a v2 log's key by the host name of its base URL, port and path dropped.
      hostname: host,
      key,
      clock,
      log: loggerOf(this.#deps, name),
      ...auditHooks(this.#claims, `transparency log, API ${api}`),
    });
    this.#closers.push(() => service.close());
    const register = (app: HttpApp, log: Logger): void => registerLog(app, service, log);
    const bytesMax = api === 'v1' ? limits.logEnvelopeBytes : limits.logRequestBytes;
    const origin = await this.serve(name, bytesMax, register, generation);
    this.audited.push(service);
    const { publicKey, logId } = service;
    return { number: generation.number, origin, publicKey, logId, service };
  }

  /** Nothing is opened: its address says that it is gone. */
  async #lost<T>(name: LogName, generation: Generation, lost: LostMark): Promise<Shard<T>> {
    const origin = await this.serve(name, 1024, registerLost, generation);
    const { number, end = 0 } = generation;
    const authority = authorityOf(lost);
    const size = lost.entries === undefined ? {} : { entries: lost.entries };
    if (name !== 'ct') this.missing.push({ url: origin, logId: authority.logId, until: end, ...size });
    return { number, origin, ...authority };
  }

  async #logKey(
    station: 'ct' | 'log' | 'log2',
    generation: Generation,
    kind: KeyKind,
  ): Promise<Signer | KeyHolder> {
    const keys = this.#keysIn(station, generation);
    const held = await this.#signer?.logKey(station, generation.number, keys);
    return held ?? keys.store.openKey('log', kind);
  }

  async #common(station: 'ca' | 'tsa', generation: Generation) {
    const { clock, random, organization } = this.#deps;
    const { store: keys } = this.#keysIn(station, generation);
    const holders = await this.#signer?.holders(station, generation.number, keys);
    return {
      keys,
      ...(holders === undefined ? {} : { holders }),
      clock,
      random,
      organization,
      log: loggerOf(this.#deps, station),
    };
  }

  /** Made for a generation that is new, required for one that is not. */
  #keysIn(station: Rotatable, { number, keys }: Generation): WatchedKeys {
    const { dataDir, passphrase } = this.#deps;
    const folder = folderOf(station, number);
    const watched = watchedKeys(join(dataDir, folder, 'keys'), keys, passphrase);
    this.#keys.set(folder, watched);
    return watched;
  }

  /** Where the tree and its lock are; a tree is made for a generation that is new alone. */
  #tree(station: Rotatable, { number, keys, isClosed }: Generation, key: { readonly publicKey: PublicKey }) {
    const { dataDir, lockDir, hasLostLocks } = this.#deps;
    const tree = join(dataDir, folderOf(station, number), 'tree');
    const lockFile = lockFileOf(lockDir, key.publicKey);
    if (hasLostLocks === true) adoptLock(tree, lockFile);
    return { dataDir: tree, lockFile, create: keys === undefined, isClosed: isClosed === true };
  }
}

export const loggerOf = (deps: StationDeps, name: string): Logger => createLogger(name, deps.logLevel);

/** How the authority reaches issuers; one that is simulated is looked up here, never at its real address. */
function issuerTransport({ simulate, tls, dataDir }: StationDeps, oidc: OidcIssuer): Transport {
  const direct = httpTransport(tls === undefined ? {} : { caFile: join(dataDir, TLS_CA_FILE) });
  if (simulate === undefined) return direct;
  return redirected(direct, SIMULATED_ISSUER, () => `${oidc.issuer()}/github`);
}
