/** Opens each station of a development stack in its own HTTP server. Every opener says what it needs first. */
import { join } from 'node:path';
import { limits } from '#base/limits';
import type { HttpApp } from '#platform/http-server';
import type { Logger } from '#platform/telemetry';
import { AuditIndex, Claims, ImageRecords, Page, registerAudit, registerPage } from '#services/audit';
import { type Ca, registerCa } from '#services/ca';
import type { CtLog } from '#services/ct';
import type { LogService } from '#services/log';
import { createOidc, type OidcIssuer, registerOidc } from '#services/oidc';
import { type OnManifest, type RegistryService, registerRegistry } from '#services/registry';
import { type ClockWatch, registerTsa, type Tsa } from '#services/tsa';
import { createTuf, registerTuf, type Tuf } from '#services/tuf';
import { AttachmentFeed } from './audit-feed.ts';
import { currentOf, type Generation, type Generations, type Rotatable } from './generations.ts';
import { imageListener, noteOldImages } from './image-records.ts';
import type { OpenedKeys } from './kept.ts';
import { type Origins, REGISTRY_FOLDER, type StationName } from './layout.ts';
import { type Closers, Opener, type Shard, type StationDeps, serviceOf } from './opener.ts';
import { Rotating, rotatingCa, rotatingTsa } from './rotating.ts';
import { issuerNamesOf } from './simulate.ts';

/** What is opened once, for as long as the stack runs. */
interface Fixed {
  readonly origins: Origins;
  readonly oidc: OidcIssuer;
  readonly tuf: Tuf;
  readonly registry: RegistryService;
  /** Images that were pushed, and when first. */
  readonly images: ImageRecords;
  /** Shows nothing before it is opened. */
  readonly page: Page;
  /** Compares the clock with servers of time, where some were named. */
  readonly clockWatch: ClockWatch | undefined;
}

/** What changes its keys while the stack runs, every generation of it. */
interface Changing {
  readonly cas: Rotating<Ca>;
  readonly tsas: Rotating<Tsa>;
  readonly cts: Rotating<Shard<CtLog>>;
  readonly logs: Rotating<Shard<LogService>>;
  readonly logs2: Rotating<Shard<LogService>>;
}

/** The stations; those that rotate are seen in their current generation. */
export class Stations {
  readonly oidc: OidcIssuer;
  readonly tuf: Tuf;
  readonly registry: RegistryService;
  readonly images: ImageRecords;
  readonly page: Page;
  readonly clockWatch: ClockWatch | undefined;
  readonly changing: Changing;
  readonly #opener: Opener;
  readonly #origins: Origins;

  constructor(fixed: Fixed, changing: Changing, opener: Opener) {
    this.oidc = fixed.oidc;
    this.tuf = fixed.tuf;
    this.registry = fixed.registry;
    this.images = fixed.images;
    this.page = fixed.page;
    this.clockWatch = fixed.clockWatch;
    this.changing = changing;
    this.#origins = fixed.origins;
    this.#opener = opener;
  }

