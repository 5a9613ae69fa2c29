/** `waybill db build|status`: the advisory database. */
import type { Command } from 'commander';
import type { DatabaseInfo } from '#scan';
import type { CliContext } from '../context.ts';

export function register(program: Command, context: CliContext): void {
  const db = program.command('db').description('build and inspect the advisory database');
  db.command('build')
    .description('compile OSV records into one database file')
    .argument('<source...>', 'OSV JSON files, folders, zip archives, JSON lines; also .zst and .gz')
    .requiredOption('--out <file>', 'the database file to write')
    .action((sources: string[], flags: { readonly out: string }) => build(sources, flags.out, context));
  db.command('status')
    .description('show what a database holds and how old it is')
    .option('--db <file>', 'database file (default: WAYBILL_DB, else the sample)')
    .action((flags: { readonly db?: string }) => status(flags.db, context));
}

async function build(sources: readonly string[], out: string, context: CliContext): Promise<void> {
  const [{ buildDatabase }, { sourceDateEpochMs }] = await Promise.all([
    import('#scan'),
    import('#flows/sbom-image'),
  ]);
  const builtMs = sourceDateEpochMs(context.env) ?? context.clock.now();
  const report = await buildDatabase(sources, out, { builtMs });
  for (const one of report.skippedExamples) context.stderr(`skipped ${one.where}: ${one.reason}`);
  const { withdrawn, notSecurity, skipped } = report;
  const value = { file: out, ...infoJson(report.info, builtMs), withdrawn, notSecurity, skipped };
  context.result('waybill.dev/db-build/v1', value, () =>
    [
      `${out}: ${infoText(report.info, builtMs)}`,
      `${withdrawn} withdrawn, ${notSecurity} not about security, ${skipped} skipped`,
    ].join('\n'),
  );
}

async function status(file: string | undefined, context: CliContext): Promise<void> {
  const { openAdvisories } = await import('#flows/scan-image');
  const path = file ?? context.env['WAYBILL_DB'];
  const database = await openAdvisories(path);
  try {
    const now = context.clock.now();
    const value = { file: path ?? 'sample', ...infoJson(database.info, now) };
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
    `content ${info.digest}${info.newest === undefined ? '' : `, newest record of ${info.newest}`}`,
  ];
  for (const [ecosystem, entries] of info.ecosystems) lines.push(`  ${ecosystem}: ${entries} entries`);
  return lines.join('\n');
}
