/** Use case: scan exactly what was documented. The attested SBOM is verified first, and must be about the image. */

import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { fail } from '#base/reason';
import { predicateTypes } from '#formats/intoto';
import type { Sbom } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import { openImage } from '#oci';
import { scanReasons as R } from '#scan';
import type { Accepted, Requirements } from '#verify';
import { type VerifiedImage, type VerifyImageDeps, verifyImage } from './verify-image.ts';

/** Predicate types of SBOMs. */
export const sbomPredicateTypes: readonly string[] = [
  ...new Set([predicateTypes.cyclonedx, predicateTypes.spdx, predicateTypes.spdxjson]),
];

export interface AttestedSbom {
  readonly sbom: Sbom;
  readonly verified: VerifiedImage;
  /** What the reader should know about the document. */
  readonly notes: readonly string[];
}

/** Throws what verification throws; WB-887 when no accepted SBOM is about the image. */
export async function attestedSbom(
  image: string,
  requirements: Requirements,
  deps: VerifyImageDeps,
): Promise<AttestedSbom> {
  const verified = await verifyImage(image, { kind: 'attestation', requirements }, deps);
  const meant = new Set<Digest>([verified.digest, ...(await childrenOf(image, verified.digest, deps))]);
  let refused = 'none can be read';
  for (const accepted of newestFirst(verified.accepted)) {
    const read = sbomOf(accepted);
    if (!read.ok) {
      refused = `${read.error.check}: ${read.error.actual}`;
      continue;
    }
    const { digest } = read.value.subject;
    if (digest === undefined) {
      const note = 'the SBOM names no digest; the signed statement alone binds it to the image';
      return { sbom: withSubject(read.value, verified.digest), verified, notes: [note] };
    }
    if (meant.has(digest)) return { sbom: read.value, verified, notes: [] };
    refused = `an SBOM of ${digest}`;
  }
  throw fail(R.attested, { expected: `an attested SBOM of ${verified.digest}`, actual: refused });
}

const withSubject = (sbom: Sbom, digest: Digest): Sbom => ({ ...sbom, subject: { ...sbom.subject, digest } });

const newestFirst = (list: readonly Accepted[]): readonly Accepted[] => {
  const timeOf = ({ times }: Accepted): number => Math.max(0, ...times.map(({ at }) => at));
  return list.toSorted((a, b) => timeOf(b) - timeOf(a));
};

/** cosign's `spdx` type holds the document as text. */
function sbomOf({ statement }: Accepted): ReturnType<typeof parseSbom> {
  const predicate = statement?.predicate ?? null;
  return parseSbom(utf8(typeof predicate === 'string' ? predicate : JSON.stringify(predicate)));
}

/** The SBOM of one platform may be attested to the index that holds it. */
async function childrenOf(image: string, digest: Digest, deps: VerifyImageDeps): Promise<readonly Digest[]> {
  const { source } = await openImage(deps.registry, image);
  const manifest = await source.manifest(digest);
  return manifest.kind === 'index' ? manifest.manifests.map((one) => one.digest) : [];
}
