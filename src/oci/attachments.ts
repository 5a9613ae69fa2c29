/**
 * Everything attached to an image, from both of cosign's layouts: bundles and other referrers (API and
 * fallback tag), and the tags `sha256-….sig`, `.att`, `.sbom`. All of it is merged; nothing hides another
 * thing. Found is not verified: each piece is judged on its own by whoever verifies.
 */
import type { Digest } from '#base/brand';
import { limits } from '#base/limits';
import { fail, reason, WaybillError } from '#base/reason';
import { isNonEmpty, type NonEmpty } from '#base/result';
import {
  annotation,
  artifactTypeOf,
  BUNDLE_MEDIA_TYPE_PREFIX,
  type Descriptor,
  descriptorOf,
  type ImageManifest,
  mediaType,
} from '#formats/oci';
import { R as Formats } from '#formats/oci-reasons';
import { type LegacySuffix, legacySbomTypes, legacyTag, possibleSuffixes } from './attachment-tags.ts';
import { mapLimited } from './concurrent.ts';
import { isNonsense, orProblem, type Problem } from './problem.ts';
import { R } from './reasons.ts';
import { type ImageSource, readBlob, tryResolve } from './source.ts';

export type { Problem } from './problem.ts';

interface Attached {
  /** The manifest it was found in. */
  readonly manifest: Descriptor;
  /** Where: `registry/repository@digest`, or with the tag. */
  readonly from: string;
}

/** A Sigstore bundle, as bytes: parsing and judging is the verifier's. */
export interface AttachedBundle extends Attached {
  readonly kind: 'bundle';
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** As the annotation claims. */
  readonly predicateType?: string;
}

/** Fields of a legacy layer's annotations, undefined when absent or empty. */
export interface LegacyMaterial {
  /** base64; absent for attestations, whose envelope carries it. */
  readonly signature?: string;
  /** PEM of the leaf. */
  readonly certificate?: string;
  /** PEM of intermediates and root. */
  readonly chain?: string;
  /** JSON with SignedEntryTimestamp and Payload. */
  readonly rekorBundle?: string;
  /** JSON with SignedRFC3161Timestamp. */
  readonly timestamp?: string;
}

export interface LegacySignature extends Attached, LegacyMaterial {
  readonly kind: 'legacySignature';
  /** The simple signing JSON, exactly as signed. */
  readonly payload: Uint8Array;
  readonly layer: Descriptor;
}

export interface LegacyAttestation extends Attached, LegacyMaterial {
  readonly kind: 'legacyAttestation';
  /** The DSSE envelope JSON. */
  readonly envelope: Uint8Array;
  readonly predicateType?: string;
  readonly layer: Descriptor;
}

/** An SBOM without a signature. Its bytes are fetched by whoever wants them. */
export interface LegacySbom extends Attached {
  readonly kind: 'legacySbom';
  readonly layer: Descriptor;
}

/** A referrer that is none of the above. */
export interface OtherReferrer extends Attached {
  readonly kind: 'other';
  readonly artifactType?: string;
}

export interface Attachments {
  readonly subject: Digest;
  readonly bundles: readonly AttachedBundle[];
  readonly legacySignatures: readonly LegacySignature[];
  readonly legacyAttestations: readonly LegacyAttestation[];
  readonly legacySboms: readonly LegacySbom[];
  readonly others: readonly OtherReferrer[];
  readonly problems: readonly Problem[];
}

export type Attachment = AttachedBundle | LegacySignature | LegacyAttestation | LegacySbom | OtherReferrer;

export interface ListOptions {
  /** Prefix of legacy tags. */
  readonly tagPrefix?: string;
  /** Legacy tags to look at; each is a request. Default: all. */
  readonly suffixes?: readonly LegacySuffix[];
  /** Largest blob that is read; a larger one is a problem, by name. Default `limits.attachmentBytes`. */
  readonly bytesMax?: number;
}

const AT_ONCE = 8;

/**
 * Lists what is attached to `subject` in every place given (the image's own repository, and the one of
 * COSIGN_REPOSITORY). A place is asked for its referrers, the fallback tag and each legacy tag, all at once; then
 * every manifest and blob is fetched once, however many pieces lie in it. Throws when a place cannot be asked, WB-520
 * when nothing was found and an answer was nonsense, and WB-509 when there is more than `limits.signaturesPerImage`,
 * or more bytes than two attachments may have: never the first n silently.
 */
