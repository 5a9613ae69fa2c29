/** `waybill cosign signing-config create`: where to sign, written down. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { unwrap } from '#base/result';
import type { Service, ServiceSelector, SigningConfig } from '#formats/signing-config';
import type { CliContext } from '../context.ts';
import { asCosign, cosignRule, wholeSeconds } from './cosign-common.ts';
import { addFlags, type FlagSpec, readFlags } from './cosign-flags.ts';
import { refuseBy } from './native.ts';

interface Flags {
  readonly baseConfig?: string;
  readonly fulcio: readonly string[];
  readonly rekor: readonly string[];
  readonly oidcProvider: readonly string[];
  readonly tsa: readonly string[];
  readonly rekorConfig?: string;
  readonly tsaConfig?: string;
  readonly withDefaultServices?: boolean;
  readonly withDefaultRekorV2?: boolean;
  readonly noDefaultFulcio?: boolean;
  readonly noDefaultRekor?: boolean;
  readonly noDefaultOidc?: boolean;
  readonly noDefaultTsa?: boolean;
  readonly out?: string;
}

const list = (flags: string): FlagSpec => ({ flags, help: 'as in cosign', isList: true });
const plain = (flags: string): FlagSpec => ({ flags, help: 'as in cosign' });

const specs: readonly FlagSpec[] = [
  plain('--base-config <file>'),
  list('--fulcio <spec>'),
  list('--rekor <spec>'),
  list('--oidc-provider <spec>'),
  list('--tsa <spec>'),
  plain('--rekor-config <selector>'),
  plain('--tsa-config <selector>'),
  plain('--out <file>'),
  {
    flags: '--with-default-services',
    help: 'and those of the signing config there is (initialize, TUF_MIRROR)',
  },
  { flags: '--with-default-rekor-v2', help: 'the same with the log of API version 2' },
];

export function addSigningConfig(cosign: Command, context: CliContext): void {
  const group = cosign.command('signing-config').description('where to sign');
  refuseBy(group, 'cosign signing-config');
  const command = addFlags(group.command('create').description('write a signing config'), specs);
  for (const service of ['fulcio', 'rekor', 'oidc', 'tsa']) {
    // A name that begins with no- is a negation to the parser, of a flag that is not there.
    command.option(`--no-default-${service}`, 'as in cosign');
  }
  refuseBy(command, 'cosign signing-config create').action(() =>
    asCosign(context, {}, async () => {
      const flags = { ...readFlags<Flags>(command, specs, context), ...dropped(command) };
      const { signingConfigJson, parseSigningConfig } = await import('#formats/signing-config');
      const base = flags.baseConfig === undefined ? none : await readBase(flags.baseConfig, context);
      const usual = await defaultConfig(flags, context);
      const { config, unset } = merged(base, usual, flags);
      const json = wholeSeconds(asCosignWrites(signingConfigJson(config), unset));
      // What is written must be what every client can read.
      unwrap(parseSigningConfig(json));
      if (flags.out === undefined) return context.stdout(json);
      const { writeFileDurable } = await import('#platform/files');
      await writeFileDurable(resolve(context.cwd, flags.out), json, { mode: 0o600 });
    }),
  );
}

const dropped = (command: Command): Partial<Flags> => ({
  noDefaultFulcio: command.getOptionValue('defaultFulcio') === false,
  noDefaultRekor: command.getOptionValue('defaultRekor') === false,
  noDefaultOidc: command.getOptionValue('defaultOidc') === false,
  noDefaultTsa: command.getOptionValue('defaultTsa') === false,
});

const selectors = ['rekorTlogConfig', 'tsaConfig'] as const;
type SelectorName = (typeof selectors)[number];

/** `unset`: selectors of which nothing is said, which readers take for ANY and cosign writes as they are. */
interface Merged {
  readonly config: SigningConfig;
  readonly unset: readonly SelectorName[];
}

const any: ServiceSelector = { selector: 'ANY' };
const none: Merged = {
  config: {
    ...{ caUrls: [], oidcUrls: [], rekorTlogUrls: [], tsaUrls: [] },
    ...{ rekorTlogConfig: any, tsaConfig: any },
  },
  unset: selectors,
};

async function readBase(path: string, context: CliContext): Promise<Merged> {
  const [{ parseSigningConfig }, { readFileLimited }, { limits }, { parseJson, protoReader }] =
    await Promise.all([
      import('#formats/signing-config'),
      import('#platform/files'),
      import('#base/limits'),
      import('#formats/json'),
    ]);
  const bytes = await readFileLimited(resolve(context.cwd, path), limits.trustedRootBytes);
  const config = unwrap(parseSigningConfig(bytes));
  const json = protoReader(unwrap(parseJson(bytes)), path);
  const unset = selectors.filter((name) => json.optionalChild(name)?.has('selector') !== true);
  return { config, unset };
}

