/** `waybill serve builder` and `waybill serve audit`: stations that work on what the others hold. */
import { isAbsolute, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import type { BackendName } from '#services/builder';
import type { StationDeps } from '#stack';
import type { TrustSource } from '#trust';
import type { CliContext } from './context.ts';
import { addressOf } from './listen.ts';
import { R } from './reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from './registry-options.ts';
import { type Flags, numberOf, optional, plain, type Station, text } from './serve-station-flags.ts';
import { collect } from './sign-options.ts';
import { packageVersion } from './version.ts';

const backends = ['auto', 'userns', 'bwrap', 'uid', 'none'] as const;

export const builderStation: Station = {
  name: 'builder',
  description: 'Builds images from commits in a sandbox and signs where they come from (SLSA provenance).',
  port: 8088,
  addOptions: (command) => withRegistryOptions(withTrust(addBuilderOptions(command), true)),
  parts: async (flags, deps, context) => {
    const { builderParts } = await import('#stack');
    const seconds = plain(flags, 'buildTimeout');
    return builderParts(
      {
        backend: flags['backend'] as BackendName | 'auto',
        hosted: flags['hosted'] === true,
        noneAllowed: flags['allowNoIsolation'] === true,
        sourceRoots: paths(flags, 'sourceRoot', context),
        inputRoots: paths(flags, 'inputRoot', context),
        mirrors: mirrorsOf(flags, context),
        version: packageVersion(),
        images: await registryFrom(flags as RegistryFlags, context, []),
        listen: addressOf(flags.listen),
        hasKnownCallers: (flags.tenants ?? flags.clientCa) !== undefined,
        ...optional('trust', trustFrom(flags, deps, context)),
        ...optional('baseUri', plain(flags, 'baseUri')),
        ...optional('issuerUrl', plain(flags, 'issuerUrl')),
        ...optional('workDir', text(flags, 'work', context)),
        ...optional('callerTokenFile', text(flags, 'callerTokenFile', context)),
        ...optional('concurrency', countOf(flags, 'concurrency', '--concurrency')),
        ...optional('queueMax', countOf(flags, 'queue', '--queue')),
        ...optional(
          'buildTimeoutMs',
          seconds === undefined ? undefined : numberOf('--build-timeout', seconds) * 1000,
        ),
      },
      deps,
    );
  },
};

export const auditStation: Station = {
  name: 'audit',
  description:
    'Follows logs and reads registries by URL, and answers what they say about a digest or a name.',
  port: 8089,
  addOptions: (command) =>
    withRegistryOptions(
      withTrust(command, false)
        .option('--registry <host>', 'read every repository of its catalogue (repeatable)', collect, [])
        .option('--repository <name>', 'HOST/NAME: read this repository (repeatable)', collect, [])
        .option('--read-every <seconds>', 'pause between two passes over the registries', '60'),
    ),
  parts: async (flags, deps, context) => {
    const { auditParts } = await import('#stack');
    return auditParts(
      {
        trust: trustFrom(flags, deps, context),
        registries: {
          client: await registryFrom(flags as RegistryFlags, context, []),
          hosts: flags['registry'] as readonly string[],
          repositories: flags['repository'] as readonly string[],
        },
        readingMs: numberOf('--read-every', plain(flags, 'readEvery') ?? '') * 1000,
      },
      deps,
    );
  },
};

function addBuilderOptions(command: Command): Command {
  return command
    .option('--base-uri <uri>', 'https://HOST: what builder ids begin with')
    .option('--issuer-url <url>', 'where the authority finds the keys of its tokens; default: its address')
    .option('--work <dir>', 'sources and outputs under way; default: a temporary folder')
    .option('--caller-token-file <file>', 'what callers present as a bearer token')
    .addOption(new Option('--backend <name>', 'how builds are isolated').choices(backends).default('auto'))
    .option('--allow-no-isolation', 'with auto: build without isolation where nothing isolates; level 1')
    .option('--hosted', "the operator's word: no workstation of somebody; levels above 1 need it")
    .option('--concurrency <number>', 'builds at a time')
    .option('--queue <number>', 'builds that may wait')
    .option('--build-timeout <seconds>', 'longest build')
    .option('--source-root <dir>', 'folder whose git repositories may be built (repeatable)', collect, [])
    .option('--input-root <dir>', 'folder whose files may be inputs (repeatable)', collect, [])
    .option('--mirror <repository=place>', 'fetch a repository from elsewhere (repeatable)', collect, []);
}

/** Which root, and for what signs also which services. `--trusted-root` is an option of every station. */
function withTrust(command: Command, signs: boolean): Command {
  command
    .option('--tuf-mirror <url>', 'TUF repository to take the trusted root from, again and again')
    .option('--tuf-root <file>', 'its root to start from');
  return signs
    ? command.option('--signing-config <file>', 'with --trusted-root: the services that sign')
    : command;
}

/** A builder takes the signing configuration from where the root is. */
function trustFrom(flags: Flags, { dataDir }: StationDeps, context: CliContext): TrustSource | undefined {
  const [mirror, root] = [plain(flags, 'tufMirror'), text(flags, 'tufRoot', context)];
  const trustedRoot = text(flags, 'trustedRoot', context);
  if ((mirror === undefined) !== (root === undefined)) {
    throw fail(R.optionValue, { expected: '--tuf-mirror and --tuf-root together', actual: 'one of them' });
  }
  if (mirror !== undefined && root !== undefined) {
    return { kind: 'tuf', mirror, root, cacheDir: join(dataDir, 'trust') };
  }
  if (trustedRoot === undefined) return undefined;
  return {
    kind: 'file',
    trustedRoot,
    ...optional('signingConfig', text(flags, 'signingConfig', context)),
  };
}

const paths = (flags: Flags, name: string, { cwd }: CliContext): readonly string[] =>
  (flags[name] as readonly string[]).map((path) => resolve(cwd, path));

function countOf(flags: Flags, name: string, option: string): number | undefined {
  const given = plain(flags, name);
  return given === undefined ? undefined : numberOf(option, given);
}

/** A place that is a path becomes absolute; a URL stays as it is. */
function mirrorsOf(flags: Flags, { cwd }: CliContext): Record<string, string> {
  const mirrors = Object.create(null) as Record<string, string>;
  for (const pair of flags['mirror'] as readonly string[]) {
    const [, repository, place] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
    if (repository === undefined || place === undefined) {
      throw fail(R.optionValue, { expected: '--mirror REPOSITORY=PLACE', actual: JSON.stringify(pair) });
    }
    mirrors[repository] = isAbsolute(place) || /^[a-z+]+:\/\//.test(place) ? place : resolve(cwd, place);
  }
  return mirrors;
}