  get origins(): Origins {
    const { cts, logs, logs2 } = this.changing;
    const logsNow = { ct: cts.current.origin, log: logs.current.origin, log2: logs2.current.origin };
    return { ...this.#origins, ...logsNow };
  }

  get ca(): Ca {
    return this.changing.cas.current;
  }

  get tsa(): Tsa {
    return this.changing.tsas.current;
  }

  get ct(): CtLog {
    return serviceOf(this.changing.cts.current);
  }

  get log(): LogService {
    return serviceOf(this.changing.logs.current);
  }

  get log2(): LogService {
    return serviceOf(this.changing.logs2.current);
  }

  /** SHA-256 of the keys of a generation, by name. */
  keysOf(station: Rotatable, generation: number): OpenedKeys | undefined {
    return this.#opener.keysOf(station, generation);
  }

  /** Opens a further generation; it is believed as soon as it is published, and signs nothing yet. */
  async add(station: Rotatable, generation: Generation): Promise<void> {
    const { cas, tsas, cts, logs, logs2 } = this.changing;
    const opener = this.#opener;
    if (station === 'ca') {
      const ca = await opener.ca(this.oidc, this.ct, generation);
      for (const { service } of cts.all) service?.addRoot(ca.root.der);
      cas.add(ca);
    } else if (station === 'tsa') tsas.add(await opener.tsa(generation));
    else if (station === 'ct') {
      const shard = await opener.ct(generation);
      for (const ca of cas.all) shard.service?.addRoot(ca.root.der);
      cts.add(shard);
    } else (station === 'log' ? logs : logs2).add(await opener.log(station, generation));
  }

  /** The newest generation signs from now on. */
  async switch(station: Rotatable, generations: Generations): Promise<void> {
    const { cas, tsas, cts, logs, logs2 } = this.changing;
    if (station === 'tsa') tsas.use(tsas.all.at(-1) as Tsa);
    else if (station === 'ca') cas.use(cas.all.at(-1) as Ca);
    else if (station === 'ct') {
      cts.use(cts.all.at(-1) as Shard<CtLog>);
      // The authorities that still issue, or will, promise by the log that is current.
      for (const [index, ca] of cas.all.entries()) {
        const generation = generations.stations.ca[index] as Generation;
        cas.replace(ca, await this.#opener.ca(this.oidc, this.ct, generation));
      }
    } else {
      const rotating = station === 'log' ? logs : logs2;
      rotating.use(rotating.all.at(-1) as Shard<LogService>);
    }
  }

  /** The log before the newest takes no more entries. */
  async freezeBefore(station: 'ct' | 'log' | 'log2'): Promise<void> {
    const { cts, logs, logs2 } = this.changing;
    const all = { ct: cts.all, log: logs.all, log2: logs2.all }[station];
    await all.at(-2)?.service?.freeze();
  }
}

/** Opens all stations; what was opened is in `closers` also when a later one fails. */
export async function openStations(deps: StationDeps, closers: Closers): Promise<Stations> {
  const claims = new Claims({ dataDir: join(deps.dataDir, 'audit') }, deps.clock);
  closers.push(() => claims.close());
  const opener = new Opener(deps, closers, claims);
  const { generations, clock } = deps;
  const origins: Partial<Record<StationName, string>> = {};
  const up = async (
    name: StationName,
    bodyBytesMax: number,
    register: (app: HttpApp, log: Logger) => void | Promise<void>,
  ): Promise<void> => {
    origins[name] = await opener.serve(name, bodyBytesMax, register);
  };

  const oidc = await openOidc(deps, () => origins.oidc ?? '');
  await up('oidc', 64 * 1024, (app) => registerOidc(app, oidc));

  const cts = await rotatingOf(generations, 'ct', (one) => opener.ct(one));
  const cas = await rotatingOf(generations, 'ca', (one) => opener.ca(oidc, serviceOf(cts.current), one));
  for (const { service } of cts.all) for (const ca of cas.all) service?.addRoot(ca.root.der);
  closers.push(() => rotatingCa(cas).close());
  await up('ca', limits.caRequestBytes, (app, log) => registerCa(app, { ca: rotatingCa(cas), log }));

  const logs = await rotatingOf(generations, 'log', (one) => opener.log('log', one));
  const logs2 = await rotatingOf(generations, 'log2', (one) => opener.log('log2', one));

  const tsas = await rotatingOf(generations, 'tsa', (one) => opener.tsa(one));
  closers.push(() => rotatingTsa(tsas).close());
  await up('tsa', limits.tsaRequestBytes, (app, log) => registerTsa(app, { tsa: rotatingTsa(tsas), log }));

  const elsewhere = await opener.tufKeys();
  const tuf = await createTuf({ dir: join(deps.dataDir, 'tuf'), clock, elsewhere, ...protectedBy(deps) });
  closers.push(() => tuf.close());
  await up('tuf', 1024, (app) => registerTuf(app, tuf));

  const index = new AuditIndex({ claims, logs: opener.audited, missing: opener.missing });
  const page = new Page();
  await up('audit', 1024, (app) => {
    registerAudit(app, index);
    registerPage(app, page);
  });

  const images = new ImageRecords(join(deps.dataDir, 'audit'), clock);
  closers.push(() => images.close());
  const opened: { registry?: RegistryService } = {};
  await up('registry', limits.manifestBytes, async (app, logger) => {
    const feed = new AttachmentFeed(claims, logger);
    opened.registry = await openRegistry(deps, { app, feed, images, logger }, closers);
  });
  const registry = opened.registry as RegistryService;
  const clockWatch = await opener.clockWatch();
  const logOrigins = { ct: cts.current.origin, log: logs.current.origin, log2: logs2.current.origin };
  return new Stations(
    { origins: { ...origins, ...logOrigins } as Origins, oidc, tuf, registry, images, page, clockWatch },
    { cas, tsas, cts, logs, logs2 },
    opener,
  );
}

async function rotatingOf<T>(
  generations: Generations,
  station: Rotatable,
  open: (generation: Generation) => Promise<T>,
): Promise<Rotating<T>> {
  const all: T[] = [];
  for (const generation of generations.stations[station]) all.push(await open(generation));
  const current = currentOf(generations, station).number;
  return new Rotating(all, all[current - 1] as T);
}

const protectedBy = ({ passphrase }: StationDeps): Pick<StationDeps, 'passphrase'> =>
  passphrase === undefined ? {} : { passphrase };

function openOidc(deps: StationDeps, origin: () => string): Promise<OidcIssuer> {
  const { dataDir, clock, random, simulate } = deps;
  const issuerNames = issuerNamesOf(simulate);
  const named = issuerNames === undefined ? {} : { issuerNames };
  return createOidc({ dir: join(dataDir, 'oidc'), origin, clock, random, ...named, ...protectedBy(deps) });
}

interface RegistryParts {
  readonly app: HttpApp;
  readonly feed: AttachmentFeed;
  readonly images: ImageRecords;
  readonly logger: Logger;
}

async function openRegistry(
  { dataDir, clock, random, isFirst, hasLostImages }: StationDeps,
  { app, feed, images, logger }: RegistryParts,
  closers: Closers,
): Promise<RegistryService> {
  const attachments = feed.listener(() => registry);
  const pushed = imageListener(images, logger);
  const onManifest: OnManifest = (...manifest) => {
    attachments(...manifest);
    pushed(...manifest);
  };
  const create = isFirst || hasLostImages === true;
  const config = { dataDir: join(dataDir, REGISTRY_FOLDER), create };
  const registry = await registerRegistry(app, config, { clock, random, onManifest });
  feed.catchUp(registry);
  noteOldImages(images, registry);
  closers.push(
    () => registry.close(),
    () => feed.stop(),
  );
  return registry;
}
