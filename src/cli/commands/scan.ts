/** `waybill scan IMAGE|sbom:FILE`: known vulnerabilities of what is inside, and a gate. */
import type { Command } from 'commander';
import type { Reason } from '#base/reason';
import type { ReportOptions } from '#scan';
import type { CliContext } from '../context.ts';
import { outputsFrom } from '../output-options.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { renderReason } from '../render/reason.ts';
import { collect } from '../sign-options.ts';
import { packageVersion } from '../version.ts';

interface Flags extends RegistryFlags {
  readonly output: readonly string[];
  readonly db?: string;
  readonly failOn?: string;
  readonly allowSampleDb?: boolean;
  readonly failOnUnknown?: boolean;
  readonly expectDigest?: string;
  readonly platform?: string;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('scan')
    .description('match what is inside against known vulnerabilities')
    .argument('<target>', 'image reference, oci:DIR[:tag], or sbom:FILE')
    .option(
      '-o, --output <format[=file]>',
      'table (default), json, cosign-vuln or sarif; may be given several times',
      collect,
      [],
    )
    .option('--db <file>', 'advisory database (default: WAYBILL_DB, else the sample)')
    .option('--fail-on <severity>', 'exit 2 on findings of low, medium, high, critical or worse')
    .option('--allow-sample-db', 'let --fail-on pass on the sample that comes with waybill')
    .option('--fail-on-unknown', 'with --fail-on: also fail on anything unread, uncovered or not comparable')
    .option('--expect-digest <digest>', 'refuse an SBOM of another image')
    .option('--platform <os/arch>', 'image of this platform in an index');
  withRegistryOptions(command).action((target: string, flags: Flags) => scan(target, flags, context));
}

async function scan(target: string, flags: Flags, context: CliContext): Promise<void> {
  const [flow, { parseThreshold, SCAN_SCHEMA, scanJson }, { unwrap }, { parseDigest }] = await Promise.all([
    import('#flows/scan-image'),
    import('#scan'),
    import('#base/result'),
    import('#base/digest'),
  ]);
  const outputs = outputsFrom(flags.output, flow.parseScanFormat);
  const failOn = flags.failOn === undefined ? undefined : parseThreshold(flags.failOn);
  const platform =
    flags.platform === undefined ? undefined : unwrap((await import('#oci')).parsePlatform(flags.platform));
  const expectDigest = flags.expectDigest === undefined ? undefined : unwrap(parseDigest(flags.expectDigest));
  const startedMs = context.clock.now();
  const database = await flow.openAdvisories(flags.db ?? context.env['WAYBILL_DB']);
  try {
    const version = packageVersion();
    const result = await flow.scanTarget(() => registryFrom(flags, context, [target]), target, database, {
      version,
      ...(platform === undefined ? {} : { platform }),
      ...(expectDigest === undefined ? {} : { expectDigest }),
      onLayer: (done, of) => context.progress(`layer ${done} of ${of} read`),
    });
    const reasons =
      failOn === undefined
        ? []
        : flow.judgeScan(result, {
            failOn,
            allowSampleDb: flags.allowSampleDb === true,
            failOnUnknown: flags.failOnUnknown === true,
          });
    const options: ReportOptions = {
      startedMs,
      finishedMs: context.clock.now(),
      version,
      ...(failOn === undefined ? {} : { gate: { failOn, reasons } }),
    };
    const { writeFileDurable } = await import('#platform/files');
    for (const { format, file } of outputs) {
      const bytes = flow.scanDocument(result, format, options);
      if (file !== undefined) await writeFileDurable(file, bytes);
      else if (!context.json) context.stdout(bytes);
    }
    const isPrinted = outputs.some((one) => one.file === undefined);
    if (context.json) context.result(SCAN_SCHEMA, scanJson(result, options), () => '');
    else if (!isPrinted) context.stdout(flow.scanDocument(result, 'table', options));
    if (database.info.isSampleOnly)
      context.stderr('note: scanned with the sample advisories only; see waybill db build');
    failWith(reasons, context);
  } finally {
    database.close();
  }
}

/** The result was printed; the reasons follow, and decide the exit code. */
function failWith(reasons: readonly Reason[], context: CliContext): void {
  for (const why of reasons) context.stderr(renderReason(why, context.useColor));
  if (reasons.length > 0) context.exit(2);
}
