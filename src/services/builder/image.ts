/** Layers → OCI image: configuration and manifest, the same bytes for the same layers and definition. */
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { fail } from '#base/reason';
import { isJsonObject, type JsonObject, type JsonValue, own } from '#formats/json';
import { buildManifest, type Descriptor, describe, type ImageManifest, mediaType } from '#formats/oci';
import { parsePinned } from '#formats/reference';
import { type ImageStore, imageConfig, imageManifest } from '#oci';
import type { Images } from './config.ts';
import type { BuildDefinition } from './definition.ts';
import type { BuiltLayer } from './layer.ts';
import { R } from './reasons.ts';

/** A base image, read by digest: its configuration and where its layers come from. */
export interface BaseImage {
  readonly reference: string;
  readonly digest: Digest;
  readonly store: ImageStore;
  readonly registry: string;
  readonly repository: string;
  readonly config: JsonObject;
  readonly layers: readonly Descriptor[];
}

export interface BuiltImage {
  readonly manifest: ImageManifest;
  readonly digest: Digest;
  readonly config: { readonly descriptor: Descriptor; readonly bytes: Uint8Array };
  readonly layers: readonly BuiltLayer[];
  readonly base?: BaseImage;
}

/** Reads the base a definition names; WB-1127 when it is not pinned. Fails before anything is run. */
export async function readBase(
  reference: string | undefined,
  images: Images,
): Promise<BaseImage | undefined> {
  if (reference === undefined) return undefined;
  const pinned = parsePinned(reference);
  if (!pinned.ok) throw fail(R.base, { expected: 'registry/name@sha256:<hex>', actual: reference });
  const { registry, repository, digest } = pinned.value;
  const store = images.repository({ registry, repository });
  const manifest = await imageManifest(store, digest);
  const { json } = await imageConfig(store, manifest);
  return { reference, digest, store, registry, repository, config: json, layers: manifest.layers };
}

const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  ia32: '386',
  arm: 'arm',
};

/** Assembles the image. `epoch` (seconds) is its only time. */
export function assembleImage(
  definition: BuildDefinition['image'],
  layers: readonly BuiltLayer[],
  epoch: number,
  base: BaseImage | undefined,
): BuiltImage {
  const bytes = utf8(JSON.stringify(configJson(definition, layers, epoch, base)));
  const config = describe(bytes, mediaType.ociConfig);
  const own = layers.map(
    ({ digest, size }): Descriptor => ({
      mediaType: mediaType.ociLayerGzip,
      digest,
      size,
      annotations: new Map(),
    }),
  );
  const manifest = buildManifest({ config, layers: [...(base?.layers ?? []), ...own] });
  const { digest } = describe(manifest.bytes, mediaType.ociManifest);
  return {
    manifest,
    digest,
    config: { descriptor: config, bytes },
    layers,
    ...(base === undefined ? {} : { base }),
  };
}

function configJson(
  definition: BuildDefinition['image'],
  layers: readonly BuiltLayer[],
  epoch: number,
  base: BaseImage | undefined,
): JsonObject {
  const below = base?.config ?? {};
  const run = objectAt(below, 'config');
  const rootfs = objectAt(below, 'rootfs');
  const created = rfc3339(epoch * 1000);
  const history = layers.map((_, i) => ({
    created,
    created_by: `waybill build: layer ${i + 1} to ${definition.layers[i]?.to ?? '/'}`,
  }));
  return {
    created,
    architecture: definition.architecture ?? own(below, 'architecture') ?? hostArchitecture(),
    os: 'linux',
    config: {
      ...run,
      ...(definition.user === undefined ? {} : { User: definition.user }),
      ...(definition.workdir === undefined ? {} : { WorkingDir: definition.workdir }),
      ...(definition.entrypoint === undefined ? {} : { Entrypoint: definition.entrypoint }),
      ...(definition.cmd === undefined ? {} : { Cmd: definition.cmd }),
      Env: environment(textsAt(run, 'Env'), definition.env),
      ...labelled(objectAt(run, 'Labels'), definition.labels),
      ...exposed(objectAt(run, 'ExposedPorts'), definition.exposedPorts),
    },
    rootfs: {
      type: 'layers',
      diff_ids: [...textsAt(rootfs, 'diff_ids'), ...layers.map(({ diffId }) => diffId)],
    },
    history: [...listAt(below, 'history'), ...history],
  };
}

const hostArchitecture = (): string => architectures[process.arch] ?? process.arch;

function objectAt(object: JsonObject, key: string): JsonObject {
  const value = own(object, key);
  return isJsonObject(value) ? value : {};
}

function listAt(object: JsonObject, key: string): readonly JsonValue[] {
  const value = own(object, key);
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}

const textsAt = (object: JsonObject, key: string): string[] =>
  listAt(object, key).filter((value): value is string => typeof value === 'string');

function environment(inherited: readonly string[], added: Readonly<Record<string, string>>): string[] {
  const kept = inherited.filter((line) => !Object.hasOwn(added, line.split('=', 1)[0] ?? ''));
  const lines = Object.entries(added).map(([name, value]) => `${name}=${value}`);
  const hasPath = [...kept, ...lines].some((line) => line.startsWith('PATH='));
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  return [...(hasPath ? [] : [path]), ...kept, ...lines];
}

function labelled(inherited: JsonObject, added: Readonly<Record<string, string>>): JsonObject {
  const labels = { ...inherited, ...added };
  return Object.keys(labels).length === 0 ? {} : { Labels: labels };
}

function exposed(inherited: JsonObject, added: readonly string[]): JsonObject {
  const ports = { ...inherited, ...Object.fromEntries(added.map((port) => [port, {}])) };
  return Object.keys(ports).length === 0 ? {} : { ExposedPorts: ports };
}

/** Pushes by digest: layers and configuration first, then the manifest. Nothing has a tag yet. */
export async function pushImage(
  image: BuiltImage,
  target: { readonly registry: string; readonly repository: string },
  images: Images,
): Promise<ImageStore> {
  const store = images.repository(target);
  const { base } = image;
  for (const layer of base?.layers ?? []) {
    const mount = base?.registry === target.registry ? { mountFrom: base.repository } : {};
    await store.putBlob(layer, () => (base as BaseImage).store.blob(layer), mount);
  }
  for (const layer of image.layers) await store.putBlob(layer, layer.open);
  const { descriptor, bytes } = image.config;
  await store.putBlob(descriptor, () => once(bytes));
  await store.putManifest(image.manifest);
  const stored = await store.resolve({ digest: image.digest });
  if (stored.digest !== image.digest) {
    throw fail(R.digestChanged, { expected: image.digest, actual: stored.digest });
  }
  return store;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** `registry/name[:tag]`; a digest cannot be asked for. */
export interface OutputTarget {
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
}
