/**
 * `waybill trivy image|sbom TARGET`: trivy's words for `waybill scan` and, for the SBOM formats, `waybill sbom`.
 * `--severity` chooses what is shown and what `--exit-code` counts; a gate on a worthless answer (a database that
 * is only the sample) exits 1, whatever `--exit-code` says.
 */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { plainLine } from '../render/plain.ts';
import { collect } from '../sign-options.ts';
import { columns, nativeSource, tellFailure } from './images.ts';
import { refuseBy, runNative, unsupported } from './native.ts';
import { isWorthless, runScan, type ScanValueWithGate, type Wanted } from './scan-run.ts';

const ordered = ['UNKNOWN', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];
const sbomFormats: Readonly<Record<string, string>> = {
  cyclonedx: 'cyclonedx-json',
  'spdx-json': 'spdx-json',
};
const scanFormats: Readonly<Record<string, string>> = {
  json: 'trivy-json',
  sarif: 'sarif',
  'cosign-vuln': 'cosign-vuln',
  github: 'github',
};
/** Trivy's states, and ours. */
const states: Readonly<Record<string, string>> = {
  fixed: 'fixed',
  affected: 'not-fixed',
  will_not_fix: 'wont-fix',
  fix_deferred: 'wont-fix',
  unknown: 'unknown',
};

interface Flags {
  readonly severity?: string;
  readonly exitCode?: string;
  readonly exitOnEol?: string;
  readonly format: string;
  readonly output?: string;
  readonly platform?: string;
  readonly ignoreUnfixed?: boolean;
  readonly ignoreStatus?: string;
  readonly ignorefile?: string;
  readonly vex: readonly string[];
  readonly pkgTypes?: string;
  readonly vulnType?: string;
  readonly scanners?: string;
  readonly input?: string;
  readonly skipDirs?: readonly string[];
  readonly skipFiles?: readonly string[];
}

export function register(program: Command, context: CliContext): void {
  const trivy = program.command('trivy').description('trivy’s command line for waybill scan');
  refuseBy(trivy, 'trivy');
  const image = trivy.command('image').description('waybill scan IMAGE').argument('[image]', 'image');
  withFlags(image)
    .option('--input <path>', 'an archive of docker save, or a layout folder')
    .option('--platform <os/arch>', 'image of this platform')
    .option('--skip-dirs <list>', 'folders to leave out', collect, [])
    .option('--skip-files <list>', 'files to leave out', collect, []);
  refuseBy(image, 'trivy image').action((given: string | undefined, flags: Flags) => {
    const target = imageTarget(given, flags);
    if (!Object.hasOwn(sbomFormats, flags.format)) return scan(target, flags, context);
    const idle = ofFindings.find((name) => isGiven(image, name));
    if (idle !== undefined) throw unsupported('trivy', `--format ${flags.format} ${idle}`, 'one of them');
    return sbom(target, flags, context);
  });
  const document = trivy.command('sbom').description('waybill scan sbom:FILE').argument('<file>', 'SBOM');
  refuseBy(withFlags(document), 'trivy sbom').action((file: string, flags: Flags) =>
    scan(`sbom:${file}`, flags, context),
  );
}

function withFlags(command: Command): Command {
  return command
    .option('-s, --severity <list>', `severities to show and count: ${ordered.join(',')}`)
    .option('--exit-code <number>', 'exit code when something is found')
    .option('--exit-on-eol <number>', 'exit code when the operating system is repaired by nobody')
    .option(
      '-f, --format <name>',
      ['table', ...Object.keys(scanFormats), ...Object.keys(sbomFormats)].join(', '),
      'table',
    )
    .option('-o, --output <file>', 'write the result here')
    .option('--ignore-unfixed', 'only findings with a fix')
    .option('--ignore-status <list>', Object.keys(states).join(','))
    .option('--ignorefile <file>', '.trivyignore or .trivyignore.yaml')
    .option('--vex <file>', 'OpenVEX, CSAF or CycloneDX statements (repeatable)', collect, [])
    .option('--pkg-types <list>', 'os,library')
    .option('--vuln-type <list>', 'the older name of --pkg-types')
    .option('--scanners <list>', 'vuln')
    .option('--skip-db-update', 'accepted: waybill db update is a command of its own')
    .option('--skip-java-db-update', 'accepted: there is no second database')
    .option('--offline-scan', 'accepted: nothing is asked of the network')
    .option('--no-progress', 'accepted')
    .option('-q, --quiet', 'print no progress');
}

/** What chooses among findings: the formats that list packages alone have none. */
const ofFindings = [
  '--severity',
  '--exit-code',
  '--exit-on-eol',
  '--ignore-unfixed',
  '--ignore-status',
  '--ignorefile',
  '--vex',
  '--pkg-types',
  '--vuln-type',
  '--scanners',
];

const isGiven = (command: Command, long: string): boolean =>
  command.options.some(
    (one) => one.long === long && command.getOptionValueSource(one.attributeName()) === 'cli',
  );

/** `--input` reads a file or a folder; a plain name is one in a registry. */
function imageTarget(given: string | undefined, { input }: Flags): string {
  if (input === undefined && given !== undefined) return nativeSource('trivy', given);
  if (input === undefined || given !== undefined)
    throw unsupported('trivy', 'image', 'one image, or --input');
  return /\.tar(?:\.gz)?$/.test(input) ? `docker-archive:${input}` : `oci:${input}`;
}

/** Of an image: its platform, and what is left out, from the root of the image. */
function imageWords({ platform, skipDirs = [], skipFiles = [] }: Flags): string[] {
  const paths = [...skipDirs, ...skipFiles].flatMap((list) => list.split(','));
  return [
    ...(platform === undefined ? [] : [`--platform=${platform}`]),
    ...paths.map((path) => `--exclude=${/^(?:\.?\/|\*\*\/)/.test(path) ? path : `./${path}`}`),
  ];
}

