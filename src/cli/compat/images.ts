/** What the modes of scanners share: names of sources, and findings as our scan reports them. */
import type { CliContext } from '../context.ts';
import { plainLine } from '../render/plain.ts';
import { type NativeRun, unsupported } from './native.ts';

const schemes: Readonly<Record<string, string>> = {
  registry: '',
  'oci-dir': 'oci:',
  'oci-archive': 'oci-archive:',
  'docker-archive': 'docker-archive:',
  docker: 'docker:',
  podman: 'podman:',
  containerd: 'containerd:',
  sbom: 'sbom:',
  dir: 'dir:',
};
/** Sources of the other tools that waybill has no reader for. */
const unread = /^(singularity|file|snap|pkg|purl|cpes?|vex):/;

/** `registry:REF`, `oci-dir:DIR`, … as our verbs name them; a plain reference stays. */
export function nativeSource(tool: string, source: string): string {
  // Trivy reads folders by verbs of their own.
  if (unread.test(source) || (tool === 'trivy' && source.startsWith('dir:'))) {
    throw unsupported(tool, source, `a reference or ${Object.keys(schemes).join(':, ')}:`);
  }
  const scheme = /^([a-z-]+):/.exec(source)?.[1] ?? '';
  const ours = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined;
  return ours === undefined ? source : `${ours}${source.slice(scheme.length + 1)}`;
}

export interface FoundVulnerability {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly severity: string;
  readonly summary: string;
  readonly package: { readonly name: string; readonly version: string; readonly type: string };
  readonly fixed: readonly string[];
}

export interface ScanValue {
  readonly image: { readonly name: string };
  readonly findings: readonly FoundVulnerability[];
  readonly gate?: { readonly reasons: readonly { readonly code: string; readonly check: string }[] };
}

/** Whether the gate found vulnerabilities; other reasons mean the answer is worth nothing, which is an error. */
export const gateFound = ({ gate }: ScanValue): boolean =>
  gate?.reasons.some(({ check }) => check === 'scan.severity') === true;

/** Columns, as wide as their widest cell. */
export function columns(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(plainLine));
  const widths = (rows[0] ?? []).map((_, at) =>
    clean.reduce((most, row) => Math.max(most, (row[at] ?? '').length), 0),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return clean.map(line).join('\n');
}

/** The reason on standard error, when it was not among the messages, and the tool's exit code. */
export function tellFailure(run: NativeRun, exit: number, context: CliContext): void {
  const why = run.reason;
  if (why !== undefined) {
    context.stderr(
      `error: ${why.check} (${why.code}): expected ${why.expected}, got ${why.actual}; ${why.hint}`,
    );
  }
  context.exit(exit);
}
