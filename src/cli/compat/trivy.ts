/**
 * `waybill trivy image IMAGE`: trivy's words for `waybill scan` and, for the SBOM formats, `waybill sbom`.
 * `--severity` chooses what is shown and what `--exit-code` counts; a gate on a worthless answer (a database that
 * is only the sample) exits 1, whatever `--exit-code` says.
 */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { columns, gateFound, nativeSource, type ScanValue, tellFailure } from './images.ts';
import { refuseBy, runNative, unsupported } from './native.ts';

const ordered = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];
const sbomFormats: Readonly<Record<string, string>> = {
  cyclonedx: 'cyclonedx-json',
  'spdx-json': 'spdx-json',
};
const scanFormats = ['table', 'cosign-vuln', 'sarif'];

interface Flags {
  readonly severity?: string;
  readonly exitCode?: string;
  readonly format: string;
  readonly output?: string;
  readonly platform?: string;
}

export function register(program: Command, context: CliContext): void {
  const trivy = program.command('trivy').description('trivy’s command line for waybill scan');
  refuseBy(trivy, 'trivy');
  const command = trivy
    .command('image')
    .description('waybill scan IMAGE')
    .argument('<image>', 'image')
    .option(
      '-s, --severity <list>',
      `severities to show and count: ${ordered.join(',')}, without a gap above the lowest`,
    )
    .option('--exit-code <number>', 'exit code when something is found')
    .option('-f, --format <name>', `${[...scanFormats, ...Object.keys(sbomFormats)].join(', ')}`, 'table')
    .option('-o, --output <file>', 'write the result here')
    .option('--platform <os/arch>', 'image of this platform')
    .option('-q, --quiet', 'print no progress');
  refuseBy(command, 'trivy image').action((image: string, flags: Flags) =>
    Object.hasOwn(sbomFormats, flags.format) ? sbom(image, flags, context) : scan(image, flags, context),
  );
}

const platformOf = ({ platform }: Flags): string[] =>
  platform === undefined ? [] : [`--platform=${platform}`];

async function sbom(image: string, flags: Flags, context: CliContext): Promise<void> {
  const format = `${sbomFormats[flags.format]}${flags.output === undefined ? '' : `=${flags.output}`}`;
  const argv = ['sbom', `--output=${format}`, ...platformOf(flags), '--', nativeSource('trivy', image)];
  const run = await runNative(() => import('../commands/sbom.ts'), argv, context, { json: false });
  for (const text of run.printed) context.stdout(text);
  for (const text of run.messages) context.stderr(text);
  if (run.exit !== 0) tellFailure(run, 1, context);
}

async function scan(image: string, flags: Flags, context: CliContext): Promise<void> {
  if (!scanFormats.includes(flags.format)) {
    throw unsupported('trivy', `--format ${flags.format}`, `--format ${scanFormats.join(', ')}`);
  }
  const exitCode = exitCodeOf(flags);
  const lowest = lowestOf(flags);
  if (flags.format !== 'table' && flags.severity !== undefined) {
    throw unsupported('trivy', `--severity with --format ${flags.format}`, '--severity with --format table');
  }
  const isTable = flags.format === 'table';
  const output = flags.output ?? '';
  const document = isTable ? [] : [`--output=${flags.format}${output === '' ? '' : `=${output}`}`];
  const gate = exitCode === 0 ? [] : [`--fail-on=${(lowest ?? 'LOW').toLowerCase()}`];
  const argv = ['scan', ...document, ...gate, ...platformOf(flags), '--', nativeSource('trivy', image)];
  const json = isTable || output !== '';
  const run = await runNative(() => import('../commands/scan.ts'), argv, context, { json });
  for (const text of run.messages) context.stderr(text);
  for (const text of run.printed) context.stdout(text);
  if (run.reason !== undefined) return tellFailure(run, 1, context);
  const value = run.value as ScanValue | undefined;
  if (isTable && value !== undefined) await write(table(value, lowest), flags, context);
  const isFound =
    value === undefined
      ? run.messages.some((text) => text.includes('scan.severity'))
      : gateFound(value) || (lowest === undefined && value.findings.length > 0);
  if (isFound) context.exit(exitCode);
  else if (run.exit !== 0) context.exit(1);
}

function exitCodeOf({ exitCode = '0' }: Flags): number {
  if (/^\d{1,3}$/.test(exitCode) && Number(exitCode) <= 255) return Number(exitCode);
  throw unsupported('trivy', `--exit-code ${exitCode}`, '--exit-code 0 to 255');
}

/** Our gate has one threshold, so a list must hold everything above its lowest; undefined: all. */
function lowestOf({ severity }: Flags): string | undefined {
  if (severity === undefined) return undefined;
  const names = severity.split(',').map((name) => name.trim().toUpperCase());
  const lowest = ordered.find((name) => names.includes(name));
  const wanted = lowest === undefined ? [] : ordered.slice(ordered.indexOf(lowest));
  if (
    lowest !== undefined &&
    names.length === wanted.length &&
    wanted.every((name) => names.includes(name))
  ) {
    return lowest;
  }
  throw unsupported(
    'trivy',
    `--severity ${severity}`,
    `--severity as a list up to CRITICAL, as HIGH,CRITICAL`,
  );
}

async function write(text: string, { output }: Flags, context: CliContext): Promise<void> {
  if (output === undefined) return context.stdout(text);
  const { writeFileDurable } = await import('#platform/files');
  await writeFileDurable(output, `${text}\n`);
}

function table({ image, findings }: ScanValue, lowest: string | undefined): string {
  const shown = ordered.slice(lowest === undefined ? 0 : ordered.indexOf(lowest));
  const rows = findings.filter(
    ({ severity }) => lowest === undefined || shown.includes(severity.toUpperCase()),
  );
  const counts = shown.map(
    (name) => `${name}: ${rows.filter((one) => one.severity.toUpperCase() === name).length}`,
  );
  const head = [image.name, `Total: ${rows.length} (${counts.join(', ')})`];
  if (rows.length === 0) return head.join('\n');
  const header = [
    'Library',
    'Vulnerability',
    'Severity',
    'Status',
    'Installed Version',
    'Fixed Version',
    'Title',
  ];
  const cells = rows.map((one) => [
    one.package.name,
    one.id,
    one.severity.toUpperCase(),
    one.fixed.length > 0 ? 'fixed' : 'affected',
    one.package.version,
    one.fixed.join(', '),
    one.summary.slice(0, 60),
  ]);
  return [...head, '', columns([header, ...cells])].join('\n');
}
