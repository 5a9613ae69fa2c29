/** Opens each station of a development stack in its own HTTP server. Every opener says what it needs first. */
import { join } from 'node:path';
import type { Clock } from '#base/clock';
import { limits } from '#base/limits';
import type { Random } from '#base/random';
import { httpTransport, type Transport } from '#platform/http-client';
import { createHttpServer, type HttpApp, listen } from '#platform/http-server';
import { fileKeyStore } from '#platform/key-store';
import { createLogger, type Logger, type LogLevel } from '#platform/telemetry';
import { AuditIndex, Claims, ImageRecords, Page, registerAudit, registerPage } from '#services/audit';
import { type Ca, createCa, registerCa } from '#services/ca';
import { type CtLog, createCt, registerCt } from '#services/ct';
import { createLog, type LogApi, type LogService, registerLog } from '#services/log';
import { createOidc, type OidcIssuer, registerOidc } from '#services/oidc';
import { type OnManifest, type RegistryService, registerRegistry } from '#services/registry';
import { createTsa, registerTsa, type Tsa } from '#services/tsa';
import { createTuf, registerTuf, type Tuf } from '#services/tuf';
import type { SimulatedProvider } from '#trust';
import { AttachmentFeed, auditHooks } from './audit-feed.ts';
import { imageListener, noteOldImages } from './image-records.ts';
import { developmentIssuers } from './issuers.ts';
import { type Origins, portOf, type StationName } from './layout.ts';
import { issuerNamesOf, redirected, SIMULATED_ISSUER } from './simulate.ts';

export interface StationDeps {
  readonly dataDir: string;
  readonly host: string;
  readonly portBase: number;
  /** Origins of an earlier start: their ports are asked for again. */
  readonly before: Partial<Origins>;
  readonly organization: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logLevel: LogLevel;
  readonly simulate?: SimulatedProvider;
}

export interface Stations {
  readonly origins: Origins;
  readonly oidc: OidcIssuer;
  readonly ca: Ca;
  readonly ct: CtLog;
  readonly log: LogService;
  readonly log2: LogService;
  readonly tsa: Tsa;
  readonly tuf: Tuf;
  readonly registry: RegistryService;
  /** Images that were pushed, and when first. */
  readonly images: ImageRecords;
  /** Shows nothing before it is opened. */
  readonly page: Page;
}

/** Something to be closed when the stack stops, in reverse order of opening. */
export type Closers = (() => Promise<void> | void)[];

/** Opens all stations; what was opened is in `closers` also when a later one fails. */
export async function openStations(deps: StationDeps, closers: Closers): Promise<Stations> {
  const origins: Partial<Record<StationName, string>> = {};
  const up = async <T>(
    name: StationName,
    bodyBytesMax: number,
    register: (app: HttpApp, log: Logger) => T | Promise<T>,
  ): Promise<T> => {
    const log = loggerOf(deps, name);
    const app = createHttpServer({ log, bodyBytesMax });
    const registered = await register(app, log);
    closers.push(() => app.close());
    origins[name] = await listen(app, deps.host, portOf(name, deps.portBase, deps.before));
    return registered;
  };

  const oidc = await openOidc(deps, () => origins.oidc ?? '');
  await up('oidc', 64 * 1024, (app) => registerOidc(app, oidc));

  const ct = await openCt(deps);
  closers.push(() => ct.close());
  await up('ct', limits.logRequestBytes, (app, logger) => registerCt(app, ct, logger));

  const ca = await openCa(deps, oidc, ct);
  ct.addRoot(ca.root.der);
  closers.push(() => ca.close());
  await up('ca', limits.caRequestBytes, (app, log) => registerCa(app, { ca, log }));

  const claims = new Claims({ dataDir: join(deps.dataDir, 'audit') }, deps.clock);
  closers.push(() => claims.close());
  const log = await openLog(deps, 'log', 'v1', claims);
  closers.push(() => log.close());
  await up('log', limits.logRequestBytes, (app, logger) => registerLog(app, log, logger));
  const log2 = await openLog(deps, 'log2', 'v2', claims);
  closers.push(() => log2.close());
  await up('log2', limits.logRequestBytes, (app, logger) => registerLog(app, log2, logger));

  const tsa = await createTsa({ ...common(deps, 'tsa'), log: loggerOf(deps, 'tsa') });
  closers.push(() => tsa.close());
  await up('tsa', limits.tsaRequestBytes, (app, logger) => registerTsa(app, { tsa, log: logger }));

  const tuf = await createTuf({ dir: join(deps.dataDir, 'tuf'), clock: deps.clock });
  closers.push(() => tuf.close());
  await up('tuf', 1024, (app) => registerTuf(app, tuf));

  const index = new AuditIndex({ claims, logs: [log, log2] });
  const page = new Page();
  await up('audit', 1024, (app) => {
    registerAudit(app, index);
    registerPage(app, page);
  });

  const images = new ImageRecords(join(deps.dataDir, 'audit'), deps.clock);
  closers.push(() => images.close());
  const registry = await up('registry', limits.manifestBytes, (app, logger) =>
    openRegistry(deps, { app, feed: new AttachmentFeed(claims, logger), images, logger }, closers),
  );
  return { origins: origins as Origins, oidc, ca, ct, log, log2, tsa, tuf, registry, images, page };
}

