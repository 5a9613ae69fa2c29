/** Which SLSA Build level may be said, and what keeps it from being higher. Never more than evidence shows. */
import type { ProvenanceFindings, ProvenanceSigner } from './expectations.ts';
import { type TrustedBuilder, trustedBuilders } from './trusted.ts';

export interface Level {
  readonly level: 0 | 1 | 2 | 3;
  readonly because: readonly string[];
  /** What is missing for the next level; empty at 3. */
  readonly notMore: readonly string[];
}

/** What a builder knows of itself. Each field is measured or the operator's word, none is a wish. */
export interface BuilderFacts {
  /** Provenance is signed by the control plane with an identity of its own. */
  readonly signed: boolean;
  /** The operator declares shared or dedicated infrastructure. */
  readonly hosted: boolean;
  /** The isolation self-test of this very back end on this host. */
  readonly selfTest: 'passed' | 'failed' | 'not run';
  /** Attacks the back end cannot close, by name. */
  readonly open: readonly string[];
  /** Those of `open` that lead to the signing identity. */
  readonly identityOpen: readonly string[];
}

/** The level a builder can honestly reach (SLSA v1.2 build requirements: authentic, hosted, isolated). */
export function builderLevel(facts: BuilderFacts): Level {
  const because = ['provenance exists and names the artifact by digest'];
  if (!facts.signed) return { level: 1, because, notMore: ['provenance is not signed by the control plane'] };
  if (facts.identityOpen.length > 0) {
    const ways = facts.identityOpen.join(', ');
    return { level: 1, because, notMore: [`the build can reach the signing identity: ${ways}`] };
  }
  because.push('provenance is signed by the control plane');
  if (!facts.hosted) {
    return {
      level: 1,
      because,
      notMore: ['the operator has not declared this builder hosted', ...isolation(facts)],
    };
  }
  because.push('the operator declares hosted infrastructure');
  const missing = isolation(facts);
  if (missing.length > 0) return { level: 2, because, notMore: missing };
  return { level: 3, because: [...because, 'the isolation self-test passed on this host'], notMore: [] };
}

function isolation(facts: BuilderFacts): string[] {
  const missing = facts.selfTest === 'passed' ? [] : [`isolation self-test ${facts.selfTest}`];
  return facts.open.length === 0 ? missing : [...missing, `not isolated: ${facts.open.join(', ')}`];
}

/**
 * The level a verifier grants to checked provenance: the trust policy's row for (issuer, builder), level 1 when
 * there is none, because a name in a predicate proves nothing about isolation.
 */
export function grantedLevel(
  findings: ProvenanceFindings,
  signer: ProvenanceSigner,
  policy: readonly TrustedBuilder[] = trustedBuilders,
): Level {
  const because = ['signed provenance, checked against certificate and expectations'];
  if (signer.kind !== 'certificate') return { level: 1, because, notMore: ['signed with a bare key'] };
  const at = signer.san.lastIndexOf('@');
  const name = at === -1 ? signer.san : signer.san.slice(0, at);
  const row = policy.find(({ builderId, issuer }) => builderId === name && issuer === signer.issuer);
  if (row === undefined) {
    return { level: 1, because, notMore: [`no trust policy row for ${name} by ${signer.issuer}`] };
  }
  if (!row.buildTypes.includes(findings.buildType)) {
    return { level: 1, because, notMore: [`trust policy does not cover build type ${findings.buildType}`] };
  }
  because.push(`the trust policy grants ${name} level ${row.levelMax}`);
  const stated = findings.statedLevel;
  if (stated !== undefined && stated < row.levelMax) {
    const level = stated >= 2 ? 2 : 1;
    return { level, because, notMore: [`the builder itself says that this build reached level ${stated}`] };
  }
  return {
    level: row.levelMax,
    because,
    notMore: row.levelMax === 3 ? [] : [`the trust policy grants no more than level ${row.levelMax}`],
  };
}
