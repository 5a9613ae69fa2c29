/** A verified image, for people and for machines. */
import type { VerifiedImage } from '#flows/verify-image';
import type { Accepted } from '#verify';

export function acceptedJson(accepted: Accepted): object {
  const { signer } = accepted;
  return {
    signer:
      signer.kind === 'certificate'
        ? { kind: 'certificate', issuer: signer.issuer, identity: signer.san.value, claims: signer.claims }
        : { kind: 'key' },
    predicateType: accepted.statement?.predicateType ?? null,
    ...(accepted.statement === undefined ? {} : { predicate: accepted.statement.predicate }),
    ...(accepted.simpleSigning === undefined ? {} : { annotations: accepted.simpleSigning.optional }),
    times: accepted.times.map((time) => ({ ...time, at: new Date(time.at).toISOString() })),
    evidence: accepted.evidence,
    degraded: accepted.degraded,
  };
}

export const verifiedJson = (verified: VerifiedImage): object => ({
  given: verified.given,
  image: verified.pinned,
  digest: verified.digest,
  accepted: verified.accepted.map(acceptedJson),
  refused: verified.refused,
});

export function renderVerified(verified: VerifiedImage): string {
  const lines = [`verified ${verified.pinned}`];
  for (const accepted of verified.accepted) {
    const { signer } = accepted;
    lines.push(
      signer.kind === 'certificate'
        ? `  signed by ${signer.san.value}\n    issuer  ${signer.issuer}`
        : '  signed by the key given',
    );
    const type = accepted.statement?.predicateType;
    if (type !== undefined) lines.push(`    type    ${type}`);
    for (const time of accepted.times) {
      lines.push(`    time    ${new Date(time.at).toISOString()} (${time.kind}, ${time.operator})`);
    }
    for (const evidence of accepted.evidence) lines.push(`    held    ${evidence.summary}`);
    for (const name of accepted.degraded) lines.push(`    GIVEN UP ${String(name)}`);
  }
  if (verified.refused.length > 0) lines.push(`  refused besides: ${verified.refused.length}`);
  return lines.join('\n');
}
