/**
 * Use case: who built, signed and attested this digest, according to the logs? The audit service is only asked;
 * every entry is proven against the trusted root, every signed statement is judged by the one verifier with the
 * entry as its witness, and what cannot be proven is never shown as lineage.
 */
import type { Digest } from '#base/brand';
import { type PublicKey, publicKeyFromPem, publicKeyFromSpki } from '#base/crypto';
import { fail, type Reason, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import type { TransparencyLogEntry } from '#formats/bundle';
import { INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import { pemDecode } from '#formats/pem';
import { parseRekorV1Body, parseRekorV2Body } from '#formats/rekor';
import { type Certificate, parseCertificate } from '#formats/x509';
import { type AuditAnswer, type AuditedEntry, askAudit, type WireDeps } from '#sign';
import {
  type Accepted,
  type Requirements,
  requireKey,
  type SignedEntity,
  type TrustMaterial,
  verifyEntity,
  verifyLogEntry,
  withoutIdentityUnsafe,
} from '#verify';
import { R } from './reasons.ts';

/** One proven step in the life of a digest. */
export interface LineageStep {
  readonly origin: string;
  readonly logIndex: number;
  readonly verdict: Accepted;
  /** Milliseconds: the log's promised time, else the certificate's start (Rekor v2 gives no time). */
  readonly at: number;
  readonly timeFrom: 'log' | 'certificate';
  readonly entry: TransparencyLogEntry;
}

export interface Lineage {
  readonly digest: Digest;
  /** Oldest first. */
  readonly steps: readonly LineageStep[];
  /** Entries in the log whose signature or signer cannot be proven: kept apart, with the reason. */
  readonly unproven: readonly {
    readonly origin: string;
    readonly logIndex: number;
    readonly reason: Reason;
  }[];
  readonly coverage: AuditAnswer['coverage'];
  readonly truncated: boolean;
}

export interface LineageDeps extends WireDeps {
  /** Base URL of the audit service. */
  readonly auditUrl: string;
  readonly trustedRoot: TrustMaterial;
}

/** Throws WB-906 when an entry is not in the log it claims, WB-907 when nothing speaks about the digest. */
export async function lineageOf(digest: Digest, deps: LineageDeps): Promise<Lineage> {
  const answer = await askAudit(deps.auditUrl, digest, deps);
  const steps: LineageStep[] = [];
  const unproven: { origin: string; logIndex: number; reason: Reason }[] = [];
  for (const found of answer.entries) {
    requireLogged(found, deps.trustedRoot);
    const step = prove(digest, found, deps);
    if ('step' in step) steps.push(step.step);
    else unproven.push({ origin: found.origin, logIndex: found.entry.logIndex, reason: step.reason });
  }
  if (answer.entries.length === 0) {
    const covered = answer.coverage
      .map(({ origin, treeSize }) => `${treeSize} entries of ${origin}`)
      .join(', ');
    throw fail(R.auditNothing, {
      expected: `an entry about ${digest}`,
      actual: `none in ${covered || 'no log'}`,
    });
  }
  steps.sort((a, b) => a.at - b.at || a.logIndex - b.logIndex);
  return { digest, steps, unproven, coverage: answer.coverage, truncated: answer.truncated };
}

/** An answer that names an entry the log does not hold is a lie, not a finding. */
function requireLogged(found: AuditedEntry, trust: TrustMaterial): void {
  const logged = verifyLogEntry(found.entry, trust);
  if (logged?.ok === true) return;
  const actual = logged === undefined ? `a log that is not trusted (${found.origin})` : logged.error.actual;
  throw fail(R.auditAnswer, {
    expected: `a proven entry of a trusted log at ${found.entry.logIndex}`,
    actual,
  });
}

function prove(
  digest: Digest,
  found: AuditedEntry,
  deps: LineageDeps,
): { readonly step: LineageStep } | { readonly reason: Reason } {
  const signed = signedPart(found.entry);
  const entity = entityOf(found, signed);
  const promised = found.entry.inclusionPromise !== undefined && found.entry.integratedTime !== 0;
  const start = signed.certificate?.notBefore ?? deps.clock.now();
  const verdict = verifyEntity({
    artifact: digest,
    entity,
    trustedRoot: deps.trustedRoot,
    requirements: requirementsFor(signed, promised, deps.trustedRoot),
    // Without a promised time the certificate is judged at its own start: the log proves the order, not the hour.
    now: promised ? deps.clock.now() : start,
  });
  if (verdict.outcome === 'unavailable') throw new WaybillError(verdict.cause);
  if (verdict.outcome === 'rejected') return { reason: verdict.reason };
  return {
    step: {
      origin: found.origin,
      logIndex: found.entry.logIndex,
      verdict,
      at: promised ? found.entry.integratedTime * 1000 : start,
      timeFrom: promised ? 'log' : 'certificate',
      entry: found.entry,
    },
  };
}

interface SignedPart {
  readonly signature: Uint8Array;
  readonly certificate?: Certificate;
  readonly key?: PublicKey;
}

/** Signature and verifier as the entry's own body records them. */
function signedPart(entry: TransparencyLogEntry): SignedPart {
  if (entry.kind === 'hashedrekord' && entry.version === '0.0.2') {
    const body = unwrap(parseRekorV2Body(entry.kind, entry.version, entry.canonicalizedBody));
    const { kind, rawBytes } = body.verifier;
    return kind === 'x509Certificate'
      ? { signature: body.signature, certificate: unwrap(parseCertificate(rawBytes)) }
      : { signature: body.signature, key: unwrap(publicKeyFromSpki(rawBytes)) };
  }
  const body = unwrap(parseRekorV1Body(entry.kind, entry.version, entry.canonicalizedBody));
  const [first] = 'signatures' in body ? body.signatures : [body];
  if (first === undefined) {
    throw fail(R.auditAnswer, {
      expected: 'an entry that records a signature',
      actual: `${entry.kind} without one`,
    });
  }
  return { signature: first.signature, ...verifierOf(first.verifier) };
}

function verifierOf(pem: string): { readonly certificate: Certificate } | { readonly key: PublicKey } {
  const [block] = unwrap(pemDecode(pem));
  if (block?.label === 'CERTIFICATE') return { certificate: unwrap(parseCertificate(block.der)) };
  return { key: unwrap(publicKeyFromPem(pem)) };
}

function entityOf(found: AuditedEntry, signed: SignedPart): SignedEntity {
  const common = {
    entries: [found.entry],
    timestamps: [],
    signature: signed.signature,
    material:
      signed.certificate === undefined
        ? ({ kind: 'publicKey', hint: '' } as const)
        : ({ kind: 'certificate', certificate: signed.certificate } as const),
  };
  const { statement } = found;
  if (statement === undefined) return { ...common, content: { kind: 'message' } };
  const { payloadType, payload } = statement;
  if (payloadType !== INTOTO_PAYLOAD_TYPE) return { ...common, content: { kind: 'simpleSigning', payload } };
  const envelope = { payloadType, payload, signatures: [{ sig: signed.signature }] };
  return { ...common, content: { kind: 'dsse', envelope } };
}

/** Anybody may have signed: the question is who it was, so any identity of the trusted root is admitted. */
function requirementsFor(signed: SignedPart, promised: boolean, trust: TrustMaterial): Requirements {
  if (signed.key !== undefined) return unwrap(requireKey(signed.key));
  return unwrap(
    withoutIdentityUnsafe({
      time: promised ? { kind: 'integrated', atLeast: 1 } : { kind: 'current' },
      ...(trust.ctlogs.size === 0 ? { sct: 'notRequiredUnsafe' as const } : {}),
    }),
  );
}
