/** `waybill cosign signing-config create`: where to sign, written down. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { unwrap } from '#base/result';
import type { Service, ServiceSelector, SigningConfig } from '#formats/signing-config';
import type { CliContext } from '../context.ts';
import { asCosign, cosignRule } from './cosign-common.ts';
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
  readonly noDefaultFulcio?: boolean;
  readonly noDefaultRekor?: boolean;
  readonly noDefaultOidc?: boolean;
  readonly noDefaultTsa?: boolean;
  readonly out?: string;
}

const publicInstance = 'waybill names no services of its own: give --base-config with the one to start from';
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
  { flags: '--with-default-services', help: 'as in cosign', instead: publicInstance },
  { flags: '--with-default-rekor-v2', help: 'as in cosign', instead: publicInstance },
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
      const json = signingConfigJson(merged(base, flags));
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

const any: ServiceSelector = { selector: 'ANY' };
const none: SigningConfig = {
  caUrls: [],
  oidcUrls: [],
  rekorTlogUrls: [],
  tsaUrls: [],
  rekorTlogConfig: any,
  tsaConfig: any,
};

async function readBase(path: string, context: CliContext): Promise<SigningConfig> {
  const [{ parseSigningConfig }, { readFileLimited }, { limits }] = await Promise.all([
    import('#formats/signing-config'),
    import('#platform/files'),
    import('#base/limits'),
  ]);
  return unwrap(
    parseSigningConfig(await readFileLimited(resolve(context.cwd, path), limits.trustedRootBytes)),
  );
}

/** Services that are named replace those of their kind in the base. */
function merged(base: SigningConfig, flags: Flags): SigningConfig {
  const chosen = (kind: string, given: readonly string[], of: readonly Service[], isDropped?: boolean) =>
    given.length > 0 ? given.map((text) => serviceOf(kind, text)) : isDropped === true ? [] : of;
  const selector = (
    kind: string,
    given: readonly string[],
    text: string | undefined,
    of: ServiceSelector,
  ) => {
    if (text !== undefined) return selectorOf(kind, text);
    if (given.length === 0) return of;
    throw cosignRule(`--${kind}-config must be provided when --${kind} is specified`);
  };
  return {
    caUrls: chosen('fulcio', flags.fulcio, base.caUrls, flags.noDefaultFulcio),
    oidcUrls: chosen('oidc-provider', flags.oidcProvider, base.oidcUrls, flags.noDefaultOidc),
    rekorTlogUrls: chosen('rekor', flags.rekor, base.rekorTlogUrls, flags.noDefaultRekor),
    tsaUrls: chosen('tsa', flags.tsa, base.tsaUrls, flags.noDefaultTsa),
    rekorTlogConfig: selector('rekor', flags.rekor, flags.rekorConfig, base.rekorTlogConfig),
    tsaConfig: selector('tsa', flags.tsa, flags.tsaConfig, base.tsaConfig),
  };
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
  if (text === 'ANY' || text === 'ALL') return { selector: text };
  const count = /^EXACT:([1-9]\d{0,2})$/.exec(text)?.[1];
  if (count !== undefined) return { selector: 'EXACT', count: Number(count) };
  throw cosignRule(`--${kind}-config must be ANY, ALL or EXACT:<count>, not ${text}`);
}
