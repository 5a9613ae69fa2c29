/** `waybill serve ca|ct|log|tsa|tuf|registry|oidc`: one station of a private Sigstore in a process of its own. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import type { RunningStation, SignerSettings, StationDeps, StationParts, StationSettings } from '#stack';
import { believeAuthorities } from './authorities.ts';
import type { CliContext } from './context.ts';
import { addressOf } from './listen.ts';
import { R } from './reasons.ts';
import { withConfigFile } from './serve-config.ts';
import { collect } from './sign-options.ts';

interface StationFlags {
  readonly config?: string;
  readonly data?: string;
  readonly listen: string;
  readonly admin?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly trustedRoot?: string;
  readonly tenants?: string;
  readonly sigstoreMetrics?: boolean;
  readonly passphraseFile?: string;
  readonly caFile?: string;
  readonly init?: boolean;
  readonly logLevel: StationSettings['logLevel'];
}

type Flags = StationFlags & Readonly<Record<string, string | readonly string[] | boolean | undefined>>;

interface Station {
  readonly name: string;
  readonly description: string;
  readonly port: number;
  /** It keeps keys in files of its own kind, which take no passphrase. */
  readonly hasPlainKeys?: boolean;
  addOptions?(command: Command): void;
  /** Under this name its data is kept, and its metrics are. */
  kind?(flags: Flags): string;
  parts(flags: Flags, deps: StationDeps, context: CliContext): Promise<StationParts>;
}

export function registerStations(serve: Command, context: CliContext): void {
  for (const station of stations) {
    const command = serve.command(station.name).description(station.description);
    addStationOptions(command, station.port);
    station.addOptions?.(command);
    command.action(async (given: Flags) => {
      const flags = await withConfigFile(given, command, context.cwd);
      believeAuthorities(flags, context);
      await runStation(station, flags, context);
    });
  }
}

function addStationOptions(command: Command, port: number): void {
  command
    .option('--config <file>', 'these options as YAML, by their long names; the command line wins')
    .option('--data <dir>', 'its data directory: keys, data, public/; of its user alone')
    .option('--listen <host:port>', 'address; port 0 picks a free one', `127.0.0.1:${port}`)
    .option('--admin <host:port>', 'serve /metrics, /healthz and /readyz on an address of their own')
    .option('--tls-cert <file>', 'PEM chain, read again when it changes and at SIGHUP')
    .option('--tls-key <file>', 'PEM key of the certificate')
    .option(
      '--trusted-root <file>',
      'trusted_root.json as it is published: start only with a key that is in it',
    )
    .option('--tenants <file>', 'who may write, and how much; read again when it changes')
    .option('--sigstore-metrics', "show metrics under the names of Sigstore's servers as well")
    .option('--passphrase-file <file>', 'its keys are encrypted under the first line of this file')
    .option('--init', 'make keys and public files and end')
    .addOption(
      new Option('--log-level <level>', 'JSON lines on standard error')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    );
}

const text = (flags: Flags, name: string, { cwd }: CliContext): string | undefined => {
  const value = flags[name];
  return typeof value === 'string' ? resolve(cwd, value) : undefined;
};

/** The same value under the name a setting has, or nothing. */
function optional<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [name]: value } as Record<K, V>);
}

const plain = (flags: Flags, name: string): string | undefined => {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
};

