/** Use case: does the attested SBOM of an image still say what is in it? */
import type { Digest } from '#base/brand';
import { type Reason, WaybillError } from '#base/reason';
import type { Sbom } from '#formats/sbom';
import type { SbomDiff } from '#formats/sbom-diff';
import type { Requirements } from '#verify';
import { CheckFailure } from './check-item.ts';
import { currentSbom, nearestDifference } from './check-sbom.ts';
import { type SbomImageOptions, sbomImage } from './sbom-image.ts';
import { type VerifyImageDeps, verifyImage } from './verify-image.ts';

export { sbomPredicateTypes as sbomPredicates } from './sbom-statement.ts';

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
  /** Against the attested SBOM that is nearest; absent when one agrees. */
  readonly difference?: SbomDiff;
  /** Why none agrees. */
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
  const pinned = image.includes('@') ? image : verified.pinned;
  const { sbom } = await sbomImage(deps.registry, pinned, deps);
  const result = {
    pinned: verified.pinned,
    digest: verified.digest,
    packages: sbom.packages.length,
    attested: verified.accepted.length,
    found: sbom,
  };
  try {
    return { ...result, evidence: currentSbom(verified.accepted, sbom).evidence };
  } catch (error) {
    const why = error instanceof CheckFailure ? error.why : error;
    if (!(why instanceof WaybillError)) throw error;
    const evidence = error instanceof CheckFailure ? error.evidence : [];
    const difference = nearestDifference(verified.accepted, sbom);
    return { ...result, evidence, why: why.reason, ...(difference === undefined ? {} : { difference }) };
  }
}
