/**
 * Use case: who built this image, from what? The signature is judged by the one verifier, the content by
 * `#provenance`; a statement that only one of them accepts counts for nothing.
 */
import type { Digest } from '#base/brand';
import { fail, type Reason, reasonText, WaybillError } from '#base/reason';
import { isNonEmpty, type NonEmpty, unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseEnvelope } from '#formats/dsse';
import { parseStatement, type Statement } from '#formats/intoto';
import { PROVENANCE_V1, PROVENANCE_V02 } from '#formats/slsa';
import { attachmentPlaces, listAttachments, openImage } from '#oci';
import {
  builderSans,
  checkProvenance,
  type Expectations,
  GITHUB_ISSUER,
  grantedLevel,
  type Level,
  type Provenance,
  type ProvenanceFindings,
  type ProvenanceSigner,
  readProvenance,
  type TrustedBuilder,
} from '#provenance';
import { type Accepted, identity, requireKeyless } from '#verify';
import { R } from './build-reasons.ts';
import { type VerifyImageDeps, verifyImage } from './verify-image.ts';

export const provenanceTypes: NonEmpty<string> = [PROVENANCE_V1, PROVENANCE_V02];

export interface VerifyProvenanceOptions {
  readonly expected: Omit<Expectations, 'artifact'>;
  /** Rows beyond the built-in ones: what level each builder may be granted. */
  readonly policy?: readonly TrustedBuilder[];
  /** Which predicate types count; default both. */
  readonly types?: NonEmpty<string>;
  /** Do not require a log entry or a certificate timestamp: the caller knows the trust root has none. */
  readonly requirements?: { readonly tlog?: 'notRequiredUnsafe'; readonly sct?: 'notRequiredUnsafe' };
}

export interface CheckedProvenance {
  readonly predicateType: string;
  readonly findings: ProvenanceFindings;
  readonly provenance: Provenance;
  readonly level: Level;
  readonly accepted: Accepted;
}

export interface VerifiedProvenance {
  readonly given: string;
  readonly pinned: string;
  readonly digest: Digest;
  readonly checked: NonEmpty<CheckedProvenance>;
  /** Provenance that is attached and signed but does not meet the expectations, or does not verify. */
  readonly refused: readonly Reason[];
}

/** Throws the first refusal when no attached provenance meets the expectations. */
export async function verifyProvenance(
  given: string,
  options: VerifyProvenanceOptions,
  deps: VerifyImageDeps,
): Promise<VerifiedProvenance> {
  const issuer = issuerOf(options.expected);
  // Which version of the builder, and whether it may sign for another, is decided below by its own rules.
  const identities = builderSans(options.expected).map((regexp) =>
    unwrap(identity({ issuer, san: { regexp }, sanType: 'uri' })),
  );
  const types = options.types ?? provenanceTypes;
  const requirements = unwrap(requireKeyless({ identities, predicateTypes: types, ...options.requirements }));
  const image = await verifyImage(given, { kind: 'attestation', requirements }, deps);
  const checked: CheckedProvenance[] = [];
  const refused: Reason[] = [];
  for (const accepted of image.accepted) {
    const one = checkOne(accepted, { ...options.expected, issuer, artifact: image.digest }, options.policy);
    if ('code' in one) refused.push(one);
    else checked.push(one);
  }
  const { pinned, digest } = image;
  if (isNonEmpty(checked)) return { given, pinned, digest, checked, refused: [...refused, ...image.refused] };
  const [first] = refused;
  if (first !== undefined) throw new WaybillError(first);
  throw fail(R.noProvenance, { expected: `provenance on ${pinned}`, actual: 'none' });
}

/** Builders on GitHub have GitHub's issuer; for any other the caller has to know it. */
function issuerOf({ issuer, builderId }: VerifyProvenanceOptions['expected']): string {
  if (issuer !== undefined) return issuer;
  if (builderId === undefined || builderId.startsWith('https://github.com/')) return GITHUB_ISSUER;
  throw fail(R.issuerMissing, { expected: `the issuer of ${builderId}`, actual: 'none' });
}

function checkOne(
  accepted: Accepted,
  expected: Expectations,
  policy: readonly TrustedBuilder[] | undefined,
): CheckedProvenance | Reason {
  const { statement } = accepted;
  if (statement === undefined) throw new Error('an accepted attestation without a statement');
  const provenance = readProvenance(statement);
  if (!provenance.ok) return provenance.error;
  const signer = signerOf(accepted);
  const findings = checkProvenance(provenance.value, expected, signer);
  if (!findings.ok) return findings.error;
  return {
    predicateType: statement.predicateType,
    findings: findings.value,
    provenance: provenance.value,
    level: grantedLevel(findings.value, signer, policy),
    accepted,
  };
}

export function signerOf({ signer }: Accepted): ProvenanceSigner {
  if (signer.kind === 'key') return { kind: 'key' };
  return { kind: 'certificate', issuer: signer.issuer, san: signer.san.value, claims: signer.claims };
}

/** One statement as it is attached: nothing about it is verified. */
export interface ShownProvenance {
  readonly from: string;
  readonly predicateType: string;
  readonly statement: Statement;
  /** Undefined when it is no provenance that can be read; `problem` says why. */
  readonly provenance?: Provenance;
  readonly problem?: string;
}

export interface ShownImage {
  readonly given: string;
  readonly digest: Digest;
  readonly shown: NonEmpty<ShownProvenance>;
}

/** Reads what provenance is attached, without judging any of it. WB-921 when there is none. */
export async function showProvenance(given: string, deps: VerifyImageDeps): Promise<ShownImage> {
  const image = await openImage(deps.registry, given);
  const { digest } = await image.source.resolve(image.selector);
  const places =
    image.reference === undefined
      ? [image.source]
      : attachmentPlaces(deps.registry, image.reference, deps.cosignRepository).read;
  const attached = await listAttachments(places, digest);
  const payloads = [
    ...attached.bundles.map(({ from, bytes }) => ({ from, payload: bundlePayload(bytes) })),
    ...attached.legacyAttestations.map(({ from, envelope }) => ({
      from,
      payload: envelopePayload(envelope),
    })),
  ];
  const shown = payloads.flatMap(({ from, payload }) => showOne(from, payload));
  if (isNonEmpty(shown)) return { given, digest, shown };
  throw fail(R.noProvenance, { expected: `provenance on ${given}`, actual: 'none' });
}

function bundlePayload(bytes: Uint8Array): Uint8Array | undefined {
  const bundle = parseBundle(bytes);
  return bundle.ok && bundle.value.content.kind === 'dsse'
    ? bundle.value.content.envelope.payload
    : undefined;
}

function envelopePayload(bytes: Uint8Array): Uint8Array | undefined {
  const envelope = parseEnvelope(bytes);
  return envelope.ok ? envelope.value.payload : undefined;
}

function showOne(from: string, payload: Uint8Array | undefined): ShownProvenance[] {
  const statement = payload === undefined ? undefined : parseStatement(payload);
  if (statement?.ok !== true || !provenanceTypes.includes(statement.value.predicateType)) return [];
  const { predicateType } = statement.value;
  const read = readProvenance(statement.value);
  return [
    {
      from,
      predicateType,
      statement: statement.value,
      ...(read.ok ? { provenance: read.value } : { problem: reasonText(read.error) }),
    },
  ];
}