/** As protobuf writes JSON: nothing of lists that are empty, and an empty object for a selector that is not set. */
function asCosignWrites(json: string, unset: readonly SelectorName[]): string {
  const value = JSON.parse(json) as Record<string, unknown>;
  const entries = Object.entries(value).filter(([, one]) => !Array.isArray(one) || one.length > 0);
  const written = entries.map(([name, one]) => [name, unset.some((known) => known === name) ? {} : one]);
  return `${JSON.stringify(Object.fromEntries(written), null, 2)}\n`;
}

async function defaultConfig(
  { withDefaultServices, withDefaultRekorV2 }: Flags,
  context: CliContext,
): Promise<Merged> {
  if (withDefaultServices !== true && withDefaultRekorV2 !== true) return none;
  const { usualTrust, usualTrustV2 } = await import('./cosign-trust.ts');
  const { signingConfig, origin } = await (withDefaultRekorV2 === true ? usualTrustV2 : usualTrust)(context);
  if (signingConfig !== undefined) return { config: signingConfig, unset: [] };
  throw cosignRule(`getting default signing config: ${origin} has none`);
}

/** Services that are named replace those of their kind in the base, and stand behind the default ones. */
function merged(base: Merged, usual: Merged, flags: Flags): Merged {
  const chosen = (
    kind: string,
    given: readonly string[],
    of: (config: SigningConfig) => readonly Service[],
    isDropped = false,
  ): readonly Service[] => [
    ...(given.length > 0 || isDropped ? [] : of(base.config)),
    ...(isDropped ? [] : of(usual.config)),
    ...given.map((text) => serviceOf(kind, text)),
  ];
  const unset: SelectorName[] = [];
  const before = usual === none ? base : usual;
  const selector = (
    kind: 'rekor' | 'tsa',
    name: SelectorName,
    text: string | undefined,
    isDropped = false,
  ): ServiceSelector => {
    if (text !== undefined) return selectorOf(kind, text);
    if (flags[kind].length === 0) {
      if (isDropped || before.unset.includes(name)) unset.push(name);
      return before.config[name];
    }
    throw cosignRule(`--${kind}-config must be provided when --${kind} is specified`);
  };
  const { fulcio, oidcProvider, rekor, tsa } = flags;
  const config: SigningConfig = {
    caUrls: chosen('fulcio', fulcio, ({ caUrls }) => caUrls, flags.noDefaultFulcio),
    oidcUrls: chosen('oidc-provider', oidcProvider, ({ oidcUrls }) => oidcUrls, flags.noDefaultOidc),
    rekorTlogUrls: chosen('rekor', rekor, ({ rekorTlogUrls }) => rekorTlogUrls, flags.noDefaultRekor),
    tsaUrls: chosen('tsa', tsa, ({ tsaUrls }) => tsaUrls, flags.noDefaultTsa),
    rekorTlogConfig: selector('rekor', 'rekorTlogConfig', flags.rekorConfig, flags.noDefaultRekor),
    tsaConfig: selector('tsa', 'tsaConfig', flags.tsaConfig, flags.noDefaultTsa),
  };
  return { config, unset };
}

/** `url=…,api-version=1,start-time=…,operator=…[,end-time=…]`. */
function serviceOf(kind: string, text: string): Service {
  const wrong = (why: string) => cosignRule(`parsing ${kind} spec: ${why}`);
  const values = new Map<string, string>();
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=');
    if (at <= 0) throw wrong(`invalid key-value pair ${JSON.stringify(pair)}`);
    values.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim());
  }
  const required = (key: string): string => {
    const value = values.get(key);
    if (value === undefined) throw wrong(`missing required key '${key}' in service spec`);
    return value;
  };
  const time = (key: string, value: string): number => {
    const ms = /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(ms)) throw wrong(`${key} is no RFC 3339 time: ${value}`);
    return ms;
  };
  const [url, version, start, operator] = ['url', 'api-version', 'start-time', 'operator'].map(required) as [
    string,
    string,
    string,
    string,
  ];
  const end = values.get('end-time');
  if (!/^\d+$/.test(version)) throw wrong(`api-version is no number: ${version}`);
  return {
    url,
    majorApiVersion: Number(version),
    validFor: {
      start: time('start-time', start),
      ...(end === undefined ? {} : { end: time('end-time', end) }),
    },
    operator,
  };
}

function selectorOf(kind: string, text: string): ServiceSelector {
  const mode = text.toUpperCase();
  if (mode === 'ANY' || mode === 'ALL') return { selector: mode };
  const count = /^EXACT:([1-9]\d{0,2})$/.exec(mode)?.[1];
  if (count !== undefined) return { selector: 'EXACT', count: Number(count) };
  throw cosignRule(`--${kind}-config must be ANY, ALL or EXACT:<count>, not ${text}`);
}
