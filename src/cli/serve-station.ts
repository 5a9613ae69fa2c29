/** `waybill serve ca|ct|log|tsa|tuf|registry|oidc|builder|audit`: one station of a private Sigstore in a process of its own. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import type { RunningStation, StationDeps, StationParts, StationSettings } from '#stack';
import { believeAuthorities } from './authorities.ts';
import type { CliContext } from './context.ts';
import { addressOf } from './listen.ts';
import { R } from './reasons.ts';
import { withConfigFile } from './serve-config.ts';
import { type Flags, optional, passphraseFrom, type Station, text } from './serve-station-flags.ts';
import { stations } from './serve-station-list.ts';

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
    .option(
      '--admin <host:port>',
      'serve /metrics, /healthz and /readyz on an address of their own, of this machine alone',
    )
    .option('--public-admin', 'let --admin be an address beyond this machine, open to whoever reaches it')
    .option('--tls-cert <file>', 'PEM chain, read again when it changes and at SIGHUP')
    .option('--tls-key <file>', 'PEM key of the certificate')
    .option(
      '--client-ca <file>',
      'take connections only with a certificate of these PEM authorities (mutual TLS); read again as --tls-cert is',
    )
    .option(
      '--trusted-root <file>',
      'trusted_root.json as it is published: start only with a key that is in it',
    )
    .option('--tenants <file>', 'who may write, and how much; read again when it changes')
    .option('--public-writes', 'beyond this machine, take writes from whoever reaches it, without --tenants')
    .option('--sigstore-metrics', "show metrics under the names of Sigstore's servers as well")
    .option('--passphrase-file <file>', 'its keys are encrypted under the first line of this file')
    .option('--init', 'make keys and public files and end')
    .addOption(
      new Option('--log-level <level>', 'JSON lines on standard error')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    );
}

async function runStation(station: Station, flags: Flags, context: CliContext): Promise<void> {
  const [{ initStation, openStation }, { onHangup, untilSignal }] = await Promise.all([
    import('#stack'),
    import('#platform/process'),
  ]);
  const kind = station.kind?.(flags) ?? station.name;
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
  const { defaultLockDir } = await import('#platform/checkpoint-lock');
  const { data, admin } = flags;
  if (data === undefined) throw fail(R.usage, { expected: '--data DIR', actual: 'none' });
  const at = (path: string): string => resolve(context.cwd, path);
  const { clock, random, transport } = context;
  return {
    dataDir: at(data),
    listen: addressOf(flags.listen),
    logLevel: flags.logLevel,
    sigstoreMetrics: flags.sigstoreMetrics === true,
    hasPublicWrites: flags.publicWrites === true,
    isAdminPublic: flags.publicAdmin === true,
    hasLostLock: flags['adoptLock'] === true,
    ...optional('lockDir', defaultLockDir(context.env)),
    clock,
    random,
    transport,
    ...optional('admin', admin === undefined ? undefined : addressOf(admin)),
    ...optional('tls', tlsFrom(flags, context)),
    ...optional('traces', traceSettings(context.env, `waybill-${kind}`)),
    ...optional('trustedRootFile', text(flags, 'trustedRoot', context)),
    ...optional('tenantsFile', text(flags, 'tenants', context)),
    ...optional('passphrase', await passphraseFrom(flags, context)),
  };
}

function tlsFrom(flags: Flags, context: CliContext): StationSettings['tls'] {
  const [certFile, keyFile, clientCaFile] = ['tlsCert', 'tlsKey', 'clientCa'].map((name) =>
    text(flags, name, context),
  );
  if (certFile !== undefined && keyFile !== undefined) {
    return { certFile, keyFile, ...optional('clientCaFile', clientCaFile) };
  }
  if ((certFile ?? keyFile) !== undefined) {
    throw fail(R.optionValue, { expected: '--tls-cert and --tls-key together', actual: 'one of them' });
  }
  if (clientCaFile === undefined) return undefined;
  throw fail(R.optionValue, {
    expected: '--client-ca with --tls-cert and --tls-key',
    actual: '--client-ca alone',
  });
}