async function sbom(image: string, flags: Flags, context: CliContext): Promise<void> {
  const format = `${sbomFormats[flags.format]}${flags.output === undefined ? '' : `=${flags.output}`}`;
  const argv = ['sbom', `--output=${format}`, ...imageWords(flags), '--', image];
  const run = await runNative(() => import('../commands/sbom.ts'), argv, context, { json: false });
  for (const text of run.printed) context.stdout(text);
  for (const text of run.messages) context.stderr(text);
  if (run.exit !== 0) tellFailure(run, 1, context);
}

async function scan(target: string, flags: Flags, context: CliContext): Promise<void> {
  const format = flags.format === 'table' ? undefined : scanFormats[flags.format];
  if (flags.format !== 'table' && format === undefined) {
    throw unsupported(
      'trivy',
      `--format ${flags.format}`,
      `--format table, ${Object.keys(scanFormats).join(', ')}`,
    );
  }
  if (flags.scanners !== undefined && flags.scanners !== 'vuln') {
    throw unsupported('trivy', `--scanners ${flags.scanners}`, '--scanners vuln');
  }
  const exitCode = codeOf('--exit-code', flags.exitCode);
  const endCode = codeOf('--exit-on-eol', flags.exitOnEol);
  const shown = severitiesOf(flags);
  const wanted: Wanted = {
    format: format ?? ((value) => table(value, shown)),
    ...(flags.output === undefined ? {} : { file: flags.output }),
  };
  const words = [
    ...scanWords(flags, shown),
    ...(exitCode === 0 ? [] : ['--fail-on=negligible', '--allow-eol']),
    ...(endCode === 0 ? [] : ['--fail-on-eol']),
    ...imageWords(flags),
  ];
  const done = await runScan(words, target, [wanted], context);
  if (done === undefined) return;
  const { run, value } = done;
  const isEnded = value.gate?.reasons.some(({ check }) => check === 'scan.endOfLife') === true;
  // Trivy counts what remains, also of unknown severity, which a threshold never does.
  if (exitCode !== 0 && value.findings.length > 0) context.exit(exitCode);
  else if (isEnded) context.exit(endCode);
  else if (run.exit !== 0 && isWorthless(value)) context.exit(1);
}

function scanWords(flags: Flags, shown: readonly string[] | undefined): string[] {
  const ignored = flags.ignoreStatus?.split(',').map((word) => {
    const ours = states[word.trim()];
    if (ours !== undefined) return ours;
    throw unsupported('trivy', `--ignore-status ${word}`, `--ignore-status ${Object.keys(states).join(',')}`);
  });
  const types = flags.pkgTypes ?? flags.vulnType;
  if (flags.vulnType !== undefined && flags.vulnType !== types) {
    throw unsupported('trivy', `--vuln-type ${flags.vulnType}`, '--pkg-types, whose older name it is');
  }
  return [
    ...(shown === undefined ? [] : [`--severity=${shown.map(nativeSeverity).join(',').toLowerCase()}`]),
    ...(flags.ignoreUnfixed === true ? ['--only-fixed'] : []),
    ...(ignored === undefined ? [] : [`--ignore-states=${ignored.join(',')}`]),
    ...(flags.ignorefile === undefined ? [] : [`--ignore-file=${flags.ignorefile}`]),
    ...flags.vex.map((file) => `--vex=${file}`),
    ...(types === undefined ? [] : [`--pkg-types=${types}`]),
  ];
}

/** Trivy has no word for "none": it says unknown. */
const nativeSeverity = (name: string): string => (name === 'UNKNOWN' ? 'UNKNOWN,NONE' : name);

function codeOf(flag: string, text = '0'): number {
  if (/^\d{1,3}$/.test(text) && Number(text) <= 255) return Number(text);
  throw unsupported('trivy', `${flag} ${text}`, `${flag} 0 to 255`);
}

function severitiesOf({ severity }: Flags): readonly string[] | undefined {
  if (severity === undefined) return undefined;
  const names = severity.split(',').map((name) => name.trim().toUpperCase());
  const unknown = names.find((name) => !ordered.includes(name));
  if (unknown !== undefined)
    throw unsupported('trivy', `--severity ${severity}`, `--severity ${ordered.join(',')}`);
  return names;
}

const word = (severity: string): string => (severity === 'none' ? 'UNKNOWN' : severity.toUpperCase());

function table({ image, findings }: ScanValueWithGate, chosen: readonly string[] | undefined): string {
  const shown = ordered.filter((name) => chosen?.includes(name) ?? true);
  const counts = shown.map(
    (name) => `${name}: ${findings.filter((one) => word(one.severity) === name).length}`,
  );
  const head = [plainLine(image.name), `Total: ${findings.length} (${counts.join(', ')})`];
  if (findings.length === 0) return head.join('\n');
  const header = [
    'Library',
    'Vulnerability',
    'Severity',
    'Status',
    'Installed Version',
    'Fixed Version',
    'Title',
  ];
  const status: Readonly<Record<string, string>> = {
    fixed: 'fixed',
    'wont-fix': 'will_not_fix',
    unknown: 'unknown',
  };
  const cells = findings.map((one) => [
    one.package.name,
    one.id,
    word(one.severity),
    status[one.state] ?? 'affected',
    one.package.version,
    one.fixed.join(', '),
    one.summary.slice(0, 60),
  ]);
  return [...head, '', columns([header, ...cells])].join('\n');
}