const stations: readonly Station[] = [
  {
    name: 'ca',
    description: "Serves Fulcio's API: identity tokens in, short-lived certificates out.",
    port: 8081,
    addOptions: (command) =>
      addSignerOptions(command, 'intermediate')
        .option('--issuers <file>', "whose tokens it believes, in the form of Fulcio's configuration")
        .option('--ct-url <url>', 'certificate log every certificate is entered in first')
        .option('--ct-key <file>', 'public key of that log, PEM')
        .option('--organization <name>', 'O of its certificates, when they are made')
        .option('--issuances-per-minute <number>', 'certificates per identity and minute'),
    parts: async (flags, deps, context) => {
      const { caParts } = await import('#stack');
      const most = plain(flags, 'issuancesPerMinute');
      return caParts(
        {
          ...optional('issuersFile', text(flags, 'issuers', context)),
          ...optional('ctUrl', plain(flags, 'ctUrl')),
          ...optional('ctKeyFile', text(flags, 'ctKey', context)),
          ...optional('organization', plain(flags, 'organization')),
          ...optional(
            'issuancesPerMinute',
            most === undefined ? undefined : numberOf('--issuances-per-minute', most),
          ),
          ...optional('signer', signerFrom(flags, 'intermediate', context)),
        },
        deps,
      );
    },
  },
  {
    name: 'ct',
    description: 'Serves a certificate log: RFC 6962, and the same as tiles.',
    port: 8082,
    addOptions: (command) =>
      command
        .option('--name <name>', 'its name in checkpoints, such as ct.example/2026')
        .option('--root <file>', 'PEM roots whose chains it takes, read again (repeatable)', collect, [])
        .option('--lock-file <file>', 'checkpoint lock, outside of what is backed up'),
    parts: async (flags, deps, context) => {
      const { ctParts } = await import('#stack');
      const roots = (flags['root'] as readonly string[]).map((path) => resolve(context.cwd, path));
      return ctParts(
        {
          rootFiles: roots,
          ...optional('name', plain(flags, 'name')),
          ...optional('lockFile', text(flags, 'lockFile', context)),
        },
        deps,
      );
    },
  },
  {
    name: 'log',
    description: "Serves a transparency log with Rekor's API, version 1 or 2.",
    port: 8083,
    addOptions: addLogOptions,
    kind: (flags) => (flags['api'] === 'v2' ? 'log2' : 'log'),
    parts: logPartsOf,
  },
  {
    name: 'tsa',
    description: 'Serves a timestamp authority (RFC 3161).',
    port: 8084,
    addOptions: (command) =>
      addSignerOptions(command, 'tsa').option(
        '--organization <name>',
        'O of its certificates, when they are made',
      ),
    parts: async (flags, deps, context) => {
      const { tsaParts } = await import('#stack');
      return tsaParts(
        {
          ...optional('organization', plain(flags, 'organization')),
          ...optional('signer', signerFrom(flags, 'tsa', context)),
        },
        deps,
      );
    },
  },
  {
    name: 'tuf',
    description: 'Serves the TUF repository of the other stations, and signs it again in time.',
    port: 8085,
    hasPlainKeys: true,
    addOptions: (command) =>
      command
        .option('--stations <file>', 'whose trust is published, read again when it changes')
        .option('--next-root <file>', 'a root signed elsewhere: published when it is there and follows'),
    parts: async (flags, deps, context) => {
      const { tufParts } = await import('#stack');
      return tufParts(
        {
          ...optional('stationsFile', text(flags, 'stations', context)),
          ...optional('nextRootFile', text(flags, 'nextRoot', context)),
        },
        deps,
      );
    },
  },
  {
    name: 'registry',
    description: 'Serves an OCI registry (distribution-spec 1.1).',
    port: 8086,
    addOptions: (command) =>
      command
        .option('--tokens <file>', 'who may do what in which repository; without it everybody may')
        .option('--no-delete', 'answer no DELETE')
        .option('--immutable-tags', 'move no tag'),
    parts: async (flags, deps, context) => {
      const { registryParts } = await import('#stack');
      return registryParts(
        {
          ...optional('tokensFile', text(flags, 'tokens', context)),
          isDeletionOff: flags['delete'] === false,
          hasImmutableTags: flags['immutableTags'] === true,
        },
        deps,
      );
    },
  },
  {
    name: 'oidc',
    description: 'Serves the development issuer: any identity for whoever asks, on this machine only.',
    port: 8087,
    hasPlainKeys: true,
    parts: async (flags, deps, context) => {
      const { oidcParts } = await import('#stack');
      context.progress('warning: this issuer gives any identity to whoever asks');
      return oidcParts({ listen: addressOf(flags.listen) }, deps);
    },
  },
];

function addSignerOptions(command: Command, key: string): Command {
  return command
    .option('--signer <program>', 'a program beside it that holds keys (docs/keys.md)')
    .option('--signer-arg <argument>', 'argument of that program (repeatable)', collect, [])
    .option(
      '--signer-key <name=key>',
      `a key of the station, and its name there: ${key}=${key} without this (repeatable)`,
      collect,
      [],
    );
}

/** `key` is what the program holds unless it is said otherwise. */
function signerFrom(flags: Flags, key: string, { env }: CliContext): SignerSettings | undefined {
  const command = plain(flags, 'signer');
  const args = flags['signerArg'] as readonly string[];
  const given = flags['signerKey'] as readonly string[];
  if (command === undefined) {
    if (args.length + given.length === 0) return undefined;
    throw fail(R.optionValue, { expected: '--signer with --signer-arg and --signer-key', actual: 'none' });
  }
  const pairs = given.map((pair): [string, string] => {
    const [, name, there] = /^([a-z]+)=(.+)$/.exec(pair) ?? [];
    if (name !== undefined && there !== undefined) return [name, there];
    throw fail(R.optionValue, { expected: `--signer-key as ${key}=NAME`, actual: JSON.stringify(pair) });
  });
  return { command, args, env, keys: new Map(pairs.length === 0 ? [[key, key]] : pairs) };
}

function addLogOptions(command: Command): void {
  command
    .addOption(new Option('--api <version>', 'which API').choices(['v1', 'v2']).default('v1'))
    .option('--hostname <name>', 'host name clients know it by, as in its checkpoints')
    .option(
      '--store <url>',
      'postgres://… (many machines) or s3://BUCKET (one writer); without it the folder',
    )
    .option('--objects <url>', 'with postgres://: tiles in s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME')
    .addOption(
      new Option('--role <role>', 'with postgres://: what this process does')
        .choices(['all', 'front', 'sequencer'])
        .default('all'),
    )
    .option(
      '--inactive <dir>',
      'v1: data directory of a frozen log this one follows (repeatable)',
      collect,
      [],
    )
    .option('--witness-policy <file>', 'witnesses that cosign every checkpoint (c2sp.org/tlog-policy)')
    .option('--witness-optional', 'publish after 5 s with what the witnesses gave')
    .option('--lock-file <file>', 'checkpoint lock, outside of what is backed up');
}

