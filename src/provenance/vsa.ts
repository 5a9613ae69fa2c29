/** Verification summaries: what a consumer checks once the signature is verified (SLSA v1.2, VSA). */
import { type Reason, reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import type { Subject } from '#formats/intoto';
import type { Vsa } from '#formats/slsa';
import { R } from './reasons.ts';

export interface VsaExpectations {
  /** `alg:hex`, each must be among the subjects; at least one. */
  readonly subjectDigests: readonly string[];
  readonly verifierId: string;
  readonly resourceUri: string;
  /** Each must be reached: SLSA levels compare per track as at least, others by name. */
  readonly verifiedLevels?: readonly string[];
  /** `sha256` of the policy it must have been verified with, hex. */
  readonly policySha256?: string;
  /** The summary must be of this moment (ms) or later. */
  readonly notBeforeMs?: number;
  /** Now, in ms: a summary from the future is refused. */
  readonly nowMs?: number;
}

const refuse = (check: string, expected: string, actual: string): { ok: false; error: Reason } =>
  err(reason(R.vsa, { check: `vsa.${check}`, expected, actual }));

/** Checks a summary; fails with WB-716 (subject) or WB-717 whose check names the field. */
export function checkVsa(vsa: Vsa, subjects: readonly Subject[], expected: VsaExpectations): Result<Vsa> {
  if (expected.subjectDigests.length === 0)
    return refuse('subjectDigest', 'a subject digest to expect', 'none');
  for (const wanted of expected.subjectDigests) {
    const [algorithm = '', hex] = wanted.split(':');
    if (!subjects.some(({ digest }) => digest[algorithm] === hex && hex !== undefined)) {
      return err(reason(R.subject, { expected: wanted, actual: 'not among the subjects' }));
    }
  }
  if (vsa.verifier.id !== expected.verifierId) {
    return refuse('verifierId', expected.verifierId, vsa.verifier.id);
  }
  if (vsa.resourceUri !== expected.resourceUri) {
    return refuse('resourceUri', expected.resourceUri, vsa.resourceUri);
  }
  if (vsa.verificationResult !== 'PASSED')
    return refuse('verificationResult', 'PASSED', vsa.verificationResult);
  for (const wanted of expected.verifiedLevels ?? []) {
    if (!vsa.verifiedLevels.some((level) => reaches(level, wanted))) {
      return refuse('verifiedLevels', wanted, vsa.verifiedLevels.join(', ') || 'none');
    }
  }
  if (expected.policySha256 !== undefined && vsa.policy.digest?.['sha256'] !== expected.policySha256) {
    return refuse('policy', expected.policySha256, vsa.policy.digest?.['sha256'] ?? 'no policy digest');
  }
  return freshness(vsa, expected);
}

function freshness(vsa: Vsa, expected: VsaExpectations): Result<Vsa> {
  if (expected.notBeforeMs === undefined && expected.nowMs === undefined) return ok(vsa);
  const time = vsa.timeVerified;
  if (time === undefined) return refuse('timeVerified', 'a time', 'none');
  const ms = Date.parse(time);
  if (expected.notBeforeMs !== undefined && ms < expected.notBeforeMs) {
    return refuse('timeVerified', `${new Date(expected.notBeforeMs).toISOString()} or later`, time);
  }
  if (expected.nowMs !== undefined && ms > expected.nowMs) {
    return refuse('timeVerified', `not after ${new Date(expected.nowMs).toISOString()}`, time);
  }
  return ok(vsa);
}

const levelForm = /^SLSA_([A-Z]+)_LEVEL_(\d)$/;

/** `SLSA_BUILD_LEVEL_3` reaches `SLSA_BUILD_LEVEL_2`; `…_UNEVALUATED` reaches nothing but itself. */
function reaches(actual: string, wanted: string): boolean {
  if (actual === wanted) return true;
  const have = levelForm.exec(actual);
  const need = levelForm.exec(wanted);
  return have !== null && need !== null && have[1] === need[1] && Number(have[2]) >= Number(need[2]);
}
