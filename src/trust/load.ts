/**
 * Where a trusted root comes from: a pinned file, a ClientTrustConfig, a stack's folder, or a TUF mirror. Each
 * gives the same `Trust`: the bytes as published, parsed once, and until when they may be used.
 */
import { join } from 'node:path';
import { toHex, utf8, utf8Text } from '#base/bytes';
import { hash, sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { parseSigningConfig, type SigningConfig } from '#formats/signing-config';
import { parseTrustedRoot, type TrustedRoot } from '#formats/trusted-root';
import { readFileLimited, writeFileDurable } from '#platform/files';
import type { Transport } from '#platform/http-client';
import { requireChecksum } from './checksum.ts';
import { R } from './reasons.ts';
import { refuseSimulated } from './simulated.ts';
import { mirrorSource, offlineSource } from './sources.ts';
import { stagedMemory } from './staged.ts';
import { openRepository, type TufRepository, type TufRole, type TufSource } from './tuf.ts';
import { openTufCache, type TufCache } from './tuf-cache.ts';
import { readRootFile, requireTufRoot } from './tuf-root-file.ts';

export type TrustSource =
  | { readonly kind: 'file'; readonly trustedRoot: string; readonly signingConfig?: string }
  | { readonly kind: 'config'; readonly path: string }
  | {
      readonly kind: 'tuf';
      /** `https://…` or `file:///…`. */
      readonly mirror: string;
      /** Path of the root to start from; without it the one pinned earlier in the cache. */
      readonly root?: string;
      /** Of that file: see checksum.ts. */
      readonly rootChecksum?: string;
      readonly cacheDir: string;
      /** True: no connection is opened, the cache is verified again. */
      readonly offline?: boolean;
      /** Target name of the signing config; default `signing_config.v0.2.json`. */
      readonly signingConfigTarget?: string;
    };

export interface Trust {
  /** For people: which file or mirror. */
  readonly origin: string;
  readonly trustedRoot: TrustedRoot;
  readonly trustedRootBytes: Uint8Array;
  /** SHA-256 of those bytes, hex: names the root in caches and reports. */
  readonly trustedRootSha256: string;
  readonly signingConfig?: SigningConfig;
  readonly signingConfigBytes?: Uint8Array;
  readonly tuf?: {
    readonly rootVersion: number;
    /** Milliseconds since the epoch by role. */
    readonly expires: Readonly<Record<TufRole, number>>;
    readonly versions: Readonly<Record<TufRole, number>>;
  };
}

export interface TrustDeps {
  readonly transport: Transport;
}

export const SIGNING_CONFIG_TARGET = 'signing_config.v0.2.json';
export const TRUSTED_ROOT_TARGET = 'trusted_root.json';

/**
 * Loads and checks a trusted root. Throws WB-601…WB-608 (exit 16; source and usage errors exit 3), or the
 * transport's own reasons when a mirror cannot be reached and offline mode was not asked for.
 */
export async function loadTrust(source: TrustSource, deps: TrustDeps): Promise<Trust> {
  switch (source.kind) {
    case 'file':
      return fromFile(source);
    case 'config':
      return fromConfig(source.path);
    case 'tuf':
      return fromTuf(source, deps);
  }
}

async function fromFile(source: Extract<TrustSource, { kind: 'file' }>): Promise<Trust> {
  const root = await readTrustFile(source.trustedRoot);
  const config = source.signingConfig === undefined ? undefined : await readTrustFile(source.signingConfig);
  return trustOf(source.trustedRoot, root, config, source.signingConfig);
}

/** `{trustedRoot, signingConfig}` in one file (sigstore_trustroot.proto, ClientTrustConfig). */
async function fromConfig(path: string): Promise<Trust> {
  const bytes = await readTrustFile(path);
  const parts = attempt(() => {
    const json = reader(unwrap(parseJson(bytes, { maxBytes: limits.trustedRootBytes })), '$', { as: R.file });
    if (!json.string('mediaType').startsWith('application/vnd.dev.sigstore.clienttrustconfig.v0.1')) {
      throw json.wrong('mediaType', 'a clienttrustconfig.v0.1', json.string('mediaType'));
    }
    return { root: json.child('trustedRoot').object, config: json.optionalChild('signingConfig')?.object };
  });
  if (!parts.ok) throw unusable(path, parts.error.actual);
  const encode = (value: object): Uint8Array => utf8(JSON.stringify(value));
  const { root, config } = parts.value;
  return trustOf(path, encode(root), config === undefined ? undefined : encode(config));
}

function fromTuf(source: Extract<TrustSource, { kind: 'tuf' }>, deps: TrustDeps): Promise<Trust> {
  return tufTrust(source, mirrorSource(source.mirror, deps.transport), 'remember');
}

/**
 * Verifies what `mirror` gives, or in offline mode the cache, from the pinned root. The cache is written when all
 * of it held, or not at all; with `forget` nothing but the pinned root is read from it and nothing written. What
 * `requireUsable` throws for leaves the cache as it was, too.
 */
export async function tufTrust(
  source: Extract<TrustSource, { kind: 'tuf' }>,
  mirror: TufSource,
  memory: 'remember' | 'forget',
  requireUsable: (trustedRoot: TrustedRoot) => void = () => {},
): Promise<Trust> {
  const cache = await openTufCache(source.cacheDir, source.mirror);
  const root = await rootOf(source, cache);
  const staged = memory === 'remember' ? stagedMemory(cache) : undefined;
  const reads = source.offline === true ? offlineSource(cache, source.mirror) : mirror;
  const repository = await openRepository(root, reads, staged);
  const trustedRoot = await repository.target(TRUSTED_ROOT_TARGET);
  if (trustedRoot === undefined) {
    throw fail(R.target, { expected: `${TRUSTED_ROOT_TARGET} in ${source.mirror}`, actual: 'not listed' });
  }
  const config = await repository.target(source.signingConfigTarget ?? SIGNING_CONFIG_TARGET);
  const trust = { ...trustOf(source.mirror, trustedRoot, config), tuf: summary(repository) };
  requireUsable(trust.trustedRoot);
  await staged?.commit();
  return trust;
}

const summary = ({ rootVersion, expires, versions }: TufRepository): NonNullable<Trust['tuf']> => ({
  rootVersion,
  expires,
  versions,
});

async function rootOf(source: Extract<TrustSource, { kind: 'tuf' }>, cache: TufCache): Promise<Uint8Array> {
  const root = source.root === undefined ? await pinnedRoot(source, cache) : await readRootFile(source.root);
  if (source.rootChecksum !== undefined) requireChecksum(root, source.rootChecksum);
  return root;
}

async function pinnedRoot(
  source: Extract<TrustSource, { kind: 'tuf' }>,
  cache: TufCache,
): Promise<Uint8Array> {
  const pinned = await cache.recall(PINNED);
  if (pinned === undefined) {
    const expected = `a root to start from for ${source.mirror}`;
    throw fail(R.source, {
      expected,
      actual: 'none',
      hint: 'give --tuf-root FILE, or pin one with waybill trust pin',
    });
  }
  const path = join(cache.folder, PINNED);
  await requireTufRoot(pinned, path).catch((error: unknown) => {
    if (!(error instanceof WaybillError)) throw error;
    const hint = 'pin the root again with waybill trust pin --tuf-mirror URL --tuf-root FILE';
    throw fail(R.cache, { expected: error.reason.expected, actual: error.reason.actual, hint }, error);
  });
  return pinned;
}

const PINNED = 'pinned.json';

/** Checks a root and remembers it for the mirror; later loads need no file. */
export async function pinRoot(
  source: Extract<TrustSource, { kind: 'tuf' }>,
  deps: TrustDeps,
): Promise<Trust> {
  const trust = await tufTrust(source, mirrorSource(source.mirror, deps.transport), 'remember', (root) =>
    refuseSimulated(root, source.mirror),
  );
  await rememberRoot(source);
  return trust;
}

/** Makes the root of a source, which has proven good, the one later loads start from. */
export async function rememberRoot(source: Extract<TrustSource, { kind: 'tuf' }>): Promise<void> {
  if (source.root === undefined) return;
  const cache = await openTufCache(source.cacheDir, source.mirror);
  await writeFileDurable(join(cache.folder, PINNED), await readRootFile(source.root), { mode: 0o600 });
}

/** Reads a TUF root that was handed over as a file. Throws WB-614, or WB-608 for another checksum. */
export async function readTufRoot(path: string, checksum?: string): Promise<Uint8Array> {
  const root = await readRootFile(path);
  if (checksum !== undefined) requireChecksum(root, checksum);
  return root;
}

function trustOf(
  origin: string,
  rootBytes: Uint8Array,
  configBytes: Uint8Array | undefined,
  configOrigin = origin,
): Trust {
  const trustedRoot = parseTrustedRoot(rootBytes);
  if (!trustedRoot.ok) throw unusable(origin, `${trustedRoot.error.check}: ${trustedRoot.error.actual}`);
  const config = configBytes === undefined ? undefined : parseSigningConfig(configBytes);
  if (config?.ok === false) {
    const actual = `${config.error.check}: ${config.error.actual}`;
    throw fail(R.file, { expected: `${configOrigin} to hold a signing config`, actual });
  }
  return {
    origin,
    trustedRoot: trustedRoot.value,
    trustedRootBytes: rootBytes,
    trustedRootSha256: toHex(sha256(rootBytes)),
    ...(config === undefined || configBytes === undefined
      ? {}
      : { signingConfig: config.value, signingConfigBytes: configBytes }),
  };
}

const unusable = (path: string, actual: string): WaybillError =>
  fail(R.file, { expected: `${path} to be a trusted root`, actual });

async function readTrustFile(path: string): Promise<Uint8Array> {
  try {
    return await readFileLimited(path, limits.trustedRootBytes);
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    throw fail(R.file, { expected: error.reason.expected, actual: error.reason.actual }, error);
  }
}

/** A ClientTrustConfig: everything a client needs in one file, for hand-over without a network. */
export function clientTrustConfigBytes(trustedRoot: Uint8Array, signingConfig: Uint8Array): Uint8Array {
  // The parts stand in it as they are: their bytes are what was checked.
  return utf8(
    `{"mediaType":"application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",` +
      `"trustedRoot":${utf8Text(trustedRoot)},"signingConfig":${utf8Text(signingConfig)}}`,
  );
}

/** The checksum of a root in the form `cosign initialize --root-checksum` takes. */
export const rootChecksum = (root: Uint8Array): string => `sha512:${toHex(hash('sha512', root))}`;
