/**
 * Attaching to an image: bundles as referrers (reference/sigstore-formats §1.3), signatures and attestations
 * in cosign's tag layout (§1.2). Both keep what others attach at the same time.
 */
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import {
  annotation,
  buildManifest,
  type Descriptor,
  describe,
  emptyDescriptor,
  emptyJson,
  type ImageManifest,
  type Manifest,
  mediaType,
} from '#formats/oci';
import { legacyTag } from './attachment-tags.ts';
import type { LegacyMaterial } from './attachments.ts';
import type { ImageSink } from './source.ts';

export interface BundleOptions {
  /** Predicate type URI of the statement; absent for a message signature. */
  readonly predicateType?: string;
  readonly content?: 'dsse-envelope' | 'message-signature';
  /** Milliseconds since the epoch, for `org.opencontainers.image.created`. */
  readonly createdMs: number;
}

/** What was written. */
export interface Attachment {
  readonly manifest: Descriptor;
  /** For the tag layout. */
  readonly tag?: string;
}

/** The manifest of an attached bundle, exactly as cosign 3 writes it. */
export function bundleManifest(
  subject: Descriptor,
  bundle: Uint8Array,
  options: BundleOptions,
): { readonly manifest: ImageManifest; readonly layer: Descriptor } {
  const layer = describe(bundle, mediaType.bundle);
  const manifest = buildManifest({
    // `cosign clean` knows its own referrers by an artifactType inside the config descriptor.
    config: { ...emptyDescriptor, artifactType: mediaType.bundle },
    layers: [layer],
    annotations: new Map([
      [annotation.bundleContent, options.content ?? 'dsse-envelope'],
      ...(options.predicateType === undefined
        ? []
        : ([[annotation.bundlePredicateType, options.predicateType]] as const)),
      [annotation.created, rfc3339(options.createdMs)],
    ]),
    subject: {
      mediaType: subject.mediaType,
      digest: subject.digest,
      size: subject.size,
      annotations: new Map(),
    },
    artifactType: mediaType.bundle,
  });
  return { manifest, layer };
}

/**
 * Attaches a Sigstore bundle to `subject` in `sink`: the image's repository, or the one of COSIGN_REPOSITORY.
 * When this returns, the bundle is found through the referrers API or the fallback tag.
 */
export async function attachBundle(
  sink: ImageSink,
  subject: Descriptor,
  bundle: Uint8Array,
  options: BundleOptions,
): Promise<Attachment> {
  const { manifest, layer } = bundleManifest(subject, bundle, options);
  await sink.putBlob(layer, () => once(bundle));
  await sink.putBlob(emptyDescriptor, () => once(emptyJson));
  await sink.putManifest(manifest);
  return { manifest: describe(manifest.bytes, manifest.mediaType) };
}

/** How the tag layout is written. */
export interface LegacyOptions {
  /** In front of the tag. */
  readonly tagPrefix?: string;
  /** A new image under the tag has Docker's media types (COSIGN_DOCKER_MEDIA_TYPES). */
  readonly isDocker?: boolean;
}

/** Appends a simple signing payload with its signature to `sha256-….sig`. */
export function attachLegacySignature(
  sink: ImageSink,
  subject: Digest,
  payload: Uint8Array,
  material: LegacyMaterial & { readonly signature: string },
  options: LegacyOptions = {},
): Promise<Attachment> {
  const annotations = legacyAnnotations(material, material.signature);
  const layer = describe(payload, mediaType.simpleSigning, { annotations });
  return appendLayer(sink, legacyTag(subject, 'sig', options.tagPrefix), layer, payload, options);
}

/** Appends a DSSE envelope to `sha256-….att`; with `replaces` instead of those of its predicate type. */
export function attachLegacyAttestation(
  sink: ImageSink,
  subject: Digest,
  envelope: Uint8Array,
  material: Omit<LegacyMaterial, 'signature'> & { readonly predicateType: string },
  options: LegacyOptions & { readonly replaces?: boolean } = {},
): Promise<Attachment> {
  // Readers look for the key; its value stays empty, the signature is in the envelope.
  const annotations = new Map([
    ...legacyAnnotations(material, ''),
    [annotation.predicateType, material.predicateType] as const,
  ]);
  const layer = describe(envelope, mediaType.dsseEnvelope, { annotations });
  const isReplaced = ({ annotations: held }: Descriptor): boolean =>
    options.replaces === true && held.get(annotation.predicateType) === material.predicateType;
  const merge = { ...options, isReplaced };
  return appendLayer(sink, legacyTag(subject, 'att', options.tagPrefix), layer, envelope, merge);
}

