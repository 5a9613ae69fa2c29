/** `waybill scan IMAGE|sbom:FILE`: known vulnerabilities of what is inside, and a gate. */
import type { Command } from 'commander';
import { fail, type Reason } from '#base/reason';
import type { Scanned } from '#flows/scan-image';
import type { AdvisoryDatabase, GateOptions, RefineOptions, ReportOptions } from '#scan';
import {
  type CatalogueFlags,
  catalogueOptionsFrom,
  ofCataloguing,
  platformFrom,
  refuseGiven,
  refuseIdle,
  withCatalogueOptions,
} from '../catalogue-options.ts';
import type { CliContext } from '../context.ts';
import { type DatabaseTrustFlags, databaseTrustFor, withDatabaseTrustOptions } from '../database-options.ts';
import { addIdentityOptions, type IdentityFlags, requirementsFor } from '../identity-options.ts';
import { outputsFrom } from '../output-options.ts';
import { R } from '../reasons.ts';
import { listOf, type RefineFlags, refineFrom, withRefineOptions } from '../refine-options.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { renderReason } from '../render/reason.ts';
import { tellNotes } from '../scan-notes.ts';
import { collect } from '../sign-options.ts';
import { sourceForm } from '../source-form.ts';
import { addTrustOptions, type TrustFlags, trustFor } from '../trust-options.ts';
import { packageVersion } from '../version.ts';

interface Flags
  extends RegistryFlags,
    IdentityFlags,
    TrustFlags,
    DatabaseTrustFlags,
    CatalogueFlags,
    RefineFlags {
  readonly output: readonly string[];
  readonly db?: string;
  readonly failOn?: string;
  readonly allowSampleDb?: boolean;
  readonly failOnUnknown?: boolean;
  readonly failOnEol?: boolean;
  readonly allowEol?: boolean;
  readonly allowEmpty?: boolean;
  readonly maxDbAge?: string;
  readonly expectDigest?: string;
  readonly attested?: boolean;
  readonly allowLicense?: string;
  readonly denyLicense?: string;
  readonly showSuppressed?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('scan')
    .description('match what is inside against known vulnerabilities')
    .argument(
      '<target>',
      'image reference, oci:DIR[:tag], docker:NAME, podman:NAME, containerd:NAME, dir:PATH, or sbom:FILE (also an attestation)',
    )
    .option(
      '-o, --output <format[=file]>',
      'table (default), json, sarif, cyclonedx-vex, openvex, csaf, junit, markdown, cosign-vuln, cosign-vuln-grype, trivy-json, grype-json, github, gitlab; may be given several times',
      collect,
      [],
    )
    .option('--db <file>', 'advisory database (default: WAYBILL_DB, the one of db update, else the sample)')
    .option('--attested', 'scan the attested SBOM of the image, verified first (needs an identity or --key)')
    .option('--fail-on <severity>', 'exit 2 on findings of negligible, low, medium, high, critical or worse')
    .option('--allow-sample-db', 'let --fail-on pass on the sample that comes with waybill')
    .option('--fail-on-unknown', 'exit 2 on anything unread, uncovered or not comparable')
    .option(
      '--fail-on-eol',
      'exit 2 when the operating system is repaired by nobody any more; part of --fail-on',
    )
    .option('--allow-eol', 'let --fail-on pass on such an operating system')
    .option('--allow-empty', 'let gates pass on an image without any package, as one static program is')
    .option('--max-db-age <time>', 'exit 2 when the database is older, as 3d or 12h')
    .option('--allow-license <list>', 'exit 2 on packages under any other licence (SPDX ids, prefix*, none)')
    .option('--deny-license <list>', 'exit 2 on packages that can only be had under these')
    .option('--show-suppressed', 'show in the table what was taken off')
    .option('--expect-digest <digest>', 'refuse an SBOM of another image');
  withRefineOptions(withCatalogueOptions(command));
  withDatabaseTrustOptions(withRegistryOptions(addTrustOptions(addIdentityOptions(command)))).action(
    (target: string, flags: Flags) => {
      refuseMeaningless(command, target, flags);
      return scan(target, flags, context);
    },
  );
}

