/** Whether a stack runs, how long its trust lives, how large its logs are: asked over HTTP like any client. */

import { join } from 'node:path';
import type { Clock } from '#base/clock';
import { WaybillError } from '#base/reason';
import type { Transport } from '#platform/http-client';
import { type Expiry, endingSoon, loadTrust, stackTrustFiles, type Trust } from '#trust';
import { expiriesOf, type StackExpiry } from './expiries.ts';
import { type Generation, type Pending, readGenerations, rotatable } from './generations.ts';
import { lossesIn, type StackFinding } from './in-order.ts';
import { type Origins, type StationName, stations } from './layout.ts';
import { logStatus } from './log-status.ts';
import { requireState, type StackState, stackTransport } from './state.ts';

export interface StationStatus {
  readonly name: StationName;
  readonly title: string;
  readonly url: string;
  readonly isUp: boolean;
  /** Logs only: entries in the newest checkpoint. */
  readonly entries?: number;
  /** Logs only: when the newest checkpoint was published, milliseconds since the epoch. */
  readonly checkpointAt?: number;
  /** Logs only: names of those who cosigned the newest checkpoint. */
  readonly witnesses?: readonly string[];
  /** Logs only: the last checkpoint says that nothing follows. */
  readonly isFrozen?: boolean;
  /** Every key it has had, oldest first; absent for stations that do not rotate. */
  readonly generations?: readonly Generation[];
  /** A rotation under way. */
  readonly pending?: Pending;
}

export interface StatusDeps {
  readonly transport: Transport;
  readonly cacheDir: string;
  readonly clock: Clock;
}

export interface StackStatus {
  readonly state: StackState;
  readonly stations: readonly StationStatus[];
  /** Of the TUF metadata, as a client verifies it from the pinned root; absent when it does not answer. */
  readonly trust?: NonNullable<Trust['tuf']>;
  /** What ends within `WARN_DAYS` or has ended, and does not renew itself. */
  readonly ending: readonly Expiry[];
  /** Everything that ends, soonest first. */
  readonly expiries: readonly StackExpiry[];
  /** What was published and is not in the folder any more, or not as it was. */
  readonly losses: readonly StackFinding[];
  readonly isUp: boolean;
}

const TIMEOUT_MS = 3000;
export const WARN_DAYS = 14;
const DAY_MS = 86_400_000;

/** Throws WB-1202 when the folder holds no stack. A station that is down is data. */
export async function stackStatus(dataDir: string, given: StatusDeps): Promise<StackStatus> {
  const state = await requireState(dataDir);
  const deps = { ...given, transport: stackTransport(dataDir, state, given.transport) };
  const generations = await readGenerations(dataDir, state.createdAt);
  const each = await Promise.all(
    (await stationStates(state.origins, deps.transport)).map(async (station): Promise<StationStatus> => {
      const { name, url, isUp } = station;
      const isLog = name === 'ct' || name === 'log' || name === 'log2';
      const place = { url, dataDir, generations };
      const log = isUp && isLog ? await logStatus(deps.transport, { ...place, name }) : undefined;
      const had = rotatable.find((one) => one === name);
      const pending = generations.pending.find((one) => one.station === name);
      return {
        ...station,
        ...log,
        ...(had === undefined ? {} : { generations: generations.stations[had] }),
        ...(pending === undefined ? {} : { pending }),
      };
    }),
  );
  const trust = await trustOf(dataDir, state, deps);
  const isUp = each.every((station) => station.isUp);
  const expiries = await expiriesOf(dataDir, state, trust);
  const now = deps.clock.now();
  return {
    state,
    stations: each,
    isUp,
    expiries,
    losses: await lossesIn(dataDir, state, isUp),
    ...(trust?.tuf === undefined ? {} : { trust: trust.tuf }),
    ending: [
      ...(trust === undefined ? [] : endingSoon(trust, now, WARN_DAYS)),
      ...expiries.filter(({ what }) => what.startsWith('TLS')).flatMap((one) => soon(one, now)),
    ],
  };
}

const soon = ({ what, at }: StackExpiry, now: number): Expiry[] =>
  at > now + WARN_DAYS * DAY_MS ? [] : [{ what, at, state: at < now ? 'expired' : 'soon' }];

/** Which stations answer. */
export function stationStates(origins: Origins, transport: Transport): Promise<readonly StationStatus[]> {
  return Promise.all(
    stations.map(async ({ name, title }) => {
      const url = origins[name];
      return { name, title, url, isUp: await answers(transport, `${url}${healthPath[name] ?? '/healthz'}`) };
    }),
  );
}

const healthPath: Partial<Record<StationName, string>> = { registry: '/v2/' };

async function answers(transport: Transport, url: string): Promise<boolean> {
  try {
    return (await transport.request({ url, timeoutMs: TIMEOUT_MS })).status === 200;
  } catch (error) {
    if (error instanceof WaybillError) return false;
    throw error;
  }
}

async function trustOf(
  dataDir: string,
  state: StackState,
  { transport, cacheDir }: StatusDeps,
): Promise<Trust | undefined> {
  try {
    const root = join(dataDir, stackTrustFiles.tufRoot);
    const source = { kind: 'tuf', mirror: state.origins.tuf, root, cacheDir } as const;
    return await loadTrust(source, { transport });
  } catch (error) {
    if (error instanceof WaybillError) return undefined;
    throw error;
  }
}
