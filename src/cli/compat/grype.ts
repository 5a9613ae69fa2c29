/**
 * `waybill grype TARGET --fail-on SEVERITY`: grype's words for `waybill scan`. Exit 2 when something at or above
 * the threshold was found, 1 for every other trouble, also for a database that is only the sample.
 */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { columns, gateFound, nativeSource, type ScanValue, tellFailure } from './images.ts';
import { givenFlags, refuseBy, runNative, unsupported } from './native.ts';

const thresholds = ['low', 'medium', 'high', 'critical'];

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('grype')
    .description('grype’s command line for waybill scan')
    .argument(
      '<target>',
      'image, sbom:FILE, registry:IMAGE, oci-dir:DIR, oci-archive:FILE, docker-archive:FILE',
    )
    .option('-f, --fail-on <severity>', thresholds.join(', '))
    .option('-o, --output <format>', 'table (default)')
    .option('--platform <os/arch>', 'image of this platform')
    .option('-q, --quiet', 'print no progress');
  refuseBy(command, 'grype').action(async (target: string) => {
    const flags = givenFlags(command, {
      '--fail-on': (severity) => [`--fail-on=${threshold(severity)}`],
      '--output': (format) => onlyTable(format),
      '--quiet': () => [],
    });
    const argv = ['scan', ...flags, '--', nativeSource('grype', target)];
    const run = await runNative(() => import('../commands/scan.ts'), argv, context);
    for (const text of run.messages) context.stderr(text);
    if (run.value === undefined) return tellFailure(run, 1, context);
    const scan = run.value as ScanValue;
    context.stdout(table(scan));
    if (run.exit !== 0) context.exit(gateFound(scan) ? 2 : 1);
  });
}

function threshold(given: string): string {
  const severity = given.toLowerCase();
  if (thresholds.includes(severity)) return severity;
  throw unsupported('grype', `--fail-on ${given}`, `--fail-on ${thresholds.join(', ')}`);
}

function onlyTable(format: string): string[] {
  if (format === 'table') return [];
  throw unsupported('grype', `-o ${format}`, '-o table; waybill scan -o json or sarif has the rest');
}

function table({ findings }: ScanValue): string {
  if (findings.length === 0) return 'No vulnerabilities found';
  const rows = findings.map((one) => [
    one.package.name,
    one.package.version,
    one.fixed.join(', '),
    one.package.type,
    one.id,
    one.severity.charAt(0).toUpperCase() + one.severity.slice(1),
  ]);
  return columns([['NAME', 'INSTALLED', 'FIXED IN', 'TYPE', 'VULNERABILITY', 'SEVERITY'], ...rows]);
}
