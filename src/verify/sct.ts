/** Did CT logs see the certificate? */
import { toHex } from '#base/bytes';
import { verifySignature } from '#base/crypto';
import { type Reason, reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { certificateSignedData, embeddedScts, precertTbs, type Sct, sctSignedData } from '#formats/sct';
import { isValidAt } from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import { logAt, type TrustedAuthority, type TrustedLog, type TrustMaterial } from './material.ts';
import { R } from './reasons.ts';

/** A CT log stamps a certificate moments before it is issued; clocks may differ by this much. */
const SKEW_MS = 5 * 60_000;

/** A certificate, who issued it, and a stamp that came beside it. */
export interface StampedCertificate {
  readonly certificate: Certificate;
  readonly authority: TrustedAuthority;
  readonly sct: Sct | undefined;
}

/**
 * Operators of trusted CT logs that stamped the certificate, each once, at least `count`. Stamps of unknown logs count
 * for nothing; one that came beside the certificate only where there is none in it. Fails with WB-335–338 or WB-131
 * (malformed).
 */
export function verifyScts(
  { certificate: leaf, authority, sct: detached }: StampedCertificate,
  trust: TrustMaterial,
  count: number,
): Result<readonly string[]> {
  const embedded = embeddedScts(leaf);
  if (!embedded.ok) return embedded;
  const isDetached = embedded.value.length === 0 && detached !== undefined;
  const scts = isDetached ? [detached] : embedded.value;
  if (scts.length === 0) {
    return err(reason(R.sctMissing, { expected: 'a signed certificate timestamp', actual: 'none' }));
  }
  const tbs = isDetached ? undefined : precertTbs(leaf);
  const operators = new Set<string>();
  let fault: Reason | undefined;
  for (const sct of scts) {
    const data =
      tbs === undefined
        ? certificateSignedData(sct, leaf.der)
        : sctSignedData(sct, authority.issuerKeyHash, tbs);
    const judged = verifyOne(sct, leaf, data, trust);
    if (judged.ok) operators.add(judged.value.operator);
    else fault ??= judged.error;
  }
  if (operators.size >= count) return ok([...operators]);
  if (operators.size === 0 && fault !== undefined) return err(fault);
  const expected = `stamps by ${count} independent CT logs`;
  return err(reason(R.sctThreshold, { expected, actual: [...operators].join(', ') }));
}

function verifyOne(sct: Sct, leaf: Certificate, data: Uint8Array, trust: TrustMaterial): Result<TrustedLog> {
  const id = toHex(sct.logId);
  const logs = trust.ctlogs.get(id);
  const log = logs === undefined ? undefined : logAt(logs, sct.timestamp);
  if (log === undefined) {
    return err(reason(R.sctInvalid, { expected: 'a CT log of the trusted root', actual: `log ${id}` }));
  }
  const family = log.key.kind === 'rsa' ? 'rsa' : 'ecdsa';
  if (sct.algorithm !== family || !verifySignature(log.key, data, sct.signature, 'sha256')) {
    return err(reason(R.sctInvalid, { expected: `a stamp signed by ${log.host}`, actual: 'another' }));
  }
  const isInLife = sct.timestamp >= leaf.notBefore - SKEW_MS && sct.timestamp <= leaf.notAfter + SKEW_MS;
  if (!isInLife || !isValidAt(log.validFor, sct.timestamp)) {
    const actual = new Date(Math.min(sct.timestamp, 8.64e15)).toISOString();
    const expected = isInLife ? 'a time within validFor of the CT log' : 'a time within the certificate';
    return err(reason(R.sctTime, { expected, actual, class: isInLife ? 'sct' : 'time' }));
  }
  return ok(log);
}
