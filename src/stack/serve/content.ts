/** The stations that give out: trust, images, and identities for development. */
import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { type JsonReader, parseJson, reader } from '#formats/json';
import { readFileIfThere, readFileLimited } from '#platform/files';
import { createOidc, isLoopback, registerOidc } from '#services/oidc';
import {
  isPasswordHash,
  prepareRegistry,
  type RegistryConfig,
  registerRegistry,
  type TokenGrant,
  type UserGrant,
} from '#services/registry';
import { createTuf, registerTuf, type TufRoleName } from '#services/tuf';
import type { Address, StationDeps, StationParts } from './frame.ts';
import {
  closeWithKeys,
  type KeyNames,
  openHeldKeys,
  type SignerSettings,
  withHeldKeys,
} from './held-keys.ts';
import { readMembers } from './members.ts';
import { R } from './reasons.ts';
import { bucketOf } from './store-url.ts';
import { requireKnown, yamlReader } from './yaml.ts';

const FILE_BYTES_MAX = 1024 * 1024;

const protectedBy = ({ passphrase }: StationDeps): Pick<StationDeps, 'passphrase'> =>
  passphrase === undefined ? {} : { passphrase };

export interface TufSettings {
  /** The stations whose trust is published (docs/operate.md); read again when it changes. */
  readonly stationsFile?: string;
  /** A root that was signed elsewhere: published as soon as it follows the newest one. */
  readonly nextRootFile?: string;
  /** Holds `online`, the key of snapshot and timestamp, or `online-v4` from version 4 of the root on. */
  readonly signer?: SignerSettings;
}

const tufKeys: KeyNames = {
  form: /^(?:online|root)(?:-v?[1-9]\d*){0,2}$/,
  told: 'online, online-v4 as of version 4 of the root, root-1, root-v4-1',
};

/** Publishes what the members say of themselves, and renews its own signatures. */
export async function tufParts(
  { stationsFile, nextRootFile, signer }: TufSettings,
  deps: StationDeps,
): Promise<StationParts> {
  const { clock, dataDir, isInit, createdAt } = deps;
  if (stationsFile === undefined && !isInit) {
    throw fail(R.settings, { expected: '--stations FILE', actual: 'none' });
  }
  const held = await openHeldKeys(signer, tufKeys, deps);
  const { elsewhere } = held;
  const tuf = await withHeldKeys(held, () =>
    createTuf({ dir: dataDir, clock, elsewhere, ...protectedBy(deps) }),
  );
  const publish = async (): Promise<void> => {
    if (stationsFile === undefined) return;
    const published = await readMembers(stationsFile, createdAt);
    if (await tuf.publish(published.targets))
      deps.log.info({ targets: published.targets.length }, 'published');
  };
  const accept = async (): Promise<void> => {
    const next = nextRootFile === undefined ? undefined : await readFileIfThere(nextRootFile);
    const newest = await tuf.newestRoot();
    // Still there after it was published: nothing to do.
    if (next === undefined || newest === undefined || rootVersion(next) <= rootVersion(newest)) return;
    deps.log.info({ version: await tuf.accept(next) }, 'root published');
  };
  let expires: Readonly<Partial<Record<TufRoleName, number>>> = {};
  const work = async (): Promise<void> => {
    try {
      // First, and whatever else fails: signatures that run out take the whole repository with them.
      await tuf.renew();
      await publish();
      await accept();
    } finally {
      expires = (await tuf.status())?.expires ?? {};
    }
  };
  const root = await withHeldKeys(held, async () => {
    if (!isInit) await work();
    return isInit ? undefined : utf8Text(await tuf.initialRoot());
  });
  return {
    bodyBytesMax: 1024,
    register: (app) => registerTuf(app, tuf),
    about: { station: 'tuf', createdAt },
    ...(root === undefined ? {} : { files: { 'root.json': root } }),
    unready: () => {
      const ended = Object.entries(expires).find(([, at]) => at <= clock.now());
      return ended === undefined ? undefined : `the ${ended[0]} metadata has expired`;
    },
    metrics: (metrics) => metrics.expiry('metadata', () => ({ ...expires })),
    reload: work,
    close: () => closeWithKeys(held, () => tuf.close()),
  };
}

const rootVersion = (root: Uint8Array): number =>
  reader(unwrap(parseJson(root, { maxBytes: limits.tufMetadataBytes })), 'root', { as: R.settings })
    .child('signed')
    .integer('version');

export interface RegistrySettings {
  /** Grants by token (docs/operate.md). Absent: everybody who may write at all may do everything. */
  readonly tokensFile?: string;
  /** Where clients reach it, when a proxy stands before it. */
  readonly publicUrl?: string;
  readonly isDeletionOff?: boolean;
  /** What it held is lost for good: it begins anew. */
  readonly isEmptied?: boolean;
  readonly hasImmutableTags?: boolean;
  /** `s3://BUCKET[/PREFIX]?endpoint=…&region=…`: everything in a bucket, for many machines. */
  readonly store?: string;
  /** Where the keys of the bucket are. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds that what nothing leads to is kept. Absent: for ever. */
  readonly untaggedKeptMs?: number;
  /** Milliseconds between two collections. */
  readonly collectEveryMs?: number;
}

