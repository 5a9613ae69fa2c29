/**
 * OCI and Docker schema 2 documents: descriptors, image manifests, indexes (image-spec v1.1). Strict: a
 * document is one kind only, its `mediaType` must agree with the one it is served as, digests are checked
 * before a byte is parsed. The bytes that were judged are kept beside the value.
 */
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { digestAlgorithm, digestOf } from '#base/digest';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { type JsonObject, type JsonValue, parseJson } from './json.ts';
import { field } from './oci-fields.ts';
import { bareMediaType, imageIndexTypes, imageManifestTypes, mediaType } from './oci-media.ts';
import { R } from './oci-reasons.ts';

export * from './oci-media.ts';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Empty when absent. */
  readonly annotations: ReadonlyMap<string, string>;
  readonly artifactType?: string;
  readonly platform?: Platform;
  /** Foreign locations: kept for copying the document, never fetched. */
  readonly urls?: readonly string[];
}

interface Document {
  /** The bytes the digest is over. */
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly annotations: ReadonlyMap<string, string>;
  /** The image this document is about. */
  readonly subject?: Descriptor;
  readonly artifactType?: string;
}

export interface ImageManifest extends Document {
  readonly kind: 'manifest';
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ImageIndex extends Document {
  readonly kind: 'index';
  readonly manifests: readonly Descriptor[];
}

export type Manifest = ImageManifest | ImageIndex;

export interface Expected {
  /** Content-Type the document was served with; parameters are ignored. */
  readonly mediaType?: string;
  readonly digest?: Digest;
  /** Bytes. */
  readonly size?: number;
}

/** Checks bytes against a descriptor's promise (WB-188). */
export function checkContent(bytes: Uint8Array, expected: Omit<Expected, 'mediaType'>): Result<Uint8Array> {
  return attempt(() => {
    if (expected.size !== undefined && bytes.length !== expected.size) {
      throw fail(R.content, { expected: `${expected.size} bytes`, actual: `${bytes.length} bytes` });
    }
    if (expected.digest !== undefined) {
      const actual = digestOf(bytes, digestAlgorithm(expected.digest));
      if (actual !== expected.digest) throw fail(R.content, { expected: expected.digest, actual });
    }
    return bytes;
  });
}

/**
 * Parses a manifest or index of at most `limits.manifestBytes`. Refuses content that does not match
 * `expected` (WB-188), ambiguous or unsupported types (WB-187), malformed documents (WB-186), lists that are
 * too long (WB-189).
 */
export function parseManifest(bytes: Uint8Array, expected: Expected = {}): Result<Manifest> {
  return attempt(() => {
    if (bytes.length > limits.manifestBytes) {
      throw fail(R.limit, {
        expected: `a manifest of at most ${limits.manifestBytes} bytes`,
        actual: `${bytes.length} bytes`,
      });
    }
    unwrap(checkContent(bytes, expected));
    const json = field.object(parseDocument(bytes), 'manifest');
    if (json['schemaVersion'] !== 2) {
      const actual = JSON.stringify(json['schemaVersion'] ?? null);
      throw fail(R.mediaType, { expected: 'schemaVersion 2', actual: `schemaVersion ${actual}` });
    }
    const type = documentType(json, expected.mediaType);
    const digest = expected.digest ?? digestOf(bytes);
    const shared = { bytes, digest, mediaType: type, ...commonFields(json) };
    return imageIndexTypes.has(type) ? readIndex(json, shared) : readManifest(json, shared);
  });
}

function parseDocument(bytes: Uint8Array): JsonValue {
  const parsed = parseJson(bytes);
  if (parsed.ok) return parsed.value;
  const looksLikePage = /^\s*</.test(String.fromCharCode(...bytes.subarray(0, 64)));
  throw fail(R.document, {
    expected: 'a JSON document',
    actual: looksLikePage ? 'an HTML page' : parsed.error.actual,
    ...(looksLikePage ? { hint: 'a proxy or a login page answers in place of the registry' } : {}),
  });
}

/** The one media type the document may be read as: field, header and shape must not contradict each other. */
function documentType(json: JsonObject, served: string | undefined): string {
  const stated = field.optionalString(json, 'mediaType');
  const header = served === undefined ? undefined : bareMediaType(served);
  if (stated !== undefined && header !== undefined && stated !== header) {
    throw fail(R.mediaType, { expected: `mediaType ${header} as served`, actual: stated });
  }
  const shape = documentShape(json);
  const type = stated ?? header ?? (shape === 'index' ? mediaType.ociIndex : mediaType.ociManifest);
  const types = shape === 'index' ? imageIndexTypes : imageManifestTypes;
  if (!types.has(type)) {
    throw fail(R.mediaType, { expected: [...types].join(' or '), actual: type });
  }
  return type;
}

/** A document that could be read as both kinds is refused (GHSA-mc8v-mgrf-8f4m). */
function documentShape(json: JsonObject): 'index' | 'manifest' {
  const isIndex = json['manifests'] !== undefined;
  const isManifest = json['layers'] !== undefined || json['config'] !== undefined;
  if (isIndex === isManifest) {
    throw fail(R.document, {
      expected: 'either "manifests" or "config" and "layers"',
      actual: isIndex ? 'both' : 'none of them',
    });
  }
  if (json['fsLayers'] !== undefined) {
    throw fail(R.mediaType, { expected: 'a schema 2 document', actual: '"fsLayers" of schema 1' });
  }
  return isIndex ? 'index' : 'manifest';
}

function commonFields(json: JsonObject): Pick<Document, 'annotations' | 'subject' | 'artifactType'> {
  const artifactType = field.optionalString(json, 'artifactType');
  return {
    annotations: field.annotations(json),
    ...(json['subject'] === undefined ? {} : { subject: readDescriptor(json['subject'], 'subject') }),
    ...(artifactType === undefined || artifactType === '' ? {} : { artifactType }),
  };
}

function readManifest(json: JsonObject, shared: Document): ImageManifest {
  const layers = field.array(json, 'layers');
  if (layers.length > limits.manifestLayers) {
    throw fail(R.limit, {
      expected: `at most ${limits.manifestLayers} layers`,
      actual: `${layers.length} layers`,
    });
  }
  return {
    kind: 'manifest',
    ...shared,
    config: readDescriptor(json['config'], 'config'),
    layers: layers.map((layer, i) => readDescriptor(layer, `layers[${i}]`)),
  };
}

function readIndex(json: JsonObject, shared: Document): ImageIndex {
  const manifests = field.array(json, 'manifests');
  return {
    kind: 'index',
    ...shared,
    manifests: manifests.map((entry, i) => readDescriptor(entry, `manifests[${i}]`)),
  };
}

function readDescriptor(value: JsonValue | undefined, path: string): Descriptor {
  const json = field.object(value, path);
  const artifactType = field.optionalString(json, 'artifactType', path);
  const urls = json['urls'] === undefined ? undefined : field.strings(json, 'urls', path);
  return {
    mediaType: field.string(json, 'mediaType', path),
    digest: field.digest(json, 'digest', path),
    size: field.size(json, 'size', path),
    annotations: field.annotations(json, path),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(json['platform'] === undefined ? {} : { platform: readPlatform(json['platform'], path) }),
    ...(urls === undefined ? {} : { urls }),
  };
}

function readPlatform(value: JsonValue, path: string): Platform {
  const json = field.object(value, `${path}.platform`);
  const variant = field.optionalString(json, 'variant', path);
  const osVersion = field.optionalString(json, 'os.version', path);
  return {
    os: field.string(json, 'os', path),
    architecture: field.string(json, 'architecture', path),
    ...(variant === undefined || variant === '' ? {} : { variant }),
    ...(osVersion === undefined || osVersion === '' ? {} : { osVersion }),
  };
}

/** Parses one descriptor, for example from a layout's index or standard input. */
export const parseDescriptor = (value: JsonValue): Result<Descriptor> =>
  attempt(() => readDescriptor(value, 'descriptor'));

/** What a referrers list shows for a document: `artifactType`, else the type of its config. */
export function artifactTypeOf(manifest: Manifest): string | undefined {
  if (manifest.artifactType !== undefined || manifest.kind === 'index') return manifest.artifactType;
  return manifest.config.mediaType;
}

/** The descriptor of a document; for referrers lists it pulls up artifactType and annotations. */
export function descriptorOf(manifest: Manifest, options: { readonly pullUp?: boolean } = {}): Descriptor {
  const artifactType = options.pullUp === true ? artifactTypeOf(manifest) : undefined;
  return {
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.bytes.length,
    annotations: options.pullUp === true ? manifest.annotations : new Map(),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

/** A descriptor for bytes at hand. */
export function describe(
  bytes: Uint8Array,
  type: string,
  extra: { readonly annotations?: ReadonlyMap<string, string>; readonly artifactType?: string } = {},
): Descriptor {
  return {
    mediaType: type,
    digest: digestOf(bytes),
    size: bytes.length,
    annotations: extra.annotations ?? new Map(),
    ...(extra.artifactType === undefined ? {} : { artifactType: extra.artifactType }),
  };
}

/** `{}`: the config of artifacts that have none (image-spec "Guidance for an Empty Descriptor"). */
export const emptyJson: Uint8Array = utf8('{}');
export const emptyDescriptor: Descriptor = describe(emptyJson, mediaType.ociEmpty);

/** Field order of the Go tools, so that documents of both can be compared by eye. */
export function descriptorJson(d: Descriptor): JsonObject {
  return {
    mediaType: d.mediaType,
    size: d.size,
    digest: d.digest,
    ...(d.urls === undefined ? {} : { urls: [...d.urls] }),
    ...annotationsJson(d.annotations),
    ...(d.platform === undefined ? {} : { platform: platformJson(d.platform) }),
    ...(d.artifactType === undefined ? {} : { artifactType: d.artifactType }),
  };
}

function annotationsJson(annotations: ReadonlyMap<string, string> | undefined): JsonObject {
  if (annotations === undefined || annotations.size === 0) return {};
  const entries = [...annotations].sort(([a], [b]) => (a < b ? -1 : 1));
  return { annotations: Object.fromEntries(entries) };
}

function platformJson(platform: Platform): JsonObject {
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.osVersion === undefined ? {} : { 'os.version': platform.osVersion }),
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
  };
}

export interface ManifestParts {
  readonly mediaType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: ReadonlyMap<string, string>;
  readonly subject?: Descriptor;
  readonly artifactType?: string;
}

/** An image manifest from its parts; OCI unless another media type is given. */
export function buildManifest(parts: ManifestParts): ImageManifest {
  const bytes = jsonBytes({
    schemaVersion: 2,
    mediaType: parts.mediaType ?? mediaType.ociManifest,
    config: descriptorJson(parts.config),
    layers: parts.layers.map(descriptorJson),
    ...annotationsJson(parts.annotations),
    ...(parts.subject === undefined ? {} : { subject: descriptorJson(parts.subject) }),
    ...(parts.artifactType === undefined ? {} : { artifactType: parts.artifactType }),
  });
  return unwrap(parseManifest(bytes)) as ImageManifest;
}

/** An index from its entries; OCI unless another media type is given. */
export function buildIndex(parts: {
  readonly mediaType?: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: ReadonlyMap<string, string>;
}): ImageIndex {
  const bytes = jsonBytes({
    schemaVersion: 2,
    mediaType: parts.mediaType ?? mediaType.ociIndex,
    manifests: parts.manifests.map(descriptorJson),
    ...annotationsJson(parts.annotations),
  });
  return unwrap(parseManifest(bytes)) as ImageIndex;
}

const jsonBytes = (json: JsonObject): Uint8Array => utf8(JSON.stringify(json));