async function logPartsOf(flags: Flags, deps: StationDeps, context: CliContext): Promise<StationParts> {
  const { logParts } = await import('#stack');
  return logParts(
    {
      api: flags['api'] as 'v1' | 'v2',
      role: flags['role'] as 'all' | 'front' | 'sequencer',
      env: context.env,
      ...optional('hostname', plain(flags, 'hostname')),
      ...optional('store', plain(flags, 'store')),
      ...optional('objects', plain(flags, 'objects')),
      ...optional('witnessPolicyFile', text(flags, 'witnessPolicy', context)),
      inactiveDirs: (flags['inactive'] as readonly string[]).map((dir) => resolve(context.cwd, dir)),
      isWitnessOptional: flags['witnessOptional'] === true,
      ...optional('lockFile', text(flags, 'lockFile', context)),
    },
    deps,
  );
}

async function runStation(station: Station, flags: Flags, context: CliContext): Promise<void> {
  const [{ initStation, openStation }, { onHangup, untilSignal }] = await Promise.all([
    import('#stack'),
    import('#platform/process'),
  ]);
  const kind = station.kind?.(flags) ?? station.name;
  if (station.hasPlainKeys === true && flags.passphraseFile !== undefined) {
    throw fail(R.optionValue, { expected: `no --passphrase-file for ${kind}`, actual: 'one' });
  }
  const settings = await settingsFrom(kind, flags, context);
  const make = (deps: StationDeps): Promise<StationParts> => station.parts(flags, deps, context);
  if (flags.init === true) {
    const about = await initStation(kind, settings, make);
    const value = { ok: true, dataDir: settings.dataDir, ...about };
    return context.result(
      'waybill.dev/serve-init/v1',
      value,
      () => `${kind}: public files in ${settings.dataDir}/public`,
    );
  }
  // Listened for from the start: a signal right after the ready line still stops cleanly.
  const signalled = untilSignal();
  const running = await openStation(kind, settings, make);
  const stop = onHangup(() => void running.reload());
  show(station.name, running, context);
  const failure = await Promise.race([signalled, running.failed]);
  stop();
  await running.close();
  if (typeof failure !== 'string') throw failure;
  context.progress(`waybill: ${failure}, stopped`);
}

function show(name: string, { origin, adminOrigin }: RunningStation, context: CliContext): void {
  const value = { station: name, origin, admin: adminOrigin ?? null, pid: process.pid };
  const admin = adminOrigin === undefined ? '' : `, metrics at ${adminOrigin}/metrics`;
  context.result('waybill.dev/serve/v1', value, () => `${name} at ${origin}${admin}`);
}

async function settingsFrom(kind: string, flags: Flags, context: CliContext): Promise<StationSettings> {
  const { traceSettings } = await import('#platform/traces');
  const { data, tlsCert, tlsKey, admin } = flags;
  if (data === undefined) throw fail(R.usage, { expected: '--data DIR', actual: 'none' });
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw fail(R.optionValue, { expected: '--tls-cert and --tls-key together', actual: 'one of them' });
  }
  const at = (path: string): string => resolve(context.cwd, path);
  const { clock, random, transport } = context;
  return {
    dataDir: at(data),
    listen: addressOf(flags.listen),
    logLevel: flags.logLevel,
    sigstoreMetrics: flags.sigstoreMetrics === true,
    clock,
    random,
    transport,
    ...optional('admin', admin === undefined ? undefined : addressOf(admin)),
    ...(tlsCert === undefined || tlsKey === undefined
      ? {}
      : { tls: { certFile: at(tlsCert), keyFile: at(tlsKey) } }),
    ...optional('traces', traceSettings(context.env, `waybill-${kind}`)),
    ...optional('trustedRootFile', text(flags, 'trustedRoot', context)),
    ...optional('tenantsFile', text(flags, 'tenants', context)),
    ...optional('passphrase', await passphraseFrom(flags, context)),
  };
}

async function passphraseFrom({ passphraseFile }: Flags, { cwd }: CliContext) {
  if (passphraseFile === undefined) return undefined;
  const [{ readFileLimited }, { Secret }, { utf8Text }] = await Promise.all([
    import('#platform/files'),
    import('#base/secret'),
    import('#base/bytes'),
  ]);
  const [line = ''] = utf8Text(await readFileLimited(resolve(cwd, passphraseFile), 4096)).split(/\r?\n/, 1);
  if (line === '')
    throw fail(R.optionValue, { expected: 'a passphrase in --passphrase-file', actual: 'an empty line' });
  return new Secret(line);
}

function numberOf(option: string, value: string): number {
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw fail(R.optionValue, { expected: `${option} as a number above 0`, actual: JSON.stringify(value) });
}
