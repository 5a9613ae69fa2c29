/** Lineage for people and machines. */
import { toBase64 } from '#base/bytes';
import { coverageText, rootOf } from '#flows/coverage-text';
import type { Lineage, LineageStep } from '#flows/lineage';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { plainLines } from './plain.ts';
import { acceptedJson } from './verified.ts';

export const lineageJson = (lineage: Lineage): object => ({
  ...lineage.query,
  steps: lineage.steps.map((step) => ({
    origin: step.origin,
    logIndex: step.logIndex,
    digests: step.digests,
    at: new Date(step.at).toISOString(),
    timeFrom: step.timeFrom,
    what: whatOf(step),
    entry: toBase64(step.entry.canonicalizedBody),
    ...acceptedJson(step.verdict),
  })),
  unproven: lineage.unproven,
  coverage: lineage.coverage.map((one) => ({ ...one, rootHash: rootOf(one.checkpoint) ?? null })),
  uncovered: lineage.uncovered,
  missing: lineage.missing.map(({ url, logId, until, entries }) => ({
    ...{ url, logId: toBase64(logId), until: new Date(until).toISOString(), entries: entries ?? null },
  })),
  truncated: lineage.truncated,
  settled: lineage.settled,
});

const names: Readonly<Record<string, string>> = {
  [COSIGN_SIGN_V1]: 'signature',
  'https://slsa.dev/provenance/v1': 'provenance (SLSA v1)',
  'https://slsa.dev/provenance/v0.2': 'provenance (SLSA v0.2)',
  'https://cyclonedx.org/bom': 'SBOM (CycloneDX)',
  'https://spdx.dev/Document': 'SBOM (SPDX)',
  'https://cosign.sigstore.dev/attestation/vuln/v1': 'vulnerability report',
  'https://slsa.dev/verification_summary/v1': 'verification summary',
};

function whatOf(step: LineageStep): string {
  const type = step.verdict.statement?.predicateType;
  if (type !== undefined) return names[type] ?? type;
  return step.verdict.simpleSigning === undefined ? 'signature over the digest' : 'signature (plain)';
}

export function renderLineage(lineage: Lineage): string {
  const { digest, identity, issuer } = lineage.query;
  const lines = [`lineage of ${digest ?? identity ?? issuer}`];
  if (digest !== undefined && identity !== undefined) lines.push(`  only by ${identity}`);
  if (issuer !== undefined && (digest ?? identity) !== undefined) lines.push(`  only of issuer ${issuer}`);
  for (const step of lineage.steps) lines.push(...stepLines(step, digest));
  for (const entry of lineage.unproven) {
    lines.push(
      `  NOT PROVEN ${entry.origin} #${entry.logIndex}: ${entry.reason.check}: ${entry.reason.actual}`,
    );
  }
  for (const covered of lineage.coverage) lines.push(`  covered: ${coverageText(covered)}`);
  for (const log of lineage.uncovered) lines.push(`  NOT COVERED: the trusted log ${log}`);
  for (const { url, until, entries } of lineage.missing) {
    const count = entries === undefined ? 'what it logged' : `${entries} entries`;
    const at = new Date(until).toISOString().replace('.000Z', 'Z');
    lines.push(`  LOST: the log ${url}, given up ${at}: ${count} no search finds, as the audit service says`);
  }
  if (lineage.truncated) lines.push('  there are more entries than one search reads');
  if (!lineage.settled) lines.push('  the audit service still reads older attachments: ask again');
  return plainLines(lines);
}

const SHOWN_DIGESTS_MAX = 3;

function stepLines(step: LineageStep, asked: string | undefined): string[] {
  const { signer } = step.verdict;
  const at = new Date(step.at).toISOString().replace('.000Z', 'Z');
  const lines = [
    `  ${{ log: at, certificate: `${at} or after`, search: `before ${at}` }[step.timeFrom]}  ${whatOf(step)}`,
  ];
  if (asked === undefined) {
    const more = step.digests.length - SHOWN_DIGESTS_MAX;
    const shown = step.digests.slice(0, SHOWN_DIGESTS_MAX).join(', ');
    lines.push(`    about  ${shown}${more > 0 ? ` and ${more} more` : ''}`);
  }
  lines.push(
    signer.kind === 'certificate'
      ? `    by     ${signer.san.value}  (${signer.issuer})`
      : '    by     a key you named, not an identity',
  );
  if (signer.kind === 'certificate' && signer.claims.sourceRepositoryUri !== undefined) {
    const { sourceRepositoryUri, sourceRepositoryRef, sourceRepositoryDigest } = signer.claims;
    lines.push(
      `    from   ${sourceRepositoryUri}@${sourceRepositoryRef ?? ''} ${sourceRepositoryDigest ?? ''}`,
    );
  }
  lines.push(`    logged ${step.origin} #${step.logIndex}, inclusion proven`);
  return lines;
}
