/**
 * The verifier: one straight list of questions, each answered in its own file, in the order of the Sigstore
 * client specification §4. Pure and synchronous: bytes, trust, requirements and time come in, a verdict goes out.
 */
import type { Digest } from '#base/brand';
import type { PublicKey } from '#base/crypto';
import { type Reason, reason, WaybillError } from '#base/reason';
import { err, isNonEmpty, ok, type Result } from '#base/result';
import type { ParsedBundle } from '#formats/bundle';
import { isValidAt } from '#formats/trusted-root';
import { proveChain } from './chain.ts';
import { checks, type Facts, type Outcome, type RequirementName } from './checks.ts';
import { checkDigestHint, readClaims } from './content.ts';
import { entityOf, type SignedEntity, signedBytes } from './entity.ts';
import type { Binding } from './entry-body.ts';
import { hashed } from './hashed.ts';
import { signerOf } from './identity.ts';
import type { TrustMaterial } from './material.ts';
import { R } from './reasons.ts';
import type { Requirements } from './requirements.ts';
import { verifyContentSignature } from './signature.ts';
import { verifyTimestamp } from './timestamps.ts';
import { type LoggedEntry, verifyEntry, windowDetail } from './tlog.ts';
import {
  accepted,
  type Evidence,
  type ObservedTime,
  rejected,
  unavailable,
  type Verdict,
  type VerifiedSigner,
} from './verdict.ts';

export interface VerifyInput {
  /** The artifact's bytes, or its digest (sha256 for images). */
  readonly artifact: Uint8Array | Digest;
  readonly trustedRoot: TrustMaterial;
  readonly requirements: Requirements;
  /** Milliseconds since the epoch; used only where a requirement says so. */
  readonly now: number;
}

/** Judges a bundle. Never throws: a failure of our own is `unavailable`. */
export function verifyBundle(input: VerifyInput & { readonly bundle: ParsedBundle }): Verdict {
  return guarded(() => judge(entityOf(input.bundle), input));
}

/** Judges a signature from any container, such as a legacy cosign layer. */
export function verifyEntity(input: VerifyInput & { readonly entity: SignedEntity }): Verdict {
  return guarded(() => judge(input.entity, input));
}

function guarded(body: () => Verdict): Verdict {
  try {
    return body();
  } catch (error) {
    if (error instanceof WaybillError) return rejected(error.reason);
    const actual = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return unavailable(reason(R.defect, { expected: 'a verdict', actual }));
  }
}

function judge(entity: SignedEntity, input: VerifyInput): Verdict {
  const { requirements, trustedRoot } = input;
  const lacking = lackingTrust(requirements, trustedRoot);
  const signer = signerKey(entity, requirements);
  if (!signer.ok) return rejected(signer.error);
  if (lacking !== undefined) return unavailable(lacking);
  const established = establish(entity, input, signer.value);
  if (!established.ok) return rejected(established.error);
  const { facts, hash, notes } = established.value;
  return decide(facts, requirements, signer.value, hash, notes);
}

interface Established {
  readonly facts: Facts;
  /** Hash the signature verified with. */
  readonly hash: string;
  readonly notes: readonly Reason[];
}

/** What must hold whatever is required. */
function establish(entity: SignedEntity, input: VerifyInput, key: PublicKey): Result<Established> {
  const { requirements, trustedRoot: trust, now } = input;

  // 0. The digest stated beside the signature is the artifact's.
  const artifact = hashed(input.artifact);
  const hint = checkDigestHint(entity, artifact);
  if (!hint.ok) return hint;

  // 1. Log entries of trusted logs are about this signature and hold; others count for nothing.
  const certificate = entity.material.kind === 'certificate' ? entity.material.certificate : undefined;
  const signed = signedBytes(entity, artifact);
  const logged = verifyEntries({ entity, signed, key, certificate }, requirements, trust);
  if (!logged.ok) return logged;
  const { entries } = logged.value;

  // 2. Trusted times: timestamps over the signature, and what logs promised.
  const stamped = verifyTimestamps(entity, trust);
  const times = [...stamped.times, ...entries.flatMap(promisedTime)];
  if (believesCaller(requirements, entity)) times.push({ kind: 'current', at: now, operator: 'caller' });
  const untimely = unpromisedWindowFault(entries, times);
  if (untimely !== undefined) return err(untimely);

  // 3. The certificate was issued by a trusted authority and everything was valid at every trusted time.
  const issued = establishIssuer(entity, requirements, times, stamped.faults, trust);
  if (!issued.ok) return issued;

  // 4. The signature is over these bytes, by this key.
  const signature = verifyContentSignature(key, signed, entity.signature);
  if (!signature.ok) return signature;

  // 5. Only now is the content read.
  const claims = readClaims(entity);
  if (!claims.ok) return claims;

  const facts: Facts = {
    artifact,
    trust,
    now,
    entries,
    times,
    timestampFaults: stamped.faults,
    issued: issued.value,
    claims: claims.value,
  };
  const notes = [...logged.value.notes, ...stamped.faults, ...untimedWindowNotes(entries, times, now)];
  return ok({ facts, hash: signature.value.hash, notes });
}

