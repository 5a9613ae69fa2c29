/** What became of a promotion, for people and for machines. */
import { reasonText } from '#base/reason';
import type { Promotion } from '#flows/promote';
import type { GateVerdict, UsedEvidence } from '#flows/promotion-evidence';
import { plainLines } from './plain.ts';
import { attestedJson } from './signed.ts';

const signerText = ({ accepted: { signer } }: UsedEvidence): string =>
  signer.kind === 'certificate' ? `${signer.san.value} (${signer.issuer})` : 'a key';

const verdictJson = (verdict: GateVerdict): object => ({
  outcome: verdict.outcome,
  results: verdict.results,
  reasons: verdict.reasons,
  evidence: verdict.used.map((used) => ({
    from: used.name,
    sha256: used.sha256,
    predicateType: used.accepted.statement?.predicateType ?? null,
    signer: signerText(used),
  })),
});

export function promotionJson(promotion: Promotion, policyHash: string): object {
  const { source, target, digest, outcome, verdict } = promotion;
  const common = { ok: outcome === 'promoted', outcome, source, target, digest, policyHash };
  if (promotion.outcome !== 'promoted') {
    return { ...common, stage: promotion.stage, verdict: verdictJson(verdict) };
  }
  const { manifests, blobs, bytes, attachments } = promotion.copied;
  return {
    ...common,
    image: promotion.pinned,
    verifiedLevels: [promotion.level],
    copied: { manifests, blobs, bytes, attachments },
    verdict: verdictJson(verdict),
    summary: attestedJson(promotion.summary),
  };
}

export function renderPromotion(promotion: Promotion): string {
  const { source, target, digest, verdict } = promotion;
  const checks = verdict.results.map(
    ({ policy, rule, status, message }) => `  ${status.padEnd(11)} ${policy}/${rule}: ${message}`,
  );
  const reasons = verdict.reasons.map((why) => `  ${reasonText(why)}`);
  if (promotion.outcome !== 'promoted') {
    const left =
      promotion.stage === 'source' ? 'nothing was copied' : `the copy at ${target} has no tag and no summary`;
    return plainLines([`${promotion.outcome} ${source} (${digest}): ${left}`, ...checks, ...reasons]);
  }
  return plainLines([
    `promoted ${source}`,
    `  to      ${target} (${promotion.pinned})`,
    ...checks,
    `  level   ${promotion.level}`,
    ...promotion.summary.attached.map((place) => `  summary ${place}`),
  ]);
}
