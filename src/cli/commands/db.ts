/** `waybill db build|update|push|status`: the advisory database. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { DatabaseInfo } from '#scan';
import { refuseGiven } from '../catalogue-options.ts';
import type { CliContext } from '../context.ts';
import { type DatabaseTrustFlags, databaseTrustFor, withDatabaseTrustOptions } from '../database-options.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { plainLines } from '../render/plain.ts';
import { collect, type SigningTools, signingTools } from '../sign-options.ts';
import { addSignerOptions, type SignerFlags } from '../signer-options.ts';
import { addTrustOptions, type TrustFlags } from '../trust-options.ts';

interface BuildFlags extends SignerFlags {
  readonly out: string;
  readonly sign?: boolean;
}

interface UpdateFlags extends RegistryFlags, TrustFlags, DatabaseTrustFlags {
  readonly out?: string;
  readonly mirror: readonly string[];
  readonly insecureUnsigned?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const db = program.command('db').description('build, fetch and inspect the advisory database');
  const building = db
    .command('build')
    .description('compile advisories into one database file')
    .argument(
      '<source...>',
      'OSV JSON, folders, zip archives, JSON lines; secdb, Debian tracker, OVAL; KEV, EPSS; also .zst and .gz',
    )
    .requiredOption('--out <file>', 'the database file to write')
    .option('--sign', 'sign it; the bundle is written beside it as FILE.sigstore.json');
  const own = building.options.map(({ long }) => long);
  addTrustOptions(addSignerOptions(building));
  const ofSigning = building.options.flatMap(({ long }) => (own.includes(long) ? [] : (long ?? [])));
  building.action((sources: string[], flags: BuildFlags) => {
    // A key that signs nothing would leave a database that looks signed to whoever built it.
    if (flags.sign !== true) refuseGiven(building, ofSigning, 'db build without --sign');
    return build(sources, flags, context);
  });
  const updating = db
    .command('update')
    .description('fetch the newest database, verify it and put it in place')
    .argument('[place]', 'registry/repository:tag, https://…, or a file (default: WAYBILL_DB_SOURCE)')
    .option('--mirror <place>', 'where to look when that gives nothing (repeatable)', collect, [])
    .option('--out <file>', 'the file to keep up to date (default: below the cache directory)')
    .option('--insecure-unsigned', 'take it whoever made it');
  withDatabaseTrustOptions(withRegistryOptions(addTrustOptions(updating))).action(
    (place: string | undefined, flags: UpdateFlags) => update(place, flags, context),
  );
  const pushing = db
    .command('push')
    .description('publish a database file, with its signature, as an OCI artifact')
    .argument('<file>', 'the database file')
    .argument('<reference>', 'registry/repository:tag');
  withRegistryOptions(pushing).action((file: string, reference: string, flags: RegistryFlags) =>
    push(file, reference, flags, context),
  );
  db.command('status')
    .description('show what a database holds and how old it is')
    .option('--db <file>', 'database file (default: WAYBILL_DB, the one of db update, else the sample)')
    .action((flags: { readonly db?: string }) => status(flags.db, context));
}

async function build(sources: readonly string[], flags: BuildFlags, context: CliContext): Promise<void> {
  const [{ buildDatabase }, { sourceDateEpochMs }] = await Promise.all([
    import('#scan'),
    import('#flows/sbom-image'),
  ]);
  const builtMs = sourceDateEpochMs(context.env) ?? context.clock.now();
  // First of all: who cannot sign builds nothing.
  const tools =
    flags.sign === true ? await signingTools({ ...flags, format: 'bundle' }, context, '') : undefined;
  const report = await buildDatabase(sources, flags.out, { builtMs });
  const signed = tools === undefined ? {} : await signedBeside(flags.out, tools);
  for (const one of report.skippedExamples) context.stderr(`skipped ${one.where}: ${one.reason}`);
  const { withdrawn, notSecurity, skipped } = report;
  const value = {
    file: flags.out,
    ...infoJson(report.info, builtMs),
    withdrawn,
    notSecurity,
    skipped,
    ...signed,
  };
  context.result('waybill.dev/db-build/v1', value, () =>
    [
      `${flags.out}: ${infoText(report.info, builtMs)}`,
      `${withdrawn} withdrawn, ${notSecurity} not about security, ${skipped} skipped`,
      ...(signed.signature === undefined ? [] : [`signed: ${signed.signature}`]),
    ].join('\n'),
  );
}

async function signedBeside(file: string, tools: SigningTools): Promise<{ signature?: string }> {
  const { signDatabase } = await import('#flows/scan-database');
  return { signature: await signDatabase(file, tools) };
}

async function update(place: string | undefined, flags: UpdateFlags, context: CliContext): Promise<void> {
  const [{ updateDatabase }, { installedDatabase }] = await Promise.all([
    import('#flows/scan-update'),
    import('#flows/scan-place'),
  ]);
  const first = place ?? context.env['WAYBILL_DB_SOURCE'];
  if (first === undefined) {
    throw fail(R.optionValue, { expected: 'a place, or WAYBILL_DB_SOURCE', actual: 'none' });
  }
  const trust = await databaseTrustFor(flags, context);
  if (trust === undefined && flags.insecureUnsigned !== true) {
    const expected = '--db-key, --db-certificate-identity with its issuer, or --insecure-unsigned';
    throw fail(R.optionValue, { expected, actual: 'none' });
  }
  const places = [first, ...flags.mirror];
  const result = await updateDatabase(places, flags.out ?? installedDatabase(context.env), {
    registry: () => registryFrom(flags, context, places),
    transport: context.transport,
    clock: context.clock,
    ...(trust === undefined ? {} : { trust }),
  });
  const now = context.clock.now();
  for (const one of result.failed)
    context.stderr(`nothing from ${one.place}: ${one.reason.check} (${one.reason.code})`);
  const { outcome, file, info } = result;
  const value = { outcome, file, place: result.place, verified: trust !== undefined, ...infoJson(info, now) };
  context.result('waybill.dev/db-update/v1', value, () =>
    [
      `${outcome} from ${result.place}${trust === undefined ? ' (UNSIGNED)' : ''}: ${file}`,
      infoText(info, now),
    ].join('\n'),
  );
}

async function push(
  file: string,
  reference: string,
  flags: RegistryFlags,
  context: CliContext,
): Promise<void> {
  const { pushDatabase } = await import('#flows/scan-update');
  const registry = await registryFrom(flags, context, [reference]);
  const digest = await pushDatabase(file, reference, { registry });
  context.result('waybill.dev/db-push/v1', { reference, digest }, () => `${reference}@${digest}`);
}

async function status(file: string | undefined, context: CliContext): Promise<void> {
  const [{ openAdvisories }, { defaultDatabase }] = await Promise.all([
    import('#flows/scan-image'),
    import('#flows/scan-place'),
  ]);
  const database = await openAdvisories(file, context.env);
  try {
    const now = context.clock.now();
    const value = { file: file ?? defaultDatabase(context.env) ?? 'sample', ...infoJson(database.info, now) };
    context.result('waybill.dev/db-status/v1', value, () => infoText(database.info, now));
  } finally {
    database.close();
  }
}

function infoJson(info: DatabaseInfo, nowMs: number): object {
  return {
    ...info,
    built: new Date(info.builtMs).toISOString(),
    ageSeconds: Math.max(0, Math.floor((nowMs - info.builtMs) / 1000)),
    ecosystems: Object.fromEntries(info.ecosystems),
  };
}

function infoText(info: DatabaseInfo, nowMs: number): string {
  const days = Math.max(0, Math.floor((nowMs - info.builtMs) / 86_400_000));
  const kind = info.isSampleOnly ? 'SAMPLE, not for decisions' : `schema ${info.schemaVersion}`;
  const lines = [
    `${info.records} advisories (${kind}), built ${new Date(info.builtMs).toISOString()}, ${days} days ago`,
    `content ${info.digest}, newest record of ${info.newest ?? 'unknown date'}`,
  ];
  for (const [ecosystem, entries] of info.ecosystems) lines.push(`  ${ecosystem}: ${entries} entries`);
  for (const { name, records, skipped, newest } of info.sources) {
    const left = skipped === undefined ? '' : `, ${skipped} SKIPPED that could not be used`;
    lines.push(`  from ${name}: ${records} records${left}, newest of ${newest ?? 'unknown date'}`);
  }
  if (info.epss === 0) lines.push('  without EPSS scores');
  if (info.knownExploited === 0) lines.push('  without entries of KEV');
  return plainLines(lines);
}
