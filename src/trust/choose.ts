/** Which trusted root a command uses: from its options and the environment, in one place for every verb. */
import { join } from 'node:path';
import { fail } from '#base/reason';
import { parseChecksum } from './checksum.ts';
import type { TrustSource } from './load.ts';
import { configDir, profileNamed, readProfiles, type TrustProfile } from './profiles.ts';
import { R } from './reasons.ts';
import { mirrorHint } from './sources.ts';

export interface TrustOptions {
  /** `--trusted-root FILE`. */
  readonly trustedRoot?: string;
  /** `--signing-config FILE`; with `--trusted-root` or a stack. */
  readonly signingConfig?: string;
  /** `--log-version N`: with a stack, which of its two signing configs. */
  readonly logVersion?: string;
  /** `--trust-config FILE`. */
  readonly trustConfig?: string;
  /** `--tuf-mirror URL`. */
  readonly tufMirror?: string;
  /** `--tuf-root FILE`. */
  readonly tufRoot?: string;
  readonly rootChecksum?: string;
  /** `--cache-dir DIR`. */
  readonly cacheDir?: string;
  readonly offline?: boolean;
  /** `--trust NAME`: a profile. */
  readonly trust?: string;
  /** `--stack DIR`: the data directory of `waybill stack up`. */
  readonly stack?: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Files of a stack's data directory that clients read. */
export const stackTrustFiles = {
  trustedRoot: 'public/trusted_root.json',
  signingConfig: 'public/signing_config.v0.2.json',
  signingConfigV2: 'public/signing_config_rekor_v2.v0.2.json',
  trustConfig: 'public/client_trust_config.json',
  tufRoot: 'public/root.json',
} as const;

/**
 * Options win over the environment, where the first of `WAYBILL_TRUSTED_ROOT`, `WAYBILL_STACK` and
 * `WAYBILL_TUF_MIRROR` or `TUF_MIRROR` (with `WAYBILL_TUF_ROOT` or `TUF_ROOT_JSON`) wins. Throws WB-607 when two
 * options disagree or nothing says where trust comes from (there is no built-in root), and WB-613 for an option
 * that means nothing for the source that was chosen.
 */
export function chooseTrust(options: TrustOptions, env: Env): TrustSource {
  const chosen = namedTrust(options, env);
  if (chosen !== undefined) return chosen;
  throw fail(R.source, {
    expected: 'a trusted root',
    actual: 'no option and no environment variable names one',
    hint: 'give --trusted-root FILE, --stack DIR, --tuf-mirror URL or --trust NAME, or set WAYBILL_STACK',
  });
}

/** As `chooseTrust`; undefined when nothing names a source. `home`: where the cache lies without `--cache-dir`. */
export function namedTrust(options: TrustOptions, env: Env, home: Env = env): TrustSource | undefined {
  const { trustedRoot, trustConfig, tufMirror, stack, trust } = options;
  const given = [trustedRoot, trustConfig, tufMirror, stack, trust].filter((value) => value !== undefined);
  if (given.length > 1) throw fail(R.source, { expected: 'one source of trust', actual: given.join(', ') });
  return fromOptions(options, home) ?? fromEnvironment(options, env);
}

function fromOptions(options: TrustOptions, env: Env): TrustSource | undefined {
  const { trustedRoot, signingConfig, trustConfig, tufMirror, stack } = options;
  if (trustedRoot !== undefined) {
    refuseStrays(options, tufOnly, `trusted root ${trustedRoot}`);
    return { kind: 'file', trustedRoot, ...(signingConfig === undefined ? {} : { signingConfig }) };
  }
  if (trustConfig !== undefined) {
    refuseStrays(options, [...tufOnly, 'signingConfig'], `trust config ${trustConfig}`);
    return { kind: 'config', path: trustConfig };
  }
  if (tufMirror !== undefined) return tufSource(tufMirror, options.tufRoot, options, env);
  return stack === undefined ? undefined : stackSource(stack, options);
}

function fromEnvironment(options: TrustOptions, env: Env): TrustSource | undefined {
  const trustedRoot = env['WAYBILL_TRUSTED_ROOT'];
  if (trustedRoot) return fromOptions({ ...options, trustedRoot }, env);
  const stack = env['WAYBILL_STACK'];
  if (stack) return stackSource(stack, options);
  const mirror = env['WAYBILL_TUF_MIRROR'] ?? env['TUF_MIRROR'];
  const root = options.tufRoot ?? env['WAYBILL_TUF_ROOT'] ?? env['TUF_ROOT_JSON'];
  return mirror ? tufSource(mirror, root, options, env) : undefined;
}

function stackSource(folder: string, options: TrustOptions): TrustSource {
  refuseStrays(options, tufOnly, `stack ${folder}`);
  const { signingConfig, signingConfigV2, trustedRoot } = stackTrustFiles;
  const ofStack = options.logVersion === '2' ? signingConfigV2 : signingConfig;
  return {
    kind: 'file',
    trustedRoot: join(folder, trustedRoot),
    signingConfig: options.signingConfig ?? join(folder, ofStack),
  };
}

function tufSource(mirror: string, root: string | undefined, options: TrustOptions, env: Env): TrustSource {
  refuseStrays(options, ['signingConfig'], `TUF mirror ${mirror}`);
  // Known to be wrong before anything is read.
  if (options.rootChecksum !== undefined) parseChecksum(options.rootChecksum);
  // `localhost:8080` parses too, as a URL of the scheme localhost.
  if (!/^(?:https?|file):$/.test(URL.parse(mirror)?.protocol ?? '')) {
    const actual = JSON.stringify(mirror);
    throw fail(R.source, { expected: 'a TUF mirror as http, https or file URL', actual, hint: mirrorHint });
  }
  return {
    kind: 'tuf',
    mirror,
    cacheDir: options.cacheDir ?? defaultCacheDir(env),
    ...(root === undefined ? {} : { root }),
    ...(options.rootChecksum === undefined ? {} : { rootChecksum: options.rootChecksum }),
    ...(options.offline === undefined ? {} : { offline: options.offline }),
  };
}

type Companion = 'tufRoot' | 'rootChecksum' | 'cacheDir' | 'signingConfig';

/** Options that say nothing by themselves, and what each of them needs beside it. */
const companions: Readonly<Record<Companion, { readonly flag: string; readonly beside: string }>> = {
  tufRoot: { flag: '--tuf-root', beside: '--tuf-mirror' },
  rootChecksum: { flag: '--root-checksum', beside: '--tuf-mirror' },
  cacheDir: { flag: '--cache-dir', beside: '--tuf-mirror' },
  signingConfig: { flag: '--signing-config', beside: '--trusted-root or --stack' },
};
const tufOnly = ['tufRoot', 'rootChecksum', 'cacheDir'] as const;

/** Whoever gives an option relies on it: one that would change nothing is refused (WB-613), never dropped. */
function refuseStrays(options: TrustOptions, strays: readonly Companion[], chosen: string): void {
  const stray = strays.find((name) => options[name] !== undefined);
  if (stray === undefined) return;
  const { flag, beside } = companions[stray];
  throw fail(R.option, {
    expected: `no ${flag} with ${chosen}`,
    actual: `${flag} ${JSON.stringify(options[stray])}`,
    hint: `${flag} belongs beside ${beside}: leave it out, or name the source it is for`,
  });
}

/** `WAYBILL_CACHE`, else `waybill` below the user's cache directory. */
export function defaultCacheDir(env: Env): string {
  if (env['WAYBILL_CACHE']) return join(env['WAYBILL_CACHE'], 'trust');
  const base = env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? env['USERPROFILE'] ?? '.', '.cache');
  return join(base, 'waybill', 'trust');
}