const believesCaller = ({ time }: Requirements, { timestamps }: SignedEntity): boolean =>
  time.kind === 'current' ||
  (time.kind === 'signedIfAny' && time.otherwise === 'current' && timestamps.length === 0);

function establishIssuer(
  { material }: SignedEntity,
  requirements: Requirements,
  times: readonly ObservedTime[],
  timestampFaults: readonly Reason[],
  trust: TrustMaterial,
): Result<Facts['issued']> {
  if (material.kind === 'publicKey') return ok(undefined);
  const { certificate, sct } = material;
  if (times.length === 0) return err(noTime(timestampFaults));
  const authority = proveChain(certificate, times, trust);
  if (!authority.ok) return authority;
  const signer = signerOf(certificate, requirements.signer);
  return signer.ok ? ok({ certificate, sct, authority: authority.value, signer: signer.value }) : signer;
}

/** The requirements, one by one; evidence of every one that was not given up. */
function decide(
  facts: Facts,
  requirements: Requirements,
  key: PublicKey,
  hash: string,
  notes: readonly Reason[],
): Verdict {
  const evidence: Evidence[] = [signatureEvidence(key, hash), ...issuedEvidence(facts.issued)];
  const degraded: RequirementName[] = [];
  for (const name of Object.keys(checks) as RequirementName[]) {
    const outcome = run(name, requirements, facts);
    if (!outcome.ok) return rejected(outcome.error);
    if (outcome.value.kind === 'degraded') degraded.push(name);
    else evidence.push(...outcome.value.evidence);
  }
  if (!isNonEmpty(evidence)) return unavailable(reason(R.defect, { expected: 'evidence', actual: 'none' }));
  const signer = verifiedSigner(facts.issued, key);
  return accepted({ evidence, degraded, signer, ...contentOf(facts), times: facts.times, notes });
}

function run<K extends RequirementName>(name: K, requirements: Requirements, facts: Facts): Result<Outcome> {
  return checks[name](requirements[name], facts);
}

function signerKey(entity: SignedEntity, requirements: Requirements): Result<PublicKey> {
  const { material } = entity;
  const { signer } = requirements;
  if (signer.kind === 'key') {
    if (material.kind === 'publicKey') return ok(signer.key);
    return err(reason(R.keyExpected, { expected: 'a signature by a bare key', actual: 'a certificate' }));
  }
  if (material.kind === 'certificate') return ok(material.certificate.publicKey);
  return err(reason(R.certificateMissing, { expected: 'a certificate', actual: 'a bare key' }));
}

/** Nothing to check against is not a fault of the evidence. */
function lackingTrust(requirements: Requirements, trust: TrustMaterial): Reason | undefined {
  const { signer, tlog, sct, time } = requirements;
  // Asked one by one: authorities that nobody needs are never proven.
  const needs: [boolean, () => number, string][] = [
    [signer.kind !== 'key', () => trust.authorities.length, 'certificate authority'],
    [tlog.kind === 'atLeast', () => trust.tlogs.size, 'transparency log'],
    [sct.kind === 'atLeast', () => trust.ctlogs.size, 'CT log'],
    [time.kind === 'signed', () => trust.timestampAuthorities.length, 'timestamp authority'],
  ];
  const missing = needs.find(([isNeeded, count]) => isNeeded && count() === 0);
  if (missing === undefined) return undefined;
  const aside = trust.unusable.map((why) => why.actual).join('; ');
  const actual = aside === '' ? 'none' : `none; set aside: ${aside}`;
  return reason(R.trustEmpty, { expected: `a ${missing[2]} in the trusted root`, actual });
}

