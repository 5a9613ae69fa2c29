/** A verified image, for people and for machines. */
import type { VerifiedImage } from '#flows/verify-image';
import type { Accepted } from '#verify';
import { plainLines } from './plain.ts';

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
  const lines = [`verified ${verified.pinned}`, ...verified.accepted.flatMap(renderAccepted)];
  if (verified.refused.length > 0) lines.push(`  refused besides: ${verified.refused.length}`);
  return plainLines(lines);
}

export function renderAccepted(accepted: Accepted): string[] {
  const { signer, statement, times, evidence, degraded } = accepted;
  const by =
    signer.kind === 'certificate'
      ? [`  signed by ${signer.san.value}`, `    issuer  ${signer.issuer}`]
      : ['  signed by the key given'];
  return [
    ...by,
    ...(statement === undefined ? [] : [`    type    ${statement.predicateType}`]),
    ...times.map(
      ({ at, kind, operator }) => `    time    ${new Date(at).toISOString()} (${kind}, ${operator})`,
    ),
    ...evidence.map(({ summary }) => `    held    ${summary}`),
    ...degraded.map((name) => `    GIVEN UP ${String(name)}`),
  ];
}
