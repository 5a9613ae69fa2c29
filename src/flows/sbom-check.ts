/** Use case: does the attested SBOM of an image still say what is in it? */
import type { Digest } from '#base/brand';
import { type Reason, reason, WaybillError } from '#base/reason';
import type { Sbom } from '#formats/sbom';
import type { SbomDiff } from '#formats/sbom-diff';
import { scanReasons } from '#scan';
import type { Accepted, Requirements } from '#verify';
import { CheckFailure, signedText } from './check-item.ts';
import { currentSbom, decidingDifference } from './check-sbom.ts';
import { type SbomImageOptions, sbomImage } from './sbom-image.ts';
import { sbomOfStatement } from './sbom-statement.ts';
import { meantBy } from './scan-attested.ts';
import { type VerifyImageDeps, verifyImage } from './verify-image.ts';

/** With how the image is catalogued again: as it was when the SBOM was made, or packages differ. */
export interface SbomCheckDeps extends VerifyImageDeps, Omit<SbomImageOptions, 'name'> {}

export interface SbomCheck {
  readonly pinned: string;
  readonly digest: Digest;
  /** Packages found in the image now. */
  readonly packages: number;
  /** Attested SBOMs of the expected identity. */
  readonly attested: number;
  readonly evidence: readonly string[];
  /** From the newest attested SBOM that does not agree; absent when it does, or cannot be read. */
  readonly difference?: SbomDiff;
  /** Why the newest does not agree, or none is about the image. */
  readonly why?: Reason;
  readonly found: Sbom;
}

/** Throws what `verifyImage` throws: without a verified attestation there is nothing to compare with. */
export async function checkSbom(
  image: string,
  requirements: Requirements,
  deps: SbomCheckDeps,
): Promise<SbomCheck> {
  const { platform } = deps;
  const chosen = platform === undefined ? {} : { platform };
  const verified = await verifyImage(image, { kind: 'attestation', requirements, ...chosen }, deps);
  // Verified is the image of the platform: nothing is left to choose.
  const { platform: _chosen, ...options } = deps;
  const { sbom, digest } = await sbomImage(deps.registry, verified.pinned, options);
  const { parent } = await meantBy(image, verified.digest, deps);
  const meant = new Set([digest, verified.digest, parent]);
  const about = verified.accepted.filter((one) => meant.has(subjectOf(one) ?? digest));
  const result = {
    pinned: verified.pinned,
    digest: verified.digest,
    packages: sbom.packages.length,
    attested: verified.accepted.length,
    found: sbom,
  };
  const [stranger] = about.length > 0 ? [] : verified.accepted;
  if (stranger !== undefined) {
    const why = { expected: `an attested SBOM of ${digest}`, actual: `one of ${subjectOf(stranger)}` };
    return { ...result, evidence: [signedText(stranger)], why: reason(scanReasons.attested, why) };
  }
  try {
    return { ...result, evidence: currentSbom(about, sbom).evidence };
  } catch (error) {
    const why = error instanceof CheckFailure ? error.why : error;
    if (!(why instanceof WaybillError)) throw error;
    const evidence = error instanceof CheckFailure ? error.evidence : [];
    const difference = decidingDifference(about, sbom);
    return { ...result, evidence, why: why.reason, ...(difference === undefined ? {} : { difference }) };
  }
}

/** What the document itself says it is about; undefined when it does not say, or cannot be read. */
function subjectOf({ statement }: Accepted): Digest | undefined {
  const read = statement === undefined ? undefined : sbomOfStatement(statement);
  return read?.ok === true ? read.value.subject.digest : undefined;
}
