/** Authorities become requirements of the one verifier; a policy verifies nothing itself. */
import { toHex, utf8 } from '#base/bytes';
import { publicKeyFromPem, sha256 } from '#base/crypto';
import type { Result } from '#base/result';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { fulcioExtensions } from '#formats/x509';
import {
  type ClaimName,
  type Identity,
  identity,
  type Pattern,
  type Requirements,
  requireKey,
  requireKeyless,
} from '#verify';
import { jsonText } from './condition/functions-standard.ts';
import type { Json, YamlNode } from './document.ts';
import { hasWildcard, wildcardRegexp } from './image/wildcard.ts';
import type { AttestationDemand, Authority, EvidenceDemand, KeylessAuthority, TextPattern } from './ir.ts';
import { R } from './reasons.ts';

export interface EvidenceDemandParts {
  readonly path: string;
  readonly name: string;
  readonly authority: Authority;
  readonly attestation?: AttestationDemand;
}

/** A leaf of the demand tree. Throws at `node` when no requirement can be built (WB-727, WB-730). */
export function evidenceDemand(node: YamlNode, parts: EvidenceDemandParts): EvidenceDemand {
  const type = parts.attestation?.predicateType ?? COSIGN_SIGN_V1;
  const requirements = requirementsOf(parts.authority, type);
  if (!requirements.ok) {
    const { expected, actual } = requirements.error;
    throw node.refusal(R.expression, expected, actual, requirements.error.hint);
  }
  const text = jsonText({ type, authority: parts.authority } as unknown as Json);
  const id = toHex(sha256(utf8(text))).slice(0, 32);
  return { kind: 'evidence', ...parts, question: { id, requirements: requirements.value } };
}

function requirementsOf(authority: Authority, predicateType: string): Result<Requirements> {
  const common = {
    predicateTypes: [predicateType],
    annotations: authority.annotations,
    ...(authority.tlog === 'ignored' ? { tlog: 'notRequiredUnsafe' as const } : {}),
  };
  if (authority.kind === 'key') {
    const key = publicKeyFromPem(authority.publicKey);
    return key.ok ? requireKey(key.value, common) : key;
  }
  const identities: Identity[] = [];
  for (const pattern of authority.identities) {
    const made = identity({
      issuer: patternOf(pattern.issuer),
      san: patternOf(pattern.subject),
      claims: claimsOf(authority),
    });
    if (!made.ok) return made;
    identities.push(made.value);
  }
  return requireKeyless({
    ...common,
    identities,
    ...(authority.sct === 'ignored' ? { sct: 'notRequiredUnsafe' as const } : {}),
    ...(authority.signedTimestamp === 'required' ? { time: { kind: 'signed' as const, atLeast: 1 } } : {}),
  });
}

function patternOf(pattern: TextPattern): Pattern {
  if (pattern.kind === 'exact') return pattern.text;
  if (pattern.kind === 'regexp') return { regexp: pattern.text };
  // A `?` of Kyverno is any character; the verifier's glob keeps `/` out of it.
  return pattern.text.includes('?')
    ? { regexp: wildcardRegexp(pattern.text) }
    : { glob: pattern.text, starCrossesSlash: true };
}

function claimsOf(authority: KeylessAuthority): Partial<Record<ClaimName, Pattern>> {
  const claims: Partial<Record<ClaimName, Pattern>> = {};
  for (const [name, text] of Object.entries(authority.extensions)) {
    const extension = fulcioExtensions.find(({ oid, claim }) => oid === name || claim === name);
    if (extension === undefined) continue;
    claims[extension.claim] = patternOf({ kind: hasWildcard(text) ? 'wildcard' : 'exact', text });
  }
  return claims;
}

/** One hash over a set of questions, whatever their order: the policy's part of a cache key. */
export function questionsHash(ids: readonly string[]): string {
  return toHex(sha256(utf8([...new Set(ids)].sort().join(' '))));
}