/** Who may have signed is asked of attestations only; what is attested is not catalogued. */
function refuseMeaningless(command: Command, target: string, { attested }: Flags): void {
  refuseIdle(command, target);
  if (attested !== true) {
    const own = addIdentityOptions(command.createCommand('identity'));
    // Also said of the database.
    const ofAttestations = own.options.flatMap(({ long }) =>
      long === '--insecure-ignore-tlog' ? [] : (long ?? []),
    );
    refuseGiven(command, ofAttestations, 'a scan without --attested');
    return;
  }
  const isEngine = /^(?:docker|podman|containerd):/.test(target);
  if (isEngine || sourceForm(target) === 'folder')
    refuseGiven(command, ['--attested'], 'what carries no attestations');
  const others = ofCataloguing.filter((option) => option !== '--platform');
  refuseGiven(command, others, 'a scan of what was attested');
}

async function scan(target: string, flags: Flags, context: CliContext): Promise<void> {
  const [documents, { openAdvisories }] = await Promise.all([
    import('#flows/scan-documents'),
    import('#flows/scan-image'),
  ]);
  const outputs = outputsFrom(flags.output, documents.parseScanFormat);
  const startedMs = context.clock.now();
  const gate = await gateFrom(flags, startedMs);
  const refine = { ...(await refineFrom(flags, startedMs)), licenses: licensesFrom(flags) };
  const trust = await databaseTrustFor(flags, context);
  const database = await openAdvisories(flags.db, context.env, trust);
  try {
    const { sbom, result } = await scanned(target, flags, context, { database, refine });
    const reasons = await judged(result, gate);
    const options: ReportOptions = {
      ...(await documentTimes(startedMs, context)),
      version: packageVersion(),
      sbom,
      showSuppressed: flags.showSuppressed === true,
      ...(gate === undefined
        ? {}
        : { gate: { ...(flags.failOn === undefined ? {} : { failOn: flags.failOn }), reasons } }),
    };
    const { writeFileDurable } = await import('#platform/files');
    for (const { format, file } of outputs) {
      const bytes = documents.scanDocument(result, format, options);
      if (file !== undefined) await writeFileDurable(file, bytes);
      else if (!context.json) context.stdout(bytes);
    }
    const printed = outputs.filter((one) => one.file === undefined).map(({ format }) => format);
    if (context.json) {
      const { SCAN_SCHEMA, scanJson } = await import('#scan');
      context.result(SCAN_SCHEMA, scanJson(result, options), () => '');
    } else if (printed.length === 0) context.stdout(documents.scanDocument(result, 'table', options));
    if (database.info.isSampleOnly)
      context.stderr('note: scanned with the sample advisories only; see waybill db build');
    // The table has them, for the same reader.
    const isTold = !context.json && (printed.length === 0 || printed.includes('table'));
    if (!isTold) tellNotes(result, context);
    failWith(reasons, context);
  } finally {
    database.close();
  }
}

/** SOURCE_DATE_EPOCH is the time documents bear; what is judged by time is judged by the clock. */
async function documentTimes(
  startedMs: number,
  context: CliContext,
): Promise<Pick<ReportOptions, 'startedMs' | 'finishedMs'>> {
  if (context.env['SOURCE_DATE_EPOCH'] === undefined) return { startedMs, finishedMs: context.clock.now() };
  const { sourceDateEpochMs } = await import('#flows/sbom-image');
  const epoch = sourceDateEpochMs(context.env) ?? startedMs;
  return { startedMs: epoch, finishedMs: epoch };
}

async function scanned(
  target: string,
  flags: Flags,
  context: CliContext,
  { database, refine }: { readonly database: AdvisoryDatabase; readonly refine: RefineOptions },
): Promise<Scanned> {
  const [{ scanSbom, scanTarget }, { unwrap }] = await Promise.all([
    import('#flows/scan-image'),
    import('#base/result'),
  ]);
  const expectDigest =
    flags.expectDigest === undefined
      ? {}
      : { expectDigest: unwrap((await import('#base/digest')).parseDigest(flags.expectDigest)) };
  const options = { refine, cpe: flags.matchCpe, ...expectDigest };
  if (flags.attested === true) {
    const isFile = sourceForm(target) === 'document';
    const { sbom, notes } = isFile
      ? await attestedFile(target.slice('sbom:'.length), flags, context, expectDigest)
      : await attested(target, flags, context);
    return scanSbom(sbom, database, options, notes);
  }
  const catalogue = await catalogueOptionsFrom(flags, target, context);
  return scanTarget(() => registryFrom(flags, context, [target]), target, database, {
    ...catalogue,
    ...options,
  });
}

