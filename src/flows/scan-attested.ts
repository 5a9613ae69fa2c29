/** Use case: scan exactly what was documented. The attested SBOM is verified first, and must be about the image. */

import type { Digest } from '#base/brand';
import { rfc3339 } from '#base/clock';
import { fail, type WaybillError } from '#base/reason';
import type { Platform } from '#formats/oci';
import type { Sbom } from '#formats/sbom';
import { diffSboms, isSame } from '#formats/sbom-diff';
import { DEFAULT_PLATFORM, openImage, selectPlatform } from '#oci';
import { scanReasons } from '#scan';
import type { Accepted, Requirements } from '#verify';
import { R } from './sbom-reasons.ts';
import { sbomOfStatement } from './sbom-statement.ts';
import { type VerifiedImage, type VerifyImageDeps, verifyImage } from './verify-image.ts';

export interface AttestedSbom {
  readonly sbom: Sbom;
  readonly verified: VerifiedImage;
  /** What the reader should know about the document. */
  readonly notes: readonly string[];
}

export interface AttestedDeps extends VerifyImageDeps {
  /** Of an index, the image whose attestations count; absent: those of the index. */
  readonly platform?: Platform;
}

/** An attested SBOM that is about the image. */
export interface Candidate {
  readonly sbom: Sbom;
  /** Trusted time of the signature in milliseconds; 0: none. */
  readonly at: number;
  readonly notes: readonly string[];
}

/**
 * Throws what verification throws; WB-887 when no accepted SBOM is about the image or lists a package; WB-981 when
 * several differ and no trusted time says which is the newest.
 */
export async function attestedSbom(
  image: string,
  requirements: Requirements,
  deps: AttestedDeps,
): Promise<AttestedSbom> {
  const { platform } = deps;
  const question = {
    kind: 'attestation',
    requirements,
    ...(platform === undefined ? {} : { platform }),
  } as const;
  const verified = await verifyImage(image, question, deps);
  const meant = await meantBy(image, verified.digest, deps);
  const read = verified.accepted.map((accepted) => candidateOf(accepted, verified.digest, meant));
  const usable = read.flatMap((one) => ('sbom' in one ? [one] : []));
  const newest = newestOf(preferred(usable, verified.digest, meant));
  if (newest !== undefined) return { sbom: newest.sbom, verified, notes: newest.notes };
  const refused = read.flatMap((one) => ('refused' in one ? [one.refused] : []))[0] ?? 'none';
  throw notAbout(verified.digest, refused);
}

const notAbout = (digest: Digest, actual: string): WaybillError =>
  fail(scanReasons.attested, { expected: `an attested SBOM of ${digest}`, actual });

function candidateOf(
  { statement, times }: Accepted,
  image: Digest,
  meant: Meant,
): Candidate | { readonly refused: string } {
  if (statement === undefined) return { refused: 'a bare signature' };
  const read = sbomOfStatement(statement);
  if (!read.ok) return { refused: `${read.error.check}: ${read.error.actual}` };
  const sbom = read.value;
  const { digest } = sbom.subject;
  if (sbom.packages.length === 0) return { refused: 'an SBOM that lists no packages' };
  const at = Math.max(0, ...times.map((time) => time.at));
  if (digest === undefined) {
    const others = statement.subject.length - 1;
    const also = others === 0 ? '' : `, and to ${others} more`;
    const note = `the SBOM names no digest; the signed statement alone binds it to the image${also}`;
    return { sbom: { ...sbom, subject: { ...sbom.subject, digest: image } }, at, notes: [note] };
  }
  if ([image, meant.usual, meant.parent].includes(digest)) return { sbom, at, notes: [] };
  if (!meant.others.has(digest)) return { refused: `an SBOM of ${digest}` };
  return { sbom, at, notes: [`the SBOM is about ${digest}, one image of the index`] };
}

/** Those about what a scan of this name would look into; else those about other images of the index. */
function preferred(list: readonly Candidate[], image: Digest, { usual }: Meant): readonly Candidate[] {
  const first = list.filter(({ sbom: { subject } }) => [image, usual].includes(subject.digest));
  return first.length > 0 ? first : list;
}

/**
 * The newest by trusted time, with a note where older ones say something else. WB-981 when they differ and it is not
 * known which is the newest; undefined for none. Pure.
 */
export function newestOf(list: readonly Candidate[]): Candidate | undefined {
  const [newest, ...older] = list.toSorted((a, b) => b.at - a.at);
  if (newest === undefined) return undefined;
  const differing = older.filter(({ sbom }) => !isSame(diffSboms(newest.sbom, sbom)));
  const rival = differing.find(({ at }) => at >= newest.at);
  if (rival !== undefined) {
    const [some, others] = [newest, rival].map(({ sbom }) => sbom.packages.length);
    const actual = `one of ${some} and one of ${others} packages, neither known to be newer`;
    throw fail(R.disagree, { expected: 'attested SBOMs that say the same, or one that is newer', actual });
  }
  if (differing.length === 0) return newest;
  const count = differing.length === 1 ? 'an older one says' : `${differing.length} older ones say`;
  const note = `several SBOMs are attested; ${count} other packages; scanned is that of ${rfc3339(newest.at)}`;
  return { ...newest, notes: [...newest.notes, note] };
}

/** What an SBOM of an image may say it is about. */
export interface Meant {
  /** The index the image was chosen from. */
  readonly parent?: Digest;
  /** Of an index, the image a scan looks into unasked; absent: it holds none of that platform, or is no index. */
  readonly usual?: Digest;
  /** Every image of the index. */
  readonly others: ReadonlySet<Digest>;
}

/** The SBOM of one platform may be attested to the index that holds it. Asked by digest: a tag may have moved. */
export async function meantBy(
  image: string,
  digest: Digest,
  { registry, platform }: Pick<AttestedDeps, 'registry' | 'platform'>,
): Promise<Meant> {
  const { source, selector } = await openImage(registry, image);
  const manifest = await source.manifest(digest);
  if (manifest.kind === 'index') {
    const others = new Set(manifest.manifests.map((one) => one.digest));
    const usual = selectPlatform(manifest, DEFAULT_PLATFORM);
    return { others, ...(usual.ok ? { usual: usual.value.digest } : {}) };
  }
  const top = platform === undefined ? digest : (await source.resolve(selector)).digest;
  const index = top === digest ? manifest : await source.manifest(top);
  const isParent = index.kind === 'index' && index.manifests.some((one) => one.digest === digest);
  return { others: new Set(), ...(isParent ? { parent: top } : {}) };
}
