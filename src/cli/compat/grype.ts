/**
 * `waybill grype TARGET --fail-on SEVERITY`: grype's words for `waybill scan`. Exit 2 when something at or above
 * the threshold was found, 1 for every other trouble, also for a database that is only the sample.
 */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { collect } from '../sign-options.ts';
import { columns, gateFound, nativeSource } from './images.ts';
import { givenFlags, refuseBy, unsupported } from './native.ts';
import { type FoundByScan, runScan, type ScanValueWithGate, type Wanted } from './scan-run.ts';

const thresholds = ['negligible', 'low', 'medium', 'high', 'critical'];

/** grype's formats, and ours. */
const formats: Readonly<Record<string, Wanted['format']>> = {
  table,
  json: 'grype-json',
  sarif: 'sarif',
  cyclonedx: 'cyclonedx-vex',
  'cyclonedx-json': 'cyclonedx-vex',
};

interface Flags {
  readonly failOn?: string;
  readonly config: readonly string[];
  readonly output: readonly string[];
  readonly file?: string;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('grype')
    .description('grype’s command line for waybill scan')
    .argument(
      '<target>',
      'image, sbom:FILE, registry:IMAGE, docker:IMAGE, podman:IMAGE, oci-dir:DIR, oci-archive:FILE, docker-archive:FILE, dir:PATH',
    )
    .option('-f, --fail-on <severity>', thresholds.join(', '))
    .option('-o, --output <format[=file]>', Object.keys(formats).join(', '), collect, [])
    .option('--file <file>', 'write the default output here')
    .option('--only-fixed', 'only findings with a fix')
    .option('--only-notfixed', 'only findings without a fix')
    .option('--ignore-states <list>', 'fixed, not-fixed, wont-fix, unknown')
    .option('--show-suppressed', 'also what was taken off')
    .option('--vex <file>', 'OpenVEX or CSAF statements (repeatable)', collect, [])
    .option('-c, --config <file>', '.grype.yaml: its ignore rules are used', collect, [])
    .option('--by-cve', 'findings go by their CVE (always so)')
    .option('--platform <os/arch>', 'image of this platform')
    .option('-s, --scope <scope>', 'squashed or all-layers')
    .option('--exclude <pattern>', 'leave paths out', collect, [])
    .option('-q, --quiet', 'print no progress')
    .option('-v, --verbose', 'accepted; nothing more is printed');
  refuseBy(command, 'grype').action(async (target: string, flags: Flags) => {
    const configured = await thresholdIn(flags.config);
    const words = givenFlags(command, {
      '--fail-on': (severity) => [`--fail-on=${threshold(severity)}`, '--allow-eol'],
      '--config': (file) => [`--ignore-file=${ignoreFile(file)}`],
      '--output': () => [],
      '--file': () => [],
      '--quiet': () => [],
      '--verbose': () => [],
      '--by-cve': () => [],
    });
    if (flags.failOn === undefined && configured !== undefined) {
      words.push(`--fail-on=${threshold(configured)}`, '--allow-eol');
    }
    const done = await runScan(words, nativeSource('grype', target), wantedBy(flags), context);
    if (done === undefined || done.run.exit === 0) return;
    context.exit(gateFound(done.value) ? 2 : 1);
  });
}

function wantedBy({ output, file }: Flags): Wanted[] {
  const given = output.length === 0 ? ['table'] : output;
  const withoutFile = given.filter((text) => !text.includes('='));
  if (file !== undefined && withoutFile.length !== 1) {
    throw unsupported('grype', `--file ${file}`, '--file for one output that names no file of its own');
  }
  return given.map((text) => {
    const at = text.indexOf('=');
    const name = at < 0 ? text : text.slice(0, at);
    const format = Object.hasOwn(formats, name) ? formats[name] : undefined;
    if (format === undefined)
      throw unsupported('grype', `-o ${name}`, `-o ${Object.keys(formats).join(', ')}`);
    const path = at < 0 ? file : text.slice(at + 1);
    return { format, ...(path === undefined ? {} : { file: path }) };
  });
}

function threshold(given: string): string {
  const severity = given.toLowerCase();
  if (thresholds.includes(severity)) return severity;
  throw unsupported('grype', `--fail-on ${given}`, `--fail-on ${thresholds.join(', ')}`);
}

/** Settings of grype that choose findings: one of these that is set, but not translated, is refused by name. */
const choosing = new Set([
  'add-cpes-if-none',
  'distro',
  'exclude',
  'ignore-wontfix',
  'only-fixed',
  'only-notfixed',
  'platform',
  'vex-add',
  'vex-documents',
]);
/** Of these nothing here depends: how grype talks, where its database lies, how its documents look. */
const others = new Set([
  'by-cve',
  'check-for-app-update',
  'db',
  'dev',
  'exp',
  'external-sources',
  'file',
  'fix-channel',
  'log',
  'match',
  'match-upstream-kernel-headers',
  'name',
  'output',
  'output-template-file',
  'pretty',
  'quiet',
  'registry',
  'search',
  'show-suppressed',
  'sort-by',
  'timestamp',
  'verbosity',
]);

/** `fail-on-severity` of the configuration: a gate that was asked for there must not be lost. */
async function thresholdIn(paths: readonly string[]): Promise<string | undefined> {
  if (paths.length === 0) return undefined;
  const { ruleFileSettings } = await import('#flows/scan-rules');
  let found: string | undefined;
  for (const path of paths) {
    for (const [key, value] of Object.entries(await ruleFileSettings(ignoreFile(path)))) {
      const isSet = Array.isArray(value)
        ? value.length > 0
        : ![undefined, null, '', false].includes(value as never);
      if (key === 'fail-on-severity') found = isSet ? String(value) : found;
      else if (choosing.has(key) ? isSet : !others.has(key))
        throw unsupported(
          'grype',
          `--config ${path}: ${key}`,
          'fail-on-severity and ignore of a configuration',
        );
    }
  }
  return found;
}

/** The name tells the form of the rules. */
function ignoreFile(path: string): string {
  if (/(?:^|\/)\.?grype\.ya?ml$/.test(path)) return path;
  throw unsupported('grype', `--config ${path}`, '--config .grype.yaml');
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
const fixText = ({ fixed, state }: FoundByScan): string =>
  fixed.length === 0 && state === 'wont-fix' ? "(won't fix)" : fixed.join(', ');

function table({ findings }: ScanValueWithGate): string {
  if (findings.length === 0) return 'No vulnerabilities found';
  const rows = findings.map((one) => [
    one.package.name,
    one.package.version,
    fixText(one),
    one.package.type,
    one.id,
    capital(one.severity === 'none' ? 'negligible' : one.severity),
    one.epss === undefined ? 'N/A' : `${(100 * one.epss.probability).toFixed(1)}%`,
  ]);
  return columns([['NAME', 'INSTALLED', 'FIXED IN', 'TYPE', 'VULNERABILITY', 'SEVERITY', 'EPSS'], ...rows]);
}