async function attested(
  target: string,
  flags: Flags,
  context: CliContext,
): Promise<import('#flows/scan-attested').AttestedSbom> {
  const [{ attestedSbom }, { sbomPredicateTypes }, platform] = await Promise.all([
    import('#flows/scan-attested'),
    import('#flows/sbom-statement'),
    platformFrom(flags),
  ]);
  const requirements = await requirementsFor(flags, { predicateTypes: sbomPredicateTypes }, context);
  const [trust, registry] = await Promise.all([
    trustFor(flags, context, requirements),
    registryFrom(flags, context, [target]),
  ]);
  const cosignRepository = context.env['COSIGN_REPOSITORY'];
  const found = await attestedSbom(target, requirements, {
    registry,
    trust,
    clock: context.clock,
    ...platform,
    ...(cosignRepository === undefined ? {} : { cosignRepository }),
  });
  context.progress(`SBOM attested for ${found.verified.pinned}`);
  return found;
}

/** An attestation in a file, verified. */
async function attestedFile(
  path: string,
  flags: Flags,
  context: CliContext,
  expected: Pick<import('#flows/sbom-attestation').AttestationTrust, 'expectDigest'>,
): Promise<import('#flows/sbom-attestation').VerifiedSbomFile> {
  const [{ verifiedSbomFile }, { sbomPredicateTypes }] = await Promise.all([
    import('#flows/sbom-attestation'),
    import('#flows/sbom-statement'),
  ]);
  const requirements = await requirementsFor(flags, { predicateTypes: sbomPredicateTypes }, context);
  const { material } = await trustFor(flags, context, requirements);
  return verifiedSbomFile(path, { requirements, material, nowMs: context.clock.now(), ...expected });
}

function licensesFrom(flags: Flags): NonNullable<RefineOptions['licenses']> {
  const allow = listOf('--allow-license', flags.allowLicense);
  const deny = listOf('--deny-license', flags.denyLicense);
  return { ...(allow === undefined ? {} : { allow }), ...(deny === undefined ? {} : { deny }) };
}

/** Undefined: no gate was asked for. */
async function gateFrom(flags: Flags, nowMs: number): Promise<GateOptions | undefined> {
  const { failOn, maxDbAge, failOnUnknown, failOnEol, allowLicense, denyLicense } = flags;
  const asked = [failOn, maxDbAge, failOnUnknown, failOnEol, allowLicense, denyLicense];
  if (asked.every((one) => one === undefined)) return undefined;
  const { parseThreshold } = await import('#scan');
  return {
    nowMs,
    ...(failOn === undefined ? {} : { failOn: parseThreshold(failOn) }),
    ...(maxDbAge === undefined ? {} : { maxDbAgeMs: timeMs('--max-db-age', maxDbAge) }),
    allowSampleDb: flags.allowSampleDb === true,
    failOnUnknown: failOnUnknown === true,
    failOnEndOfLife: failOnEol === true,
    allowEndOfLife: flags.allowEol === true,
    allowEmpty: flags.allowEmpty === true,
  };
}

async function judged(result: Scanned['result'], gate: GateOptions | undefined): Promise<readonly Reason[]> {
  if (gate === undefined) return [];
  const { judge } = await import('#scan');
  return judge(result, gate);
}

const units: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 604_800_000 };

function timeMs(option: string, text: string): number {
  const match = /^(\d{1,6})([hdw])$/.exec(text);
  const unit = units[match?.[2] ?? ''];
  if (match === null || unit === undefined) {
    throw fail(R.optionValue, { expected: `${option} as 12h, 3d or 2w`, actual: text });
  }
  return Number(match[1]) * unit;
}

/** The result was printed; the reasons follow, and decide the exit code. */
function failWith(reasons: readonly Reason[], context: CliContext): void {
  for (const why of reasons) context.stderr(renderReason(why, context.useColor));
  if (reasons.length > 0) context.exit(2);
}