/** Puts a document under `sha256-….sbom`, instead of what is there, as `cosign attach sbom` does. Nobody signed it. */
export async function attachLegacySbom(
  sink: ImageSink,
  subject: Digest,
  document: Uint8Array,
  type: string,
  options: LegacyOptions = {},
): Promise<Attachment> {
  const layer = describe(document, type);
  const tag = legacyTag(subject, 'sbom', options.tagPrefix);
  const manifest = legacyManifest([layer], undefined, options.isDocker);
  await sink.putBlob(layer, () => once(document));
  await sink.putBlob(manifest.config, () => once(legacyConfig([layer])));
  await sink.putManifest(manifest, { tag });
  return { manifest: describe(manifest.bytes, manifest.mediaType), tag };
}

function legacyAnnotations(material: LegacyMaterial, signature: string): Map<string, string> {
  const annotations = new Map<string, string>([[annotation.signature, signature]]);
  const set = (key: string, value: string | undefined): void => {
    if (value !== undefined) annotations.set(key, value);
  };
  set(annotation.certificate, material.certificate);
  set(annotation.chain, material.chain ?? (material.certificate === undefined ? undefined : ''));
  set(annotation.rekorBundle, material.rekorBundle);
  set(annotation.timestamp, material.timestamp);
  return annotations;
}

async function appendLayer(
  sink: ImageSink,
  tag: string,
  layer: Descriptor,
  bytes: Uint8Array,
  options: MergeOptions,
): Promise<Attachment> {
  await sink.putBlob(layer, () => once(bytes));
  const manifest = await mergeLayers(sink, tag, [layer], options);
  return { manifest: describe(manifest.bytes, manifest.mediaType), tag };
}

interface MergeOptions extends LegacyOptions {
  /** Layers that give way. */
  readonly isReplaced?: (held: Descriptor) => boolean;
}

/** Adds layers to what a legacy tag holds, each once. Their blobs are there already. */
export function mergeLayers(
  sink: ImageSink,
  tag: string,
  layers: readonly Descriptor[],
  { isReplaced = () => false, isDocker = false }: MergeOptions = {},
): Promise<Manifest> {
  const isOurs = (one: Descriptor): boolean => layers.some((layer) => isSameLayer(one, layer));
  return sink.updateTag(tag, {
    holds: (held) => {
      const there = layersOf(held);
      const isAll = layers.every((layer) => there.some((one) => isSameLayer(one, layer)));
      return isAll && !there.some((one) => isReplaced(one) && !isOurs(one));
    },
    change: (held) => {
      const kept = layersOf(held).filter((one) => isOurs(one) || !isReplaced(one));
      const added = layers.filter((layer) => !kept.some((one) => isSameLayer(one, layer)));
      return legacyManifest([...kept, ...added], held, isDocker);
    },
    prepare: async (next) => {
      if (next.kind === 'manifest') await sink.putBlob(next.config, () => once(legacyConfig(next.layers)));
    },
  });
}

const layersOf = (held: Manifest | undefined): readonly Descriptor[] =>
  held?.kind === 'manifest' ? held.layers : [];

function isSameLayer(a: Descriptor, b: Descriptor): boolean {
  if (a.digest !== b.digest || a.annotations.size !== b.annotations.size) return false;
  return [...a.annotations].every(([key, value]) => b.annotations.get(key) === value);
}

function legacyManifest(
  layers: readonly Descriptor[],
  held: Manifest | undefined,
  startsDocker = false,
): ImageManifest {
  const isDocker = held === undefined ? startsDocker : held.mediaType === mediaType.dockerManifest;
  const config = describe(legacyConfig(layers), isDocker ? mediaType.dockerConfig : mediaType.ociConfig);
  return buildManifest({
    config,
    layers,
    ...(held === undefined
      ? isDocker
        ? { mediaType: mediaType.dockerManifest }
        : {}
      : { mediaType: held.mediaType, annotations: held.annotations }),
  });
}

/** The zero time makes the image depend on its layers only. */
const ZERO_TIME = '0001-01-01T00:00:00Z';

function legacyConfig(layers: readonly Descriptor[]): Uint8Array {
  return utf8(
    JSON.stringify({
      architecture: '',
      created: ZERO_TIME,
      history: layers.map(() => ({ created: ZERO_TIME })),
      os: '',
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
      config: {},
    }),
  );
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