const loggerOf = (deps: StationDeps, name: string): Logger => createLogger(name, deps.logLevel);

function common({ dataDir, clock, random, organization }: StationDeps, name: string) {
  return { keys: fileKeyStore(join(dataDir, name, 'keys')), clock, random, organization };
}

function openOidc(
  { dataDir, clock, random, simulate }: StationDeps,
  origin: () => string,
): Promise<OidcIssuer> {
  const issuerNames = issuerNamesOf(simulate);
  const named = issuerNames === undefined ? {} : { issuerNames };
  return createOidc({ dir: join(dataDir, 'oidc'), origin, clock, random, ...named });
}

async function openCt(deps: StationDeps): Promise<CtLog> {
  const { dataDir, clock, host } = deps;
  const key = await fileKeyStore(join(dataDir, 'ct', 'keys')).openKey('log', 'p256');
  // The authority's root is added once it is open: each of the two needs the other.
  const options = { origin: `${host}/ct`, roots: [], dataDir: join(dataDir, 'ct', 'tree') };
  return createCt({ ...options, key, clock, log: loggerOf(deps, 'ct') });
}

interface RegistryParts {
  readonly app: HttpApp;
  readonly feed: AttachmentFeed;
  readonly images: ImageRecords;
  readonly logger: Logger;
}

async function openRegistry(
  { dataDir, clock, random }: StationDeps,
  { app, feed, images, logger }: RegistryParts,
  closers: Closers,
): Promise<RegistryService> {
  const attachments = feed.listener(() => registry);
  const pushed = imageListener(images, logger);
  const onManifest: OnManifest = (...manifest) => {
    attachments(...manifest);
    pushed(...manifest);
  };
  const config = { dataDir: join(dataDir, 'registry') };
  const registry = await registerRegistry(app, config, { clock, random, onManifest });
  feed.catchUp(registry);
  noteOldImages(images, registry);
  closers.push(
    () => registry.close(),
    () => feed.stop(),
  );
  return registry;
}

function openCa(deps: StationDeps, oidc: OidcIssuer, ct: CtLog): Promise<Ca> {
  return createCa({
    ...common(deps, 'ca'),
    issuers: developmentIssuers(oidc),
    ct,
    ctKey: ct.publicKey,
    transport: issuerTransport(deps, oidc),
    log: loggerOf(deps, 'ca'),
  });
}

/** How the authority reaches issuers; one that is simulated is looked up here, never at its real address. */
function issuerTransport({ simulate }: StationDeps, oidc: OidcIssuer): Transport {
  const direct = httpTransport();
  if (simulate === undefined) return direct;
  return redirected(direct, SIMULATED_ISSUER, () => `${oidc.issuer()}/github`);
}

async function openLog(
  deps: StationDeps,
  name: 'log' | 'log2',
  api: LogApi,
  claims: Claims,
): Promise<LogService> {
  const { dataDir, clock, host } = deps;
  const key = await fileKeyStore(join(dataDir, name, 'keys')).openKey(
    'log',
    api === 'v1' ? 'p256' : 'ed25519',
  );
  return createLog({
    api,
    // Clients find a v2 log's key by the host name of its base URL, port and path dropped.
    hostname: host,
    key,
    dataDir: join(dataDir, name, 'tree'),
    clock,
    log: loggerOf(deps, name),
    ...auditHooks(claims, `transparency log, API ${api}`),
  });
}
