/** Lineage for people and machines. */
import { toBase64 } from '#base/bytes';
import type { Lineage, LineageStep } from '#flows/lineage';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { acceptedJson } from './verified.ts';

export const lineageJson = (lineage: Lineage): object => ({
  digest: lineage.digest,
  steps: lineage.steps.map((step) => ({
    origin: step.origin,
    logIndex: step.logIndex,
    at: new Date(step.at).toISOString(),
    timeFrom: step.timeFrom,
    what: whatOf(step),
    entry: toBase64(step.entry.canonicalizedBody),
    ...acceptedJson(step.verdict),
  })),
  unproven: lineage.unproven,
  coverage: lineage.coverage,
  truncated: lineage.truncated,
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
  const lines = [`lineage of ${lineage.digest}`];
  for (const step of lineage.steps) {
    const { signer } = step.verdict;
    const at = new Date(step.at).toISOString().replace('.000Z', 'Z');
    lines.push(`  ${at}${step.timeFrom === 'log' ? '' : ' or after'}  ${whatOf(step)}`);
    lines.push(
      signer.kind === 'certificate'
        ? `    by     ${signer.san.value}  (${signer.issuer})`
        : '    by     a key, not an identity',
    );
    if (signer.kind === 'certificate' && signer.claims.sourceRepositoryUri !== undefined) {
      const { sourceRepositoryUri, sourceRepositoryRef, sourceRepositoryDigest } = signer.claims;
      lines.push(
        `    from   ${sourceRepositoryUri}@${sourceRepositoryRef ?? ''} ${sourceRepositoryDigest ?? ''}`,
      );
    }
    lines.push(`    logged ${step.origin} #${step.logIndex}, inclusion proven`);
  }
  for (const entry of lineage.unproven) {
    lines.push(
      `  NOT PROVEN ${entry.origin} #${entry.logIndex}: ${entry.reason.check}: ${entry.reason.actual}`,
    );
  }
  for (const { origin, treeSize } of lineage.coverage) {
    lines.push(`  covered: entries 0…${treeSize - 1} of ${origin}`);
  }
  if (lineage.truncated) lines.push('  there are more entries than one answer holds');
  return lines.join('\n');
}
