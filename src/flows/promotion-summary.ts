/** The verification summary of a promotion (SLSA v1.2, VSA): what was verified, by which policy, from what. */
import type { Digest } from '#base/brand';
import { rfc3339 } from '#base/clock';
import { fail, type Reason, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { slsaPredicate, VSA_V1, type Vsa } from '#formats/slsa';
import type { PolicySet } from '#policy';
import {
  checkProvenance,
  type Expectations,
  grantedLevel,
  type Level,
  readProvenance,
  type TrustedBuilder,
} from '#provenance';
import type { Predicate } from './predicate.ts';
import { R } from './promote-reasons.ts';
import type { UsedEvidence } from './promotion-evidence.ts';
import { provenanceTypes, signerOf } from './provenance.ts';

export interface SummaryInput {
  readonly verifier: NonNullable<Vsa['verifier']>;
  readonly timeMs: number;
  /** `registry/repository` and digest consumers fetch. */
  readonly target: { readonly repository: string; readonly digest: Digest };
  readonly policies: PolicySet;
  readonly used: readonly UsedEvidence[];
  readonly level: string;
}

/** `oci://registry/repository@digest`: what a consumer of the target expects in `resourceUri`. */
export const resourceUri = (target: SummaryInput['target']): string =>
  `oci://${target.repository}@${target.digest}`;

export function summaryPredicate(input: SummaryInput): Predicate {
  const { policies, used } = input;
  const value: Vsa = {
    verifier: input.verifier,
    timeVerified: rfc3339(input.timeMs),
    resourceUri: resourceUri(input.target),
    policy: {
      // The set has no address of its own: its hash is what `policy test --json` prints as policyHash.
      uri: `urn:waybill:policy:sha256:${policies.hash}`,
      digest: { sha256: policies.hash },
      name: policies.policies.map(({ name }) => name).join(', '),
    },
    inputAttestations: used.map(({ name, sha256 }) => ({ uri: `oci://${name}`, digest: { sha256 } })),
    verificationResult: 'PASSED',
    verifiedLevels: [input.level],
    slsaVersion: '1.2',
  };
  return { type: VSA_V1, value: unwrap(slsaPredicate({ type: VSA_V1, value })) };
}

export interface LevelQuestion {
  readonly expected: Omit<Expectations, 'artifact'>;
  /** Which builder may be granted what, beyond the built-in rows. */
  readonly builders?: readonly TrustedBuilder[];
}

/** Said when nobody asked: a level is a claim about source and builder, not about a signature. */
export const UNEVALUATED = 'SLSA_BUILD_LEVEL_UNEVALUATED';

/**
 * The highest level that provenance among the accepted evidence earns for these expectations. Throws the first
 * refusal when there is provenance and none meets them, WB-972 when there is none.
 */
export function buildLevel(used: readonly UsedEvidence[], digest: Digest, question: LevelQuestion): string {
  const refused: Reason[] = [];
  const levels: Level['level'][] = [];
  for (const { accepted } of used) {
    const { statement } = accepted;
    if (statement === undefined || !provenanceTypes.includes(statement.predicateType)) continue;
    const signer = signerOf(accepted);
    const provenance = readProvenance(statement);
    const findings = provenance.ok
      ? checkProvenance(provenance.value, { ...question.expected, artifact: digest }, signer)
      : provenance;
    if (findings.ok) levels.push(grantedLevel(findings.value, signer, question.builders).level);
    else refused.push(findings.error);
  }
  if (levels.length > 0) return `SLSA_BUILD_LEVEL_${Math.max(...levels)}`;
  const [first] = refused;
  if (first !== undefined) throw new WaybillError({ ...first, exit: 2 });
  const expected = 'provenance among the evidence the policy asks for';
  throw fail(R.provenance, {
    expected,
    actual: `${used.length} pieces of evidence, none of them provenance`,
  });
}
