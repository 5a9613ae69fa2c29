/**
 * One entry of an audit answer. First what the answer owes: the entry is in a trusted log, and it is about what
 * was asked. Then what the signer owes: the one verifier judges the signature with the entry as its witness.
 */
import type { Digest } from '#base/brand';
import { equalBytes } from '#base/bytes';
import { type PublicKey, publicKeyFromPem, publicKeyFromSpki } from '#base/crypto';
import { digestAlgorithm, digestOf } from '#base/digest';
import { fail, type Reason, reason, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import type { TransparencyLogEntry } from '#formats/bundle';
import { INTOTO_PAYLOAD_TYPE, pae } from '#formats/dsse';
import { parseStatement } from '#formats/intoto';
import { pemDecode } from '#formats/pem';
import { loggedHashes, parseRekorV1Body, parseRekorV2Body } from '#formats/rekor';
import { type Certificate, parseCertificate } from '#formats/x509';
import type { AuditedEntry, AuditQuery } from '#sign';
import {
  type Accepted,
  parseSimpleSigning,
  type Requirements,
  requireKey,
  type SignedEntity,
  type TrustMaterial,
  verifyEntity,
  verifyLogEntry,
  withoutIdentityUnsafe,
} from '#verify';
import { R } from './reasons.ts';

/** Signature and verifier as the entry's own body records them. */
export interface SignedPart {
  readonly signature: Uint8Array;
  readonly certificate?: Certificate;
  readonly key?: PublicKey;
}

/** What the entry is about: digests the signed bytes name, or the digest that was signed itself. */
export interface Joined {
  readonly digests: readonly Digest[];
  /** False when the signed bytes were not seen and the body does not name what was asked for. */
  readonly isTied: boolean;
}

const refuse = (expected: string, actual: string): WaybillError => fail(R.auditAnswer, { expected, actual });

/** An answer that names an entry the log does not hold is a lie, not a finding. Throws WB-906. */
export function requireLogged({ entry, origin }: AuditedEntry, trust: TrustMaterial): void {
  const at = `${origin} #${entry.logIndex}`;
  const logged = verifyLogEntry(entry, trust);
  if (logged?.ok !== true) {
    const actual = logged === undefined ? 'a log that is not trusted' : logged.error.actual;
    throw refuse(`a proven entry of a trusted log at ${at}`, actual);
  }
  const { inclusionProof, inclusionPromise, logIndex } = entry;
  const named = inclusionProof?.checkpoint.split('\n', 1)[0];
  if (named !== origin) throw refuse(`a proof of ${at}`, `a proof of ${named}`);
  // A promise signs the index; without one the proof alone says where the entry is.
  if (inclusionPromise === undefined && inclusionProof?.logIndex !== logIndex) {
    throw refuse(`a proof of ${at}`, `a proof of #${inclusionProof?.logIndex}`);
  }
}

/**
 * Repeats the join: the signed bytes hash to what the entry records, and they name the digest asked for; without
 * bytes the entry itself records it. Throws WB-906 for bytes that are not those of the entry or speak of others.
 */
export function requireJoined(found: AuditedEntry, asked: Digest | undefined): Joined {
  const { entry, statement } = found;
  const at = `${found.origin} #${entry.logIndex}`;
  const read = loggedHashes(entry.kind, entry.version, entry.canonicalizedBody);
  const recorded = read.ok ? read.value : [];
  if (statement === undefined) {
    return { digests: recorded.slice(0, 1), isTied: asked === undefined || recorded.includes(asked) };
  }
  const { payload, payloadType } = statement;
  const encoded = pae(payloadType, payload);
  const isRecorded = recorded.some((hash) =>
    [payload, encoded].some((bytes) => digestOf(bytes, digestAlgorithm(hash)) === hash),
  );
  if (!isRecorded) throw refuse(`the signed bytes of ${at}`, `bytes with the hash ${digestOf(payload)}`);
  const digests = subjectsOf(payloadType, payload);
  if (asked === undefined || digests.includes(asked)) return { digests, isTied: true };
  throw refuse(`an entry about ${asked} at ${at}`, `one about ${digests.join(', ') || 'nothing readable'}`);
}

function subjectsOf(payloadType: string, payload: Uint8Array): readonly Digest[] {
  if (payloadType !== INTOTO_PAYLOAD_TYPE) {
    const simple = parseSimpleSigning(payload);
    return simple.ok ? [simple.value.digest] : [];
  }
  const statement = parseStatement(payload);
  if (!statement.ok) return [];
  return statement.value.subject.flatMap(({ digest }) =>
    (['sha256', 'sha384', 'sha512'] as const).flatMap((name) =>
      digest[name] === undefined ? [] : [`${name}:${digest[name]}` as Digest],
    ),
  );
}

/** The search was by name: the certificate in the entry must carry it. Throws WB-906. */
export function requireNamed(found: AuditedEntry, signed: SignedPart | undefined, query: AuditQuery): void {
  const { identity, issuer } = query;
  const certificate = signed?.certificate;
  const at = `${found.origin} #${found.entry.logIndex}`;
  if (identity !== undefined) {
    const names = certificate?.sans.map((san) => san.value.toLowerCase()) ?? [];
    if (!names.includes(identity.toLowerCase())) {
      throw refuse(`an entry by ${identity} at ${at}`, `one by ${names.join(', ') || 'a key'}`);
    }
  }
  if (issuer !== undefined && certificate?.fulcio.issuer !== issuer) {
    throw refuse(`an entry with issuer ${issuer} at ${at}`, certificate?.fulcio.issuer ?? 'none');
  }
}

/** Undefined for an entry that records no signature we can read. */
export function signedPart(entry: TransparencyLogEntry): SignedPart | undefined {
  const read = attempt(() => readSigned(entry));
  return read.ok ? read.value : undefined;
}

function readSigned(entry: TransparencyLogEntry): SignedPart | undefined {
  if (entry.kind === 'hashedrekord' && entry.version === '0.0.2') {
    const body = unwrap(parseRekorV2Body(entry.kind, entry.version, entry.canonicalizedBody));
    const { kind, rawBytes } = body.verifier;
    return kind === 'x509Certificate'
      ? { signature: body.signature, certificate: unwrap(parseCertificate(rawBytes)) }
      : { signature: body.signature, key: unwrap(publicKeyFromSpki(rawBytes)) };
  }
  const body = unwrap(parseRekorV1Body(entry.kind, entry.version, entry.canonicalizedBody));
  const [first] = 'signatures' in body ? body.signatures : [body];
  if (first === undefined) return undefined;
  const [block] = unwrap(pemDecode(first.verifier));
  return {
    signature: first.signature,
    ...(block.label === 'CERTIFICATE'
      ? { certificate: unwrap(parseCertificate(block.der)) }
      : { key: unwrap(publicKeyFromPem(first.verifier)) }),
  };
}

export interface ProofDeps {
  readonly trustedRoot: TrustMaterial;
  /** Bare keys that are believed. */
  readonly keys: readonly PublicKey[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Judges the signature for `artifact`. Throws when the verifier itself is unavailable. */
export function proveSignature(
  artifact: Digest,
  found: AuditedEntry,
  signed: SignedPart,
  deps: ProofDeps,
): { readonly verdict: Accepted } | { readonly reason: Reason } {
  const { key } = signed;
  if (key !== undefined && !deps.keys.some((known) => equalBytes(known.spki, key.spki))) {
    const actual = `the key ${digestOf(key.spki)}`;
    return { reason: reason(R.auditKey, { expected: 'a signer somebody vouches for', actual }) };
  }
  const promised = isPromised(found.entry);
  const verdict = verifyEntity({
    artifact,
    entity: entityOf(found, signed),
    trustedRoot: deps.trustedRoot,
    requirements: requirementsFor(signed, promised, deps.trustedRoot),
    // Without a promised time the certificate is judged at its own start: the log proves the order, not the hour.
    now: promised ? deps.now : (signed.certificate?.notBefore ?? deps.now),
  });
  if (verdict.outcome === 'unavailable') throw new WaybillError(verdict.cause);
  return verdict.outcome === 'rejected' ? { reason: verdict.reason } : { verdict };
}

export const isPromised = (entry: TransparencyLogEntry): boolean =>
  entry.inclusionPromise !== undefined && entry.integratedTime !== 0;

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
