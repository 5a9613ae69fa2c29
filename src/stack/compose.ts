/**
 * A private stack for development in one process and one data directory: identity, certificates, logs, time,
 * trust and images. One trust domain on one machine: its issuer mints any identity for whoever reaches it.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import type { Secret } from '#base/secret';
import { writeFileDurable } from '#platform/files';
import { lockFolder } from '#platform/folder-lock';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger, type LogLevel } from '#platform/telemetry';
import { isLoopback, type TokenRequest } from '#services/oidc';
import { clientTrustConfigBytes, type SimulatedProvider, type Simulation, stackTrustFiles } from '#trust';
import { environmentText, oldEnvironmentText } from './environment.ts';
import type { Origins } from './layout.ts';
import { chainPem, type Published, publishedMaterial } from './material.ts';
import { stackView } from './page-view.ts';
import { R } from './reasons.ts';
import { organizationOf, requireSameKind, simulationOf } from './simulate.ts';
import { readState, STATE_SCHEMA, type StackState, writeState } from './state.ts';
import { type Closers, openStations, type Stations } from './stations.ts';

export interface StackConfig {
  readonly dataDir: string;
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
}

export interface Stack {
  readonly dataDir: string;
  readonly state: StackState;
  readonly origins: Origins;
  /** `127.0.0.1:PORT`: what stands before the first slash of an image reference. */
  readonly registryHost: string;
  readonly published: Published;
  readonly stations: Stations;
  /** A token of the development issuer. */
  mint(request: TokenRequest): Promise<Secret>;
  close(): Promise<void>;
}

const RENEW_INTERVAL_MS = 3_600_000;

/** Starts everything. Throws WB-1201, WB-1205, WB-210 (in use), WB-211 (port taken) and what a station throws. */
export async function composeStack(config: StackConfig): Promise<Stack> {
  const { dataDir, host = '127.0.0.1', clock = systemClock, random = systemRandom } = config;
  if (!isLoopback(host)) throw fail(R.host, { expected: 'a loopback address', actual: JSON.stringify(host) });
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const closers: Closers = [];
  const lock = lockFolder(dataDir);
  closers.push(() => lock.release());
  try {
    const before = await readState(dataDir);
    const createdAt = before?.createdAt ?? Math.floor(clock.now() / 1000) * 1000;
    requireSameKind(before, config.simulate);
    const organization = config.organization ?? organizationOf(config.simulate);
    const deps = {
      dataDir,
      host,
      portBase: config.portBase ?? 0,
      before: before?.origins ?? {},
      organization,
      clock,
      random,
      logLevel: config.logLevel ?? 'warn',
      ...(config.simulate === undefined ? {} : { simulate: config.simulate }),
    };
    const stations = await openStations(deps, closers);
    const { origins } = stations;
    const published = publishedMaterial(factsOf(stations, createdAt, organization));
    // Renewed first: after a long pause even the root may have expired, and nothing new verifies then.
    await stations.tuf.renew();
    await stations.tuf.publish(published.targets);
    keepRenewed(stations, deps.logLevel, closers);
    await writePublic(dataDir, stations, published);
    const registryHost = new URL(origins.registry).host;
    const state: StackState = {
      schema: STATE_SCHEMA,
      development: true,
      createdAt,
      origins,
      pid: process.pid,
      ...(config.simulate === undefined
        ? {}
        : { simulate: simulationOf(config.simulate, registryHost, config.mirrors ?? []) }),
    };
    await writeState(dataDir, state);
    const { trustedRoot } = published;
    stations.page.open({ clock, view: stackView({ state, stations, trustedRoot, clock, random }) });
    return {
      dataDir,
      state,
      origins,
      registryHost,
      published,
      stations,
      mint: (request) => stations.oidc.mint(request),
      close: () => closeAll(closers),
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

function factsOf(stations: Stations, createdAt: number, organization: string) {
  const { origins, ca, ct, log, log2, tsa } = stations;
  const facts = ({ publicKey, logId }: { publicKey: typeof ct.publicKey; logId: Uint8Array }) => ({
    publicKey,
    logId,
  });
  return {
    origins,
    createdAt,
    organization,
    ct: facts(ct),
    log: facts(log),
    log2: facts(log2),
    ca: [ca.intermediate, ca.root] as const,
    tsa: tsa.chain,
  };
}

function keepRenewed({ tuf }: Stations, level: LogLevel, closers: Closers): void {
  const log = createLogger('tuf', level);
  const timer = setInterval(() => {
    tuf.renew().catch((error: unknown) => log.error({ err: error }, 'renewal failed'));
  }, RENEW_INTERVAL_MS);
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
    'public/env': environmentText(dataDir, stations.origins),
    'public/env-cosign2': oldEnvironmentText(dataDir),
  };
  for (const name of ['rekor.pub', 'ctfe.pub']) {
    const target = published.targets.find((candidate) => candidate.name === name);
    if (target !== undefined) files[`public/${name}`] = target.bytes;
  }
  for (const [name, data] of Object.entries(files)) await writeFileDurable(join(dataDir, name), data);
}

async function closeAll(closers: Closers): Promise<void> {
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
}