export async function listAttachments(
  places: ImageSource | readonly ImageSource[],
  subject: Digest,
  options: ListOptions = {},
): Promise<Attachments> {
  const all = Array.isArray(places) ? (places as readonly ImageSource[]) : [places as ImageSource];
  const problems: Problem[] = [];
  const found = await Promise.all(all.map((place) => findIn(place, subject, options, problems)));
  const bytesMax = options.bytesMax ?? limits.attachmentBytes;
  const [jobs, tooLarge] = parted(distinct(found.flat()), ([{ size }]) => size <= bytesMax);
  for (const [{ from, size }] of tooLarge) {
    const expected = `an attachment of at most ${bytesMax} bytes`;
    problems.push({ from, reason: reason(Formats.limit, { expected, actual: `${size} bytes` }) });
  }
  checkAmount(jobs.map(([first]) => first));
  const blob = readingOnce();
  const read = await mapLimited(jobs, AT_ONCE, (same) => readOne(same, blob, problems));
  const nonsense = problems.find((problem) => problem.reason.code === R.answer.code);
  if (nonsense !== undefined && jobs.length === 0) throw new WaybillError(nonsense.reason);
  return sorted(subject, read, problems);
}

interface Job {
  /** Equal for the same thing found twice. */
  readonly key: string;
  readonly from: string;
  /** Bytes `read` will fetch. */
  readonly size: number;
  read(blob: ReadLayer): Promise<Attachment>;
}

type ReadLayer = (place: ImageSource, layer: Descriptor) => Promise<Uint8Array>;

/** All signatures of an image are over the same payload: it is fetched once from each place that is asked. */
function readingOnce(): ReadLayer {
  const started = new Map<string, Promise<Uint8Array>>();
  return (place, layer) => {
    const key = `${place.name}@${layer.digest}`;
    const bytes = started.get(key) ?? readBlob(place, layer);
    started.set(key, bytes);
    return bytes;
  };
}

async function findIn(
  place: ImageSource,
  subject: Digest,
  options: ListOptions,
  problems: Problem[],
): Promise<readonly Job[]> {
  const suffixes = possibleSuffixes(subject, options.suffixes, options.tagPrefix);
  const [referrers, ...tagged] = await Promise.all([
    referrerJobs(place, subject, problems),
    ...suffixes.map((suffix) =>
      tagJobs(place, legacyTag(subject, suffix, options.tagPrefix), suffix, problems),
    ),
  ]);
  return [...referrers, ...tagged.flat()];
}

async function referrerJobs(
  place: ImageSource,
  subject: Digest,
  problems: Problem[],
): Promise<readonly Job[]> {
  const entries = await referrersOf(place, subject, problems);
  if (entries.length > limits.signaturesPerImage) throw tooMany(entries.length, place.name);
  const jobs = await mapLimited(entries, AT_ONCE, (entry) => {
    const from = `${place.name}@${entry.digest}`;
    return orProblem(from, problems, async () => {
      const manifest = await place.manifest(entry.digest);
      // The registry's list is only a hint: the manifest itself says what it is about.
      if (manifest.subject?.digest !== subject) {
        throw fail(R.attachment, {
          expected: `a manifest about ${subject}`,
          actual: manifest.subject?.digest ?? 'one without a subject',
        });
      }
      return manifest.kind === 'manifest' ? manifestJobs(place, manifest, from) : [otherJob(manifest, from)];
    });
  });
  return jobs.flatMap((list) => list ?? []);
}

async function referrersOf(
  place: ImageSource,
  subject: Digest,
  problems: Problem[],
): Promise<readonly Descriptor[]> {
  try {
    return await place.referrers(subject);
  } catch (error) {
    if (!isNonsense(error)) throw error;
    problems.push({ from: `referrers of ${place.name}@${subject}`, reason: error.reason });
    return [];
  }
}

async function tagJobs(
  place: ImageSource,
  tag: string,
  suffix: LegacySuffix,
  problems: Problem[],
): Promise<readonly Job[]> {
  const from = `${place.name}:${tag}`;
  const jobs = await orProblem(from, problems, async () => {
    const held = await tryResolve(place, { tag });
    if (held === undefined) return [];
    const manifest = await place.manifest(held.digest);
    if (manifest.kind === 'manifest') return manifestJobs(place, manifest, from, suffix);
    throw fail(R.attachment, { expected: 'an image manifest', actual: 'an index' });
  });
  return jobs ?? [];
}

function manifestJobs(
  place: ImageSource,
  manifest: ImageManifest,
  from: string,
  suffix?: LegacySuffix,
): readonly Job[] {
  const at: Attached = { manifest: descriptorOf(manifest, { pullUp: true }), from };
  const [first] = manifest.layers;
  const isBundle = first?.mediaType.startsWith(BUNDLE_MEDIA_TYPE_PREFIX) === true;
  if (isBundle && manifest.layers.length === 1 && first !== undefined) {
    return [bundleJob(place, at, first, manifest)];
  }
  const jobs = manifest.layers.flatMap((layer) => legacyJob(place, at, layer, suffix) ?? []);
  return jobs.length > 0 || suffix !== undefined ? jobs : [otherJob(manifest, from)];
}