export async function registryParts(settings: RegistrySettings, deps: StationDeps): Promise<StationParts> {
  const { clock, random, dataDir, isFirst } = deps;
  const { tokensFile, isDeletionOff, hasImmutableTags, store, untaggedKeptMs, collectEveryMs } = settings;
  const { publicUrl } = settings;
  const grants = tokensFile === undefined ? {} : await readGrants(tokensFile);
  const config: RegistryConfig = {
    dataDir: join(dataDir, 'images'),
    create: isFirst || settings.isEmptied === true,
    ...grants,
    ...(publicUrl === undefined ? {} : { publicUrl }),
    deletion: isDeletionOff !== true,
    immutableTags: hasImmutableTags === true,
    ...(store === undefined ? {} : { bucket: bucketOf(store, settings.env ?? {}) }),
    ...(untaggedKeptMs === undefined ? {} : { untaggedKeptMs }),
    ...(collectEveryMs === undefined ? {} : { tidyEveryMs: collectEveryMs }),
  };
  // Before the record is written: with it, tables that are not there are refused. A bucket is asked when it is served.
  if (store === undefined) await prepareRegistry(config, { clock, random });
  let close = (): void => {};
  return {
    bodyBytesMax: limits.manifestBytes,
    isOpenToWrites: tokensFile === undefined,
    register: async (app) => {
      const service = await registerRegistry(app, config, { clock, random });
      close = () => service.close();
      app.get('/healthz', async () => ({ status: 'ok' }));
    },
    about: { station: 'registry', createdAt: deps.createdAt },
    metrics: (metrics) =>
      metrics.made({
        name: 'pushes_total',
        help: 'Writes that succeeded.',
        method: 'PUT',
        routes: ['/v2/*'],
      }),
    close: async () => close(),
  };
}

const actions = ['pull', 'push', 'delete'] as const;

/** Throws WB-1212. The file holds tokens: it must be closed to others, as keys are. */
async function readGrants(path: string): Promise<Pick<RegistryConfig, 'tokens' | 'users' | 'anonymous'>> {
  const json = yamlReader(utf8Text(await readFileLimited(path, FILE_BYTES_MAX)), path);
  requireKnown(json, ['tokens', 'users', 'anonymous']);
  const actionsIn = (list: readonly string[], wrong: (actual: string) => Error): (typeof actions)[number][] =>
    list.map((text) => {
      const action = actions.find((one) => one === text);
      if (action === undefined) throw wrong(text);
      return action;
    });
  const rightsOf = (one: JsonReader) => ({
    name: one.text('name'),
    actions: actionsIn(one.strings('actions'), (actual) => one.wrong('actions', actions.join(', '), actual)),
    repositories: one.strings('repositories'),
  });
  const tokens = !json.has('tokens') && json.has('users') ? [] : json.children('tokens');
  const users = json.has('users') ? json.children('users') : [];
  const open = json.has('anonymous') ? json.strings('anonymous') : [];
  return {
    tokens: tokens.map((one): TokenGrant => {
      requireKnown(one, ['name', 'token', 'actions', 'repositories']);
      return { ...rightsOf(one), token: new Secret(one.text('token')) };
    }),
    users: users.map((one): UserGrant => {
      requireKnown(one, ['name', 'password-hash', 'actions', 'repositories']);
      const passwordHash = one.text('password-hash');
      if (isPasswordHash(passwordHash)) return { ...rightsOf(one), passwordHash };
      throw one.wrong('password-hash', 'what `waybill registry hash-password` prints', 'something else');
    }),
    anonymous: actionsIn(open, (actual) => json.wrong('anonymous', actions.join(', '), actual)),
  };
}

/** The development issuer: it gives any identity to whoever asks, and so to this machine only. */
export async function oidcParts(
  { listen }: { readonly listen: Address },
  deps: StationDeps,
): Promise<StationParts> {
  const { clock, random, dataDir, createdAt } = deps;
  if (!isLoopback(listen.host)) {
    const expected = 'a loopback address: this issuer gives any identity to whoever asks';
    throw fail(R.settings, { expected, actual: listen.host });
  }
  let at = '';
  const dir = join(dataDir, 'keys');
  const oidc = await createOidc({ dir, origin: () => at, clock, random, ...protectedBy(deps) });
  return {
    bodyBytesMax: 64 * 1024,
    register: (app) => registerOidc(app, oidc),
    about: { station: 'oidc', createdAt },
    listening: (origin) => {
      at = origin;
    },
    close: () => oidc.close(),
  };
}
