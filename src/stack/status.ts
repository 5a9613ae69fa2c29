/** Whether a stack runs, how long its trust lives, how large its logs are: asked over HTTP like any client. */

import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import type { Clock } from '#base/clock';
import { WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { parseCheckpoint, parseNote } from '#formats/note';
import type { Transport } from '#platform/http-client';
import { type Expiry, endingSoon, loadTrust, stackTrustFiles, type Trust } from '#trust';
import { type Generation, type Pending, readGenerations, rotatable } from './generations.ts';
import { type Origins, type StationName, stations } from './layout.ts';
import { requireState, type StackState, stackTransport } from './state.ts';

export interface StationStatus {
  readonly name: StationName;
  readonly title: string;
  readonly url: string;
  readonly isUp: boolean;
  /** Logs only: entries in the newest checkpoint. */
  readonly entries?: number;
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
  readonly isUp: boolean;
}

const TIMEOUT_MS = 3000;
export const WARN_DAYS = 14;

/** Throws WB-1202 when the folder holds no stack. A station that is down is data. */
export async function stackStatus(dataDir: string, given: StatusDeps): Promise<StackStatus> {
  const state = await requireState(dataDir);
  const deps = { ...given, transport: stackTransport(dataDir, state, given.transport) };
  const generations = await readGenerations(dataDir, state.createdAt);
  const each = await Promise.all(
    (await stationStates(state.origins, deps.transport)).map(async (station): Promise<StationStatus> => {
      const { name, url, isUp } = station;
      const entries = isUp ? await entriesOf(deps.transport, name, url) : undefined;
      const had = rotatable.find((one) => one === name);
      const pending = generations.pending.find((one) => one.station === name);
      return {
        ...station,
        ...(entries === undefined ? {} : { entries }),
        ...(had === undefined ? {} : { generations: generations.stations[had] }),
        ...(pending === undefined ? {} : { pending }),
      };
    }),
  );
  const trust = await trustOf(dataDir, state, deps);
  return {
    state,
    stations: each,
    isUp: each.every((station) => station.isUp),
    ...(trust?.tuf === undefined ? {} : { trust: trust.tuf }),
    ending: trust === undefined ? [] : endingSoon(trust, deps.clock.now(), WARN_DAYS),
  };
}

/** Which stations answer. */
export function stationStates(
  origins: Origins,
  transport: Transport,
): Promise<readonly Omit<StationStatus, 'entries'>[]> {
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

async function entriesOf(transport: Transport, name: StationName, url: string): Promise<number | undefined> {
  if (name === 'log') {
    const answer = await transport.request({ url: `${url}/api/v1/log`, timeoutMs: TIMEOUT_MS });
    const size = attempt(() => reader(unwrap(parseJson(answer.body))).integer('treeSize'));
    return size.ok ? size.value : undefined;
  }
  const path = { log2: '/api/v2/checkpoint' }[name as 'log2'];
  if (path === undefined) return undefined;
  const answer = await transport.request({ url: url + path, timeoutMs: TIMEOUT_MS });
  const head = attempt(() => unwrap(parseCheckpoint(unwrap(parseNote(utf8Text(answer.body))).text)));
  return head.ok ? head.value.size : undefined;
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