function bundleJob(place: ImageSource, at: Attached, layer: Descriptor, manifest: ImageManifest): Job {
  const predicateType = manifest.annotations.get(annotation.bundlePredicateType);
  return {
    key: layer.digest,
    from: at.from,
    size: layer.size,
    read: async (blob) => ({
      kind: 'bundle',
      ...at,
      bytes: await blob(place, layer),
      mediaType: layer.mediaType,
      ...(predicateType === undefined ? {} : { predicateType }),
    }),
  };
}

function legacyJob(
  place: ImageSource,
  at: Attached,
  layer: Descriptor,
  suffix: LegacySuffix | undefined,
): Job | undefined {
  const material = legacyMaterial(layer.annotations);
  const job = (size: number, read: Job['read']): Job => ({
    key: `${layer.digest} ${JSON.stringify(material)}`,
    from: at.from,
    size,
    read,
  });
  if (layer.mediaType === mediaType.simpleSigning) {
    return job(layer.size, async (blob) => ({
      kind: 'legacySignature',
      ...at,
      ...material,
      payload: await blob(place, layer),
      layer,
    }));
  }
  if (layer.mediaType === mediaType.dsseEnvelope) {
    const predicateType = layer.annotations.get(annotation.predicateType);
    return job(layer.size, async (blob) => ({
      kind: 'legacyAttestation',
      ...at,
      ...material,
      envelope: await blob(place, layer),
      ...(predicateType === undefined ? {} : { predicateType }),
      layer,
    }));
  }
  const isSbom = suffix === 'sbom' || legacySbomTypes.has(layer.mediaType);
  return isSbom ? job(0, () => Promise.resolve({ kind: 'legacySbom', ...at, layer })) : undefined;
}

function otherJob(manifest: Parameters<typeof descriptorOf>[0], from: string): Job {
  const artifactType = artifactTypeOf(manifest);
  return {
    key: manifest.digest,
    from,
    size: 0,
    read: () =>
      Promise.resolve({
        kind: 'other',
        manifest: descriptorOf(manifest, { pullUp: true }),
        from,
        ...(artifactType === undefined ? {} : { artifactType }),
      }),
  };
}

function legacyMaterial(annotations: ReadonlyMap<string, string>): LegacyMaterial {
  const pick = (key: string, name: keyof LegacyMaterial): LegacyMaterial => {
    const value = annotations.get(key);
    return value === undefined || value === '' ? {} : { [name]: value };
  };
  return {
    ...pick(annotation.signature, 'signature'),
    ...pick(annotation.certificate, 'certificate'),
    ...pick(annotation.chain, 'chain'),
    ...pick(annotation.rekorBundle, 'rekorBundle'),
    ...pick(annotation.timestamp, 'timestamp'),
  };
}

function parted<T>(list: readonly T[], isFirst: (one: T) => boolean): readonly [T[], T[]] {
  return [list.filter(isFirst), list.filter((one) => !isFirst(one))];
}

/** What was found several times, together. */
function distinct(jobs: readonly Job[]): readonly NonEmpty<Job>[] {
  return [...Map.groupBy(jobs, ({ key }) => key).values()].filter((same) => isNonEmpty(same));
}

/** What one place lost, another may still have; only when none can give it, the first says why. */
async function readOne(
  [first, ...others]: NonEmpty<Job>,
  blob: ReadLayer,
  problems: Problem[],
): Promise<Attachment | undefined> {
  const faults: Problem[] = [];
  for (const job of [first, ...others]) {
    const read = await orProblem(job.from, faults, () => job.read(blob));
    if (read !== undefined) return read;
  }
  problems.push(...faults.slice(0, 1));
  return undefined;
}

function checkAmount(jobs: readonly Job[]): void {
  if (jobs.length > limits.signaturesPerImage) throw tooMany(jobs.length, jobs[0]?.from ?? '');
  const bytes = jobs.reduce((sum, job) => sum + job.size, 0);
  if (bytes > 2 * limits.attachmentBytes) {
    throw fail(R.referrersLimit, {
      expected: `attachments of at most ${2 * limits.attachmentBytes} bytes together`,
      actual: `${bytes} bytes`,
    });
  }
}

const tooMany = (count: number, where: string): WaybillError =>
  fail(R.referrersLimit, {
    expected: `at most ${limits.signaturesPerImage} attachments at ${where}`,
    actual: `${count}`,
  });

function sorted(
  subject: Digest,
  read: readonly (Attachment | undefined)[],
  problems: readonly Problem[],
): Attachments {
  const of = <K extends Attachment['kind']>(kind: K): Extract<Attachment, { kind: K }>[] =>
    read.filter((one): one is Extract<Attachment, { kind: K }> => one?.kind === kind);
  return {
    subject,
    bundles: of('bundle'),
    legacySignatures: of('legacySignature'),
    legacyAttestations: of('legacyAttestation'),
    legacySboms: of('legacySbom'),
    others: of('other'),
    problems,
  };
}
