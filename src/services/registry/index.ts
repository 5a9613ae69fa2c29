/** An OCI registry (distribution-spec v1.1) that keeps images with everything attached to them. */

import type { Digest } from '#base/brand';
import { concat } from '#base/bytes';
import type { Clock } from '#base/clock';
import { limits } from '#base/limits';
import type { Random } from '#base/random';
import { unwrap } from '#base/result';
import { type Manifest, parseManifest } from '#formats/oci';
import { createHttpServer, type HttpApp, listen } from '#platform/http-server';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger, type Logger } from '#platform/telemetry';
import { access } from './access.ts';
import type { Collected } from './collect.ts';
import {
  BODY_TIMEOUT_MS_DEFAULT,
  GRACE_MS,
  LINGER_MS_DEFAULT,
  PAGE_ENTRIES_MAX,
  REQUEST_TIMEOUT_MS_DEFAULT,
  type RegistryConfig,
  TIDY_INTERVAL_MS,
} from './config.ts';
import { type OnManifest, RegistryCore } from './registry.ts';
import { registryRoutes } from './routes.ts';
import { openRegistryStore } from './store.ts';
import { loginKey, loginTokens } from './tokens.ts';

export type { Collected } from './collect.ts';
export type { Action, RegistryConfig, TokenGrant, UserGrant } from './config.ts';
export { hashPassword, isPasswordHash } from './password.ts';
export { R as registryReasons } from './reasons.ts';
export type { OnManifest } from './registry.ts';
export { hasTables } from './tables.ts';

export interface RegistryDeps {
  readonly random?: Random;
  readonly clock?: Clock;
  /** Told of every manifest after it is durable. It must not throw. */
  readonly onManifest?: OnManifest;
}

export interface RegistryService {
  /** Removes unlinked blobs and abandoned uploads older than a day. */
  sweep(): Promise<{ readonly removed: number }>;
  /**
   * Removes manifests nothing leads to, pushed more than `keptMs` ago, with what is attached to them, and links of
   * blobs no manifest names; `isTrial` only finds them. Files go with the next sweep.
   */
  collect(keptMs: number, isTrial?: boolean): Promise<Collected>;
  /** A stored blob in memory, for stations beside the registry. The caller has bounded its size. */
  blob(content: { readonly digest: Digest; readonly size: number }): Promise<Uint8Array>;
  /** Every manifest there is, for stations beside the registry; one that comes meanwhile may be left out. */
  manifests(): Iterable<{ readonly repository: string; readonly digest: Digest }>;
  /** A stored manifest. Throws WB-1084 and the reasons of its parser. */
  manifest(repository: string, digest: Digest): Manifest;
  holds(repository: string, digest: Digest): boolean;
  /** Tags of a repository, at most 10,000, in order; [] for one that is not there. */
  tags(repository: string): readonly { readonly tag: string; readonly digest: Digest }[];
  close(): void;
}

/** Adds the registry's paths (`/v2/…`) to a server; the caller listens and closes. */
export async function registerRegistry(
  app: HttpApp,
  config: RegistryConfig,
  deps: RegistryDeps = {},
): Promise<RegistryService> {
  const clock = deps.clock ?? systemClock;
  const random = deps.random ?? systemRandom;
  const store = await openRegistryStore(config, clock, random);
  const core = new RegistryCore(config, store, random, deps.onManifest);
  const logins = loginTokens(await loginKey(random, store.bucket), clock);
  const { publicUrl } = config;
  const door = {
    ...{ core, logins, access: access(config, logins) },
    bodyTimeoutMs: config.bodyTimeoutMs ?? BODY_TIMEOUT_MS_DEFAULT,
    lingerMs: config.lingerMs ?? LINGER_MS_DEFAULT,
    ...(publicUrl === undefined ? {} : { publicUrl }),
  };
  // A layer on a slow line takes longer than any other request; idle connections still end early.
  app.server.requestTimeout = config.requestTimeoutMs ?? REQUEST_TIMEOUT_MS_DEFAULT;
  await app.register((scope, _options, done) => {
    registryRoutes(scope, door);
    done();
  });
  const collect = (keptMs: number, isTrial = false): Promise<Collected> =>
    core.store.collect(clock.now() - keptMs, isTrial);
  const sweep = (): Promise<{ readonly removed: number }> => core.store.sweep(clock.now() - GRACE_MS);
  const tidy = async (): Promise<void> => {
    if (config.untaggedKeptMs !== undefined) {
      const { manifests, blobs } = await collect(config.untaggedKeptMs);
      if (manifests.length + blobs > 0) app.log.info({ manifests: manifests.length, blobs }, 'collected');
    }
    const { removed } = await sweep();
    if (removed > 0) app.log.info({ removed }, 'swept');
  };
  const tidying = setInterval(() => {
    tidy().catch((error: unknown) =>
      app.log.error({ error: String(error) }, 'the registry could not tidy up'),
    );
  }, config.tidyEveryMs ?? TIDY_INTERVAL_MS);
  tidying.unref();
  return {
    sweep,
    collect,
    blob: async ({ digest, size }) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of await core.store.readBlob(digest, { start: 0, end: size - 1, size }))
        chunks.push(chunk);
      return concat(...chunks);
    },
    manifests: () => allManifests(core),
    manifest: (repository, digest) => {
      const stored = core.manifest(repository, { digest });
      return unwrap(parseManifest(stored.bytes, { mediaType: stored.mediaType, digest }));
    },
    holds: (repository, digest) => core.store.hasManifest(repository, digest),
    tags: (repository) =>
      core.store.tags(repository, '', TAGS_MAX).flatMap((tag) => {
        const digest = core.store.tagged(repository, tag);
        return digest === undefined ? [] : [{ tag, digest }];
      }),
    close: () => {
      clearInterval(tidying);
      core.store.close();
    },
  };
}

