/** Opens a log where its settings say: a folder, a bucket, or a database that other processes share. */
import { hostname as machineName } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toHex } from '#base/bytes';
import type { PublicKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import type { LogStore } from '#platform/store';
import { openStore, type StoreSettings } from '#platform/store-open';
import { type Log, type LogOptions, openFront, openLog, runSequencer } from '#tlog';
import { TREE } from './checks.ts';
import type { StationDeps } from './frame.ts';

/** How long a sequencer that is silent keeps its turn. */
export const LEASE_MS = 5000;

/** With a database: front ends take entries, one sequencer at a time commits them. */
export type LogRole = 'all' | 'front' | 'sequencer';

/** What a log service is opened with, besides what it is. */
export interface LogHome {
  readonly dataDir?: string;
  readonly lockFile?: string;
  readonly store?: LogStore;
  readonly engine?: (options: LogOptions) => Promise<Log>;
}

export interface PlacedLog<Service> {
  readonly service: Service;
  /** Of a log in a folder: where its lock is. */
  readonly tree: { readonly lockFile?: string };
  /** 1 while this process sequences; undefined where there is nobody to take turns with. */
  readonly term?: () => number;
  close(): Promise<void>;
}

interface Wanted {
  readonly place: StoreSettings;
  readonly role: LogRole;
  readonly key: PublicKey;
}

/** Errors: WB-1212 without a place for the lock, those of `openStore` and of `open`. */
export async function openPlacedLog<Service extends { close(): Promise<void> }>(
  { place, role, key }: Wanted,
  deps: StationDeps,
  open: (home: LogHome) => Promise<Service>,
): Promise<PlacedLog<Service>> {
  if (place.kind === 'embedded') {
    const tree = { lockFile: deps.lockFile(key, place.lockFile) };
    const service = await open({ dataDir: join(deps.dataDir, TREE), ...tree });
    return { service, tree, close: () => service.close() };
  }
  const opened = await openStore(place);
  const { store, queue } = opened;
  // For the names of v1's search alone: they can be made again from the log.
  const home = { store, dataDir: join(deps.dataDir, 'search') };
  const end = new AbortController();
  let sequencing: Sequencing | undefined;
  let service: Service | undefined;
  // Each whatever became of the one before: a sequencer that is left holds the lease.
  const close = async (): Promise<void> => {
    try {
      await service?.close();
    } finally {
      end.abort();
      await closing(sequencing?.ended, opened);
    }
  };
  try {
    if (queue === undefined) {
      service = await open(home);
      return { service, tree: {}, close };
    }
    const engine: LogHome['engine'] = async (options) => {
      if (role !== 'front') sequencing = await startSequencer(options, place, deps, end.signal);
      return openWhenThere(() => openFront({ ...options, queue, random: deps.random }));
    };
    service = await open({ ...home, engine });
    return { service, tree: {}, term: () => sequencing?.term() ?? 0, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Closes when `work` is over, well or not. */
async function closing(
  work: Promise<void> | undefined,
  opened: { readonly close: () => Promise<void> },
): Promise<void> {
  try {
    await work;
  } finally {
    await opened.close();
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
  { signer, cosign, create, personality }: LogOptions,
  place: StoreSettings,
  { clock, random, log }: StationDeps,
  signal: AbortSignal,
): Promise<Sequencing> {
  const opened = await openStore(place);
  const { store, queue, lease } = opened;
  if (queue === undefined || lease === undefined) throw new Error('a database has a queue and a lease');
  let isOurs = 0;
  const kind = {
    ...(cosign === undefined ? {} : { cosign }),
    ...(personality === undefined ? {} : { personality }),
  };
  const holder = `${machineName()} ${process.pid} ${toHex(random.bytes(4))}`;
  const running = runSequencer(
    {
      election: { cell: lease, holder, leaseMs: LEASE_MS, clock },
      queue,
      open: () => openLog({ store, signer, clock, create: create === true, ...kind }),
      onTerm: (event) => {
        isOurs = event.kind === 'began' ? 1 : 0;
        log.info({ ...event }, 'term of a sequencer');
      },
    },
    signal,
  );
  const ended = closing(running, opened);
  return { ended, term: () => isOurs };
}