/**
 * As `namedTrust`, with profiles: `--trust NAME`, else `WAYBILL_TRUST` where no option names a source, else what
 * the environment names, else the profile that is in use. Throws WB-607, WB-611 and WB-613.
 */
export async function trustSource(options: TrustOptions, env: Env): Promise<TrustSource | undefined> {
  const { trust: option, ...others } = options;
  const isNamed = namedTrust(options, {}, env) !== undefined;
  const name = option ?? (isNamed ? undefined : env['WAYBILL_TRUST']);
  const folder = configDir(env);
  if (name !== undefined && name !== '') {
    return fromProfile(name, await profileNamed(folder, name), others, env);
  }
  const chosen = namedTrust(others, env);
  if (chosen !== undefined) return chosen;
  const { inUse, profiles } = await readProfiles(folder);
  const used = inUse === undefined ? undefined : profiles.get(inUse);
  if (inUse !== undefined && used !== undefined) return fromProfile(inUse, used, others, env);
  refuseStrays(others, tufOnly, 'no TUF mirror');
  return undefined;
}

function fromProfile(
  name: string,
  profile: TrustProfile,
  options: TrustOptions,
  env: Env,
): TrustSource | undefined {
  const held = (['tufRoot', 'signingConfig'] as const).filter((field) => profile[field] !== undefined);
  refuseStrays(options, held, `profile ${name}, which has its own`);
  return namedTrust({ ...options, ...profile }, {}, env);
}

/** Throws WB-607 when nothing names a source: there is no built-in root. */
export async function requireTrustSource(options: TrustOptions, env: Env): Promise<TrustSource> {
  return (await trustSource(options, env)) ?? chooseTrust(options, env);
}