/** Makes the tables of a registry that is served later. Errors as `registerRegistry`. */
export async function prepareRegistry(
  config: Pick<RegistryConfig, 'dataDir' | 'bucket' | 'create'>,
  { clock = systemClock, random = systemRandom }: RegistryDeps = {},
): Promise<void> {
  (await openRegistryStore(config, clock, random)).close();
}

/**
 * Collects and sweeps a registry that is not served from this folder meanwhile. Undefined `keptMs`: only what no
 * repository links any more. A trial changes nothing. Errors as `registerRegistry`.
 */
export async function collectGarbage(
  config: Pick<RegistryConfig, 'dataDir' | 'bucket'>,
  { keptMs, isTrial }: { readonly keptMs?: number; readonly isTrial: boolean },
  { clock = systemClock, random = systemRandom }: RegistryDeps = {},
): Promise<Collected & { readonly removed: number }> {
  const store = await openRegistryStore(config, clock, random);
  try {
    const nothing: Collected = { manifests: [], blobs: 0 };
    const found = keptMs === undefined ? nothing : await store.collect(clock.now() - keptMs, isTrial);
    const removed = isTrial ? 0 : (await store.sweep(clock.now() - GRACE_MS)).removed;
    return { ...found, removed };
  } finally {
    store.close();
  }
}

const TAGS_MAX = 10_000;

function* allManifests(core: RegistryCore): Generator<{ repository: string; digest: Digest }> {
  for (let last = { repo: '', digest: '' }; ; ) {
    const names = core.store.manifestNames(last, PAGE_ENTRIES_MAX);
    for (const { repo, digest } of names) yield { repository: repo, digest };
    const end = names.at(-1);
    if (end === undefined) return;
    last = end;
  }
}

export interface RunningRegistry extends Pick<RegistryService, 'sweep' | 'collect'> {
  /** `http://127.0.0.1:5000` */
  readonly origin: string;
  /** `127.0.0.1:5000`: what stands before the first slash of a reference. */
  readonly host: string;
  close(): Promise<void>;
}

/** A registry in a server of its own. Port 0 picks a free one. */
export async function createRegistry(
  config: RegistryConfig & {
    readonly host?: string;
    readonly port?: number;
    readonly tls?: { readonly key: string; readonly cert: string };
    readonly log?: Logger;
  },
  deps: RegistryDeps = {},
): Promise<RunningRegistry> {
  const app = createHttpServer({
    log: config.log ?? createLogger('registry', 'silent'),
    bodyBytesMax: limits.manifestBytes,
    ...(config.tls === undefined ? {} : { tls: config.tls }),
  });
  const service = await registerRegistry(app, config, deps);
  const origin = await listen(app, config.host ?? '127.0.0.1', config.port ?? 0);
  const close = async (): Promise<void> => {
    await app.close();
    service.close();
  };
  return { origin, host: new URL(origin).host, sweep: service.sweep, collect: service.collect, close };
}
