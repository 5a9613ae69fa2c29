/** Images to push, and clients that do not wait for real. */
import assert from 'node:assert/strict';
import { utf8 } from '#base/bytes';
import { type Reason, WaybillError } from '#base/reason';
import {
  buildIndex,
  buildManifest,
  type Descriptor,
  describe,
  descriptorOf,
  type ImageIndex,
  type ImageManifest,
  mediaType,
  type Platform,
} from '#formats/oci';
import { type ClientOptions, type ImageSink, Registry, type Repository } from '#oci';
import { httpTransport } from '#platform/http-client';

/** A client whose retries and settling take no time. */
export function quickRegistry(options: Partial<ClientOptions> = {}): Registry {
  return new Registry({ transport: httpTransport(), sleep: () => Promise.resolve(), ...options });
}

export const repositoryAt = (host: string, repository = 'team/app', options: Partial<ClientOptions> = {}) =>
  quickRegistry(options).repository({ registry: host, repository });

export async function* once(...parts: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts;
}

export async function putBytes(sink: ImageSink, bytes: Uint8Array, type: string): Promise<Descriptor> {
  const descriptor = describe(bytes, type);
  await sink.putBlob(descriptor, () => once(bytes));
  return descriptor;
}

/** A tiny image: one layer holding `text`. */
export async function putImage(
  sink: ImageSink,
  text: string,
  options: { readonly tag?: string; readonly platform?: Platform } = {},
): Promise<ImageManifest> {
  const { os = 'linux', architecture = 'amd64' } = options.platform ?? {};
  const layer = await putBytes(sink, utf8(text), mediaType.ociLayer);
  const config = await putBytes(
    sink,
    utf8(JSON.stringify({ os, architecture, rootfs: { type: 'layers', diff_ids: [layer.digest] } })),
    mediaType.ociConfig,
  );
  const manifest = buildManifest({ config, layers: [layer] });
  await sink.putManifest(manifest, options.tag === undefined ? {} : { tag: options.tag });
  return manifest;
}

/** An index of a linux/amd64 and a linux/arm64 image. */
export async function putMultiArch(
  sink: ImageSink,
  text: string,
  tag: string,
): Promise<{ readonly index: ImageIndex; readonly images: readonly ImageManifest[] }> {
  const platforms = [
    { os: 'linux', architecture: 'amd64' },
    { os: 'linux', architecture: 'arm64', variant: 'v8' },
  ];
  const images: ImageManifest[] = [];
  for (const platform of platforms) {
    images.push(await putImage(sink, `${text} ${platform.architecture}`, { platform }));
  }
  const manifests = images.map((image, i) => ({
    ...descriptorOf(image),
    platform: platforms[i] as Platform,
  }));
  const index = buildIndex({ manifests });
  await sink.putManifest(index, { tag });
  return { index, images };
}

/** The reason something was refused for; fails when it was not, or by an error that carries none. */
export async function reasonOf(work: Promise<unknown> | (() => Promise<unknown>)): Promise<Reason> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof WaybillError) return error.reason;
    throw error;
  }
  return assert.fail('it was not refused');
}

export async function drain(body: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of body) length += chunk.length;
  return length;
}

export type { Repository };