interface Logged {
  readonly entries: readonly LoggedEntry[];
  readonly notes: readonly Reason[];
}

/** A wrong entry of a trusted log rejects, unless logs were given up; then it is a note. */
function verifyEntries(binding: Binding, requirements: Requirements, trust: TrustMaterial): Result<Logged> {
  const entries: LoggedEntry[] = [];
  const notes: Reason[] = [];
  for (const entry of binding.entity.entries) {
    const judged = verifyEntry(entry, binding, trust);
    if (judged === undefined) {
      const actual = `an entry ${entry.logIndex} of a log that is not in the trusted root`;
      notes.push(reason(R.logThreshold, { expected: 'entries of trusted logs', actual }));
    } else if (judged.ok) entries.push(judged.value);
    else if (requirements.tlog.kind === 'atLeast') return judged;
    else notes.push(judged.error);
  }
  return ok({ entries, notes });
}

function verifyTimestamps(
  entity: SignedEntity,
  trust: TrustMaterial,
): { readonly times: readonly ObservedTime[]; readonly faults: readonly Reason[] } {
  const covered = [entity.signature, ...(entity.envelopeBytes === undefined ? [] : [entity.envelopeBytes])];
  const times: ObservedTime[] = [];
  const faults: Reason[] = [];
  for (const der of entity.timestamps) {
    const judged = verifyTimestamp(der, covered, trust);
    if (judged.ok) times.push(judged.value);
    else faults.push(judged.error);
  }
  return { times, faults };
}

/** Only a promise makes integratedTime trusted (sigstore-js f074710a). */
function promisedTime({ promisedAt, log }: LoggedEntry): ObservedTime[] {
  return promisedAt === undefined ? [] : [{ kind: 'integrated', at: promisedAt, operator: log.operator }];
}

/** A log that gives no time must at least have been valid at one trusted time, where there is any. */
function unpromisedWindowFault(
  entries: readonly LoggedEntry[],
  times: readonly ObservedTime[],
): Reason | undefined {
  const [first] = times;
  if (first === undefined) return undefined;
  const late = entries.find(
    ({ promisedAt, log }) =>
      promisedAt === undefined && !times.some((time) => isValidAt(log.validFor, time.at)),
  );
  return late === undefined ? undefined : reason(R.entryWindow, windowDetail(late.log, first.at));
}

/** With a key and no trusted time nobody can say when the entry was made: a log that is not in use now is told. */
function untimedWindowNotes(
  entries: readonly LoggedEntry[],
  times: readonly ObservedTime[],
  now: number,
): readonly Reason[] {
  if (times.length > 0) return [];
  return entries.flatMap(({ log }) =>
    isValidAt(log.validFor, now) ? [] : [reason(R.entryWindow, windowDetail(log, now))],
  );
}

function noTime([fault]: readonly Reason[]): Reason {
  const detail = { expected: 'a trusted time at which the certificate was valid', actual: 'none' };
  return fault ?? reason(R.timeMissing, detail);
}

function signatureEvidence(key: PublicKey, hash: string): Evidence {
  const details = { key: key.kind, hash };
  return { requirement: 'signature', summary: 'the signature verifies with the key of the signer', details };
}

function issuedEvidence(issued: Facts['issued']): Evidence[] {
  if (issued === undefined) return [];
  const [issuer] = issued.authority.chain;
  const details = { authority: issued.authority.operator, issuer: issuer.subjectText };
  const summary = 'the certificate was issued by a trusted authority and valid at every trusted time';
  return [{ requirement: 'certificate', summary, details }];
}

function verifiedSigner(issued: Facts['issued'], key: PublicKey): VerifiedSigner {
  if (issued === undefined) return { kind: 'key', spki: key.spki };
  const {
    certificate,
    signer: { issuer, san },
  } = issued;
  return { kind: 'certificate', issuer, san, claims: certificate.fulcio, certificate };
}

function contentOf({ claims }: Facts) {
  if (claims.kind === 'statement') return { statement: claims.statement };
  return claims.kind === 'simpleSigning' ? { simpleSigning: claims.simpleSigning } : {};
}
