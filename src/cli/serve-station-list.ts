/** The stations of `waybill serve`: what each takes, and what is made of it. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { LogRole, PlaceSettings, StationDeps, StationParts } from '#stack';
import type { CliContext } from './context.ts';
import { addressOf } from './listen.ts';
import { registryStation } from './serve-registry.ts';
import {
  addSignerOptions,
  type Flags,
  numberOf,
  optional,
  plain,
  type Station,
  signerFrom,
  text,
} from './serve-station-flags.ts';
import { auditStation, builderStation } from './serve-station-work.ts';
import { collect } from './sign-options.ts';
import { addTimeOptions, type TimeFlags, timeSettings } from './time-options.ts';

const LOCK_FILE =
  'checkpoint lock, apart from the data (default: where it was, else below WAYBILL_STATE_DIR or the user state folder)';
const ADOPT_LOCK = 'make a lock that is lost again: only when nothing was signed after this data';

export const stations: readonly Station[] = [
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
      addPlaceOptions(
        addSignerOptions(command, 'log')
          .option('--name <name>', 'its name in checkpoints, such as ct.example/2026')
          .option('--root <file>', 'PEM roots whose chains it takes, read again (repeatable)', collect, []),
      ),
    parts: async (flags, deps, context) => {
      const { ctParts } = await import('#stack');
      const roots = (flags['root'] as readonly string[]).map((path) => resolve(context.cwd, path));
      return ctParts(
        {
          rootFiles: roots,
          ...optional('name', plain(flags, 'name')),
          ...optional('signer', signerFrom(flags, 'log', context)),
          ...placeFrom(flags, context),
        },
        deps,
      );
    },
  },
  {
    name: 'log',
    description: "Serves a transparency log with Rekor's API, version 1 or 2.",
    port: 8083,
    addOptions: (command) => addPlaceOptions(addLogOptions(addSignerOptions(command, 'log'))),
    kind: (flags) => (flags['api'] === 'v2' ? 'log2' : 'log'),
    parts: logPartsOf,
  },
  {
    name: 'tsa',
    description: 'Serves a timestamp authority (RFC 3161).',
    port: 8084,
    addOptions: (command) =>
      addTimeOptions(
        addSignerOptions(command, 'tsa').option(
          '--organization <name>',
          'O of its certificates, when they are made',
        ),
      ),
    parts: async (flags, deps, context) => {
      const { tsaParts } = await import('#stack');
      return tsaParts(
        {
          ...optional('organization', plain(flags, 'organization')),
          ...optional('signer', signerFrom(flags, 'tsa', context)),
          ...timeSettings(flags as TimeFlags),
        },
        deps,
      );
    },
  },
  {
    name: 'tuf',
    description: 'Serves the TUF repository of the other stations, and signs it again in time.',
    port: 8085,
    addOptions: (command) =>
      addSignerOptions(command, 'online')
        .option('--stations <file>', 'whose trust is published, read again when it changes')
        .option('--next-root <file>', 'a root signed elsewhere: published when it is there and follows'),
    parts: async (flags, deps, context) => {
      const { tufParts } = await import('#stack');
      return tufParts(
        {
          ...optional('stationsFile', text(flags, 'stations', context)),
          ...optional('nextRootFile', text(flags, 'nextRoot', context)),
          ...optional('signer', signerFrom(flags, 'online', context)),
        },
        deps,
      );
    },
  },
  registryStation,
  {
    name: 'oidc',
    description: 'Serves the development issuer: any identity for whoever asks, on this machine only.',
    port: 8087,
    parts: async (flags, deps, context) => {
      const { oidcParts } = await import('#stack');
      context.progress('warning: this issuer gives any identity to whoever asks');
      return oidcParts({ listen: addressOf(flags.listen) }, deps);
    },
  },
  builderStation,
  auditStation,
];

function addLogOptions(command: Command): Command {
  return command
    .addOption(new Option('--api <version>', 'which API').choices(['v1', 'v2']).default('v1'))
    .option('--hostname <name>', 'host name clients know it by, as in its checkpoints')
    .option(
      '--inactive <dir>',
      'v1: data directory of a frozen log this one follows; its key is there, or --signer-key inactive-1=NAME for the ' +
        'first (repeatable)',
      collect,
      [],
    )
    .option(
      '--attestation-store-bytes <number>',
      'v1: statements of intoto entries that are kept, together (default: 10 GiB); what comes beyond is logged without',
    )
    .option('--witness-policy <file>', 'witnesses that cosign every checkpoint (c2sp.org/tlog-policy)')
    .option('--witness-optional', 'publish after 5 s with what the witnesses gave');
}

/** Where a log lives, whatever it logs. */
function addPlaceOptions(command: Command): Command {
  return command
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
    .option('--lock-file <file>', LOCK_FILE)
    .option('--adopt-lock', ADOPT_LOCK);
}

function placeFrom(flags: Flags, context: CliContext): PlaceSettings {
  return {
    role: flags['role'] as LogRole,
    env: context.env,
    ...optional('store', plain(flags, 'store')),
    ...optional('objects', plain(flags, 'objects')),
    ...optional('lockFile', text(flags, 'lockFile', context)),
  };
}

async function logPartsOf(flags: Flags, deps: StationDeps, context: CliContext): Promise<StationParts> {
  const { logParts } = await import('#stack');
  const room = plain(flags, 'attestationStoreBytes');
  return logParts(
    {
      api: flags['api'] as 'v1' | 'v2',
      ...optional('hostname', plain(flags, 'hostname')),
      ...optional('signer', signerFrom(flags, 'log', context)),
      ...placeFrom(flags, context),
      ...optional('witnessPolicyFile', text(flags, 'witnessPolicy', context)),
      ...optional(
        'attestationStoreBytesMax',
        room === undefined ? undefined : numberOf('--attestation-store-bytes', room, 15),
      ),
      inactiveDirs: (flags['inactive'] as readonly string[]).map((dir) => resolve(context.cwd, dir)),
      isWitnessOptional: flags['witnessOptional'] === true,
    },
    deps,
  );
}
