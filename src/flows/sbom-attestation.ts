/**
 * An SBOM in a file: the document itself, or an attestation around it (in-toto statement, DSSE envelope, Sigstore
 * bundle 0.1 to 0.3). Reading proves nothing about who signed it and says so; `verifiedSbomFile` does.
 */
import { basename } from 'node:path';
import type { Digest } from '#base/brand';
import { toBase64 } from '#base/bytes';
import { digest as digestFrom } from '#base/digest';
import { limits } from '#base/limits';
import { fail, type WaybillError } from '#base/reason';
import { attempt, ok, type Result, unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { type Envelope, INTOTO_PAYLOAD_TYPE, parseEnvelope } from '#formats/dsse';
import { parseStatement, type Statement } from '#formats/intoto';
import { isJsonObject, type JsonObject, own, parseJson } from '#formats/json';
import type { Sbom } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import type { Accepted, Requirements, SignedEntity, TrustMaterial } from '#verify';
import { signedText } from './check-item.ts';
import { sbomFileBytes } from './sbom-bytes.ts';
import { printable } from './sbom-document.ts';
import { R } from './sbom-reasons.ts';
import { sbomOfStatement } from './sbom-statement.ts';

const STATEMENT = 'in-toto statement';
const ENVELOPE = 'DSSE envelope';

export interface AttestationFile {
  /** `in-toto statement`, `DSSE envelope`, `Sigstore bundle 0.3`. */
  readonly form: string;
  readonly statement: Statement;
}

export interface SbomFile {
  readonly sbom: Sbom;
  /** Absent: the file is the document itself. */
  readonly attestation?: AttestationFile;
}

/** WB-192 for what is neither, WB-980 for an attestation of something else, and the reasons of the forms. */
export function parseSbomFile(bytes: Uint8Array): Result<SbomFile> {
  const document = parseSbom(bytes);
  if (document.ok) return ok({ sbom: document.value });
  const opened = attempt(() => openAttestation(bytes));
  if (!opened.ok) return opened;
  if (opened.value === undefined) return document;
  const sbom = sbomOfStatement(opened.value.statement);
  return sbom.ok ? ok({ sbom: boundTo(sbom.value, opened.value), attestation: opened.value }) : sbom;
}

/** Undefined for what is no attestation in any form. */
function openAttestation(bytes: Uint8Array): AttestationFile | undefined {
  const json = parseJson(bytes, { maxBytes: limits.attachmentBytes });
  if (!json.ok || !isJsonObject(json.value)) return undefined;
  const has = (name: string): boolean => own(json.value as JsonObject, name) !== undefined;
  if (has('_type')) return { form: STATEMENT, statement: unwrap(parseStatement(bytes)) };
  if (has('payloadType')) {
    const envelope = unwrap(parseEnvelope(json.value, limits.attachmentBytes));
    return { form: ENVELOPE, statement: statementOf(envelope) };
  }
  if (!has('verificationMaterial')) return undefined;
  // Nothing is verified here, so a root that tools of 2023 put in does no harm.
  const bundle = unwrap(parseBundle(bytes, { toleratesRoot: true }));
  if (bundle.content.kind !== 'dsse') {
    throw fail(R.attestation, { expected: 'a bundle around a statement', actual: 'a bare signature' });
  }
  return { form: `Sigstore bundle ${bundle.version}`, statement: statementOf(bundle.content.envelope) };
}

function statementOf({ payloadType, payload }: Envelope): Statement {
  if (payloadType === INTOTO_PAYLOAD_TYPE) return unwrap(parseStatement(payload));
  const actual = JSON.stringify(payloadType).slice(0, 200);
  throw fail(R.attestation, { expected: `an envelope of ${INTOTO_PAYLOAD_TYPE}`, actual });
}

/** SHA-256 digests the statement is about. */
const subjectDigests = ({ subject }: Statement): readonly Digest[] =>
  subject.flatMap(({ digest: { sha256 } }) => (sha256 === undefined ? [] : [digestFrom(`sha256:${sha256}`)]));

/** An SBOM that names no digest is about what its statement is about, where that is one thing. */
function boundTo(sbom: Sbom, { statement }: AttestationFile): Sbom {
  const [only, ...others] = subjectDigests(statement);
  if (sbom.subject.digest !== undefined || only === undefined || others.length > 0) return sbom;
  return { ...sbom, subject: { ...sbom.subject, digest: only } };
}

const SUBJECTS_SHOWN = 3;

/** What the reader must know about a document that came in an attestation: who vouches for it, and what it is about. */
export function attestationNotes(name: string, file: SbomFile, verified?: Accepted): readonly string[] {
  const { attestation, sbom } = file;
  if (attestation === undefined) return [];
  const { form, statement } = attestation;
  const shown = statement.subject.slice(0, SUBJECTS_SHOWN).map(({ name: subject, digest }) => {
    const [algorithm, hex] = Object.entries(digest)[0] as [string, string];
    return `${subject === undefined ? '' : `${subject} `}${algorithm}:${digest['sha256'] ?? hex}`;
  });
  const rest = statement.subject.length - shown.length;
  const subjects = `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
  const vouched =
    verified === undefined
      ? 'its signature was NOT VERIFIED, anybody may have written it'
      : `verified: signed ${signedText(verified)}`;
  const { digest } = sbom.subject;
  const isOther = digest !== undefined && !subjectDigests(statement).includes(digest);
  return [
    `${name} is an attestation (${form}, ${statement.predicateType}); ${vouched}`,
    `${name} is about ${subjects}`,
    ...(isOther ? [`${name} holds an SBOM that says it is about another image: ${digest}`] : []),
  ].map(printable);
}

export interface AttestationTrust {
  /** With the predicate types of SBOMs. */
  readonly requirements: Requirements;
  readonly material: TrustMaterial;
  /** Milliseconds. */
  readonly nowMs: number;
  /** What the statement must be about; absent: what it says, which is told. */
  readonly expectDigest?: Digest;
}

export interface VerifiedSbomFile {
  readonly sbom: Sbom;
  readonly notes: readonly string[];
}

/**
 * Reads an attestation from a file and verifies it. Throws WB-887 for what carries no signature, and for an SBOM that
 * lists nothing or is about something else than its statement; or the verifier's own reason.
 */
export async function verifiedSbomFile(path: string, trust: AttestationTrust): Promise<VerifiedSbomFile> {
  const bytes = await sbomFileBytes(path, limits.attachmentBytes);
  const file = unwrap(parseSbomFile(bytes));
  const { artifact, accepted } = await verifyAttestation(bytes, file, trust);
  const bound = { ...file, sbom: { ...file.sbom, subject: { ...file.sbom.subject, digest: artifact } } };
  return { sbom: bound.sbom, notes: attestationNotes(basename(path), bound, accepted) };
}

async function verifyAttestation(
  bytes: Uint8Array,
  { sbom, attestation }: SbomFile,
  { requirements, material, nowMs: now, expectDigest }: AttestationTrust,
): Promise<{ readonly artifact: Digest; readonly accepted: Accepted }> {
  const [{ readSignedBlob, signedParts, verifyBlob }, { scanReasons }] = await Promise.all([
    import('./verify-blob.ts'),
    import('#scan'),
  ]);
  const refuse = (expected: string, actual: string): WaybillError =>
    fail(scanReasons.attested, { expected, actual });
  if (attestation === undefined || attestation.form === STATEMENT) {
    throw refuse(
      'a Sigstore bundle or a DSSE envelope, which are signed',
      attestation?.form ?? 'a bare SBOM',
    );
  }
  const signedWith = requirements.signer.kind === 'key' ? 'key' : 'certificate';
  const signed: SignedEntity = unwrap(
    attestation.form === ENVELOPE
      ? signedParts({ signature: toBase64(bytes) }, signedWith)
      : readSignedBlob(bytes, signedWith),
  );
  const about = subjectDigests(attestation.statement);
  const { digest } = sbom.subject;
  const artifact = expectDigest ?? digest ?? about[0];
  if (artifact === undefined) throw refuse('a statement about a SHA-256 digest', 'none');
  const accepted = verifyBlob({ kind: 'attestation', artifact, signed, requirements, material, now });
  if (digest !== undefined && digest !== artifact) throw refuse(`an SBOM of ${artifact}`, `one of ${digest}`);
  if (sbom.packages.length === 0) throw refuse('an SBOM that lists packages', 'none in it');
  return { artifact, accepted };
}
