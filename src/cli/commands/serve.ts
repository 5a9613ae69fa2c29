import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import type { AdmissionConfig, TlsConfig, Unmatched } from '#services/admission';
import type { CliContext } from '../context.ts';
import { addressOf } from '../listen.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { registerStations } from '../serve-station.ts';
import { collect } from '../sign-options.ts';

interface Flags extends RegistryFlags {
  readonly policy: readonly string[];
  readonly trustedRoot?: string;
  readonly stack?: string;
  readonly listen: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsHost: readonly string[];
  readonly tlsDir?: string;
  readonly caOut?: string;
  readonly excludeNamespace: readonly string[];
  readonly ownNamespace?: string;
  readonly unmatched: Unmatched;
  readonly mirror: readonly string[];
  readonly exceptions?: string;
  readonly approvers?: string;
  readonly outbox?: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

export function register(program: Command, context: CliContext): void {
  const serve = program.command('serve').description('Runs one station as a server until a signal ends it.');
  const admission = serve
    .command('admission')
    .description(
      'Serves POST /mutate and /validate (AdmissionReview v1) over HTTPS. Evidence is read from the registry; ' +
        'no log, CA, timestamp authority or TUF repository is asked.',
    )
    .option('--policy <file>', 'policy file, read again when it changes (repeatable)', collect, [])
    .option('--trusted-root <file>', 'trusted_root.json, read again when it changes')
    .option(
      '--stack <dir>',
      'data directory of `waybill stack up`: take its trusted root (also WAYBILL_STACK)',
    )
    .option('--listen <host:port>', 'address; port 0 picks a free one', '127.0.0.1:8443')
    .option('--tls-cert <file>', 'PEM chain, read again when it changes; without it a certificate is made')
    .option('--tls-key <file>', 'PEM key of the certificate')
    .option('--tls-host <name>', 'name or address in the certificate that is made (repeatable)', collect, [])
    .option('--tls-dir <dir>', 'where the CA that is made is kept over restarts')
    .option('--ca-out <file>', 'write the CA for caBundle here')
    .option(
      '--exclude-namespace <name>',
      'namespace that is left alone; wildcards allowed (repeatable)',
      collect,
      [],
    )
    .option('--own-namespace <name>', "the webhook's own namespace: always left alone")
    .option(
      '--mirror <from=to>',
      'read images from elsewhere: ghcr.io/acme/*=localhost:5000/acme/*',
      collect,
      [],
    )
    .option('--exceptions <dir>', 'folder of exceptions to honour, read again and again')
    .option('--approvers <file>', 'who may approve exceptions, read again when it changes')
    .option('--outbox <file>', 'where uses of exceptions are recorded, for `waybill exception drain`')
    .addOption(
      new Option('--unmatched <action>', 'images no policy covers')
        .choices(['allow', 'warn', 'deny'])
        .default('warn'),
    )
    .addOption(
      new Option('--log-level <level>', 'decisions are logged at info, admissions at debug')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    );
  withRegistryOptions(admission);
  admission.action((flags: Flags) => serveAdmission(flags, context));
  registerStations(serve, context);
}

async function serveAdmission(flags: Flags, context: CliContext): Promise<void> {
  const [{ createAdmission }, { createLogger }, { untilSignal }, { toBase64, utf8 }] = await Promise.all([
    import('#services/admission'),
    import('#platform/telemetry'),
    import('#platform/process'),
    import('#base/bytes'),
  ]);
  const config = await configFrom(flags, context);
  const admission = await createAdmission(config, {
    clock: context.clock,
    random: context.random,
    log: createLogger('admission', flags.logLevel),
    evidence: await registryFrom(flags, context, []),
  });
  const caPem = admission.caPem();
  if (flags.caOut !== undefined) {
    const { writeFileDurable } = await import('#platform/files');
    await writeFileDurable(flags.caOut, caPem);
  }
  const value = { station: 'admission', origin: admission.origin, caBundle: toBase64(utf8(caPem)) };
  context.result('waybill.dev/serve/v1', value, () =>
    [
      `admission webhook at ${admission.origin} (POST /mutate, POST /validate)`,
      ...(flags.caOut === undefined ? [`caBundle: ${value.caBundle}`] : [`CA in ${flags.caOut}`]),
    ].join('\n'),
  );
  await untilSignal();
  await admission.close();
}

async function configFrom(flags: Flags, context: CliContext): Promise<AdmissionConfig> {
  const { parseMirrorRule } = await import('#facts');
  const { host, port } = addressOf(flags.listen);
  return {
    host,
    port,
    tls: tlsFrom(flags, host),
    policyFiles: flags.policy,
    trustedRootFile: await rootFileFrom(flags, context),
    excludedNamespaces: flags.excludeNamespace,
    ...(flags.ownNamespace === undefined ? {} : { ownNamespace: flags.ownNamespace }),
    unmatched: flags.unmatched,
    mirrors: flags.mirror.map(parseMirrorRule),
    ...exceptionsFrom(flags),
  };
}

/** All three or none: nothing is let in by an exception that is not approved and recorded. */
function exceptionsFrom({ exceptions, approvers, outbox }: Flags): Pick<AdmissionConfig, 'exceptions'> {
  if (exceptions !== undefined && approvers !== undefined && outbox !== undefined) {
    return { exceptions: { dir: exceptions, approversFile: approvers, outboxFile: outbox } };
  }
  const given = [exceptions, approvers, outbox].filter((value) => value !== undefined);
  if (given.length === 0) return {};
  const expected = '--exceptions DIR, --approvers FILE and --outbox FILE together';
  throw fail(R.optionValue, { expected, actual: `${given.length} of them` });
}

function tlsFrom(flags: Flags, host: string): TlsConfig {
  const { tlsCert, tlsKey } = flags;
  if (tlsCert !== undefined && tlsKey !== undefined)
    return { kind: 'files', certFile: tlsCert, keyFile: tlsKey };
  if (tlsCert !== undefined || tlsKey !== undefined) {
    throw fail(R.optionValue, { expected: '--tls-cert and --tls-key together', actual: 'one of them' });
  }
  const isAny = host === '0.0.0.0' || host === '::';
  const hosts = [...new Set([...flags.tlsHost, ...(isAny ? [] : [host]), 'localhost', '127.0.0.1'])];
  return { kind: 'selfMade', hosts, ...(flags.tlsDir === undefined ? {} : { dir: flags.tlsDir }) };
}

/** A development stack vouches for anybody: enough to try things on this machine, and for nothing beyond it. */
async function warnOfDevelopment(stack: string, flags: Flags, context: CliContext): Promise<void> {
  const [{ readState, refuseDevelopment }, { isLoopback }] = await Promise.all([
    import('#stack'),
    import('#oci'),
  ]);
  if (!isLoopback(addressOf(flags.listen).host)) await refuseDevelopment(stack);
  const state = await readState(stack);
  if (state?.development === true) {
    context.progress(`warning: ${stack} is a development trust domain: its issuer mints any identity`);
  }
}

/**
 * A file, never a TUF repository: a webhook must start and go on without any service. The root of a simulation is
 * refused (WB-610), however it is named: Pods of a real cluster would be admitted on play signatures.
 */
async function rootFileFrom(flags: Flags, context: CliContext): Promise<string> {
  const [{ join }, { loadTrust, refuseSimulated, stackTrustFiles }] = await Promise.all([
    import('node:path'),
    import('#trust'),
  ]);
  const stack = flags.stack ?? context.env['WAYBILL_STACK'];
  if (flags.trustedRoot === undefined && stack === undefined) {
    throw fail(R.usage, { expected: '--trusted-root FILE or --stack DIR', actual: 'neither' });
  }
  if (flags.trustedRoot === undefined && stack !== undefined) await warnOfDevelopment(stack, flags, context);
  const path = flags.trustedRoot ?? join(stack ?? '', stackTrustFiles.trustedRoot);
  const { trustedRoot } = await loadTrust({ kind: 'file', trustedRoot: path }, context);
  refuseSimulated(trustedRoot, path);
  return path;
}
