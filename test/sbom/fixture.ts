/** Images made in memory: tar entries → layers → a manifest and configuration with true digests. */
import { gzipSync } from 'node:zlib';
import { packTar, type TarEntry } from 'modern-tar';
import { digestOf } from '#base/digest';
import { parseImageConfig } from '#formats/image-config';
import { buildManifest, type Descriptor, describe, type ImageManifest } from '#formats/oci';
import type { ImageInput } from '#sbom';

const encoder = new TextEncoder();

export type Entry =
  | { readonly path: string; readonly text: string | Uint8Array; readonly mode?: number }
  | { readonly path: string; readonly symlink: string }
  | { readonly path: string; readonly hardlink: string }
  | { readonly path: string; readonly folder: true };

function tarEntry(entry: Entry): TarEntry {
  const name = entry.path;
  // Of one time, so that equal entries are equal layers.
  const rest = { size: 0, mtime: new Date(0) };
  if ('symlink' in entry) return { header: { name, ...rest, type: 'symlink', linkname: entry.symlink } };
  if ('hardlink' in entry) return { header: { name, ...rest, type: 'link', linkname: entry.hardlink } };
  if ('folder' in entry) return { header: { name: `${name}/`, ...rest, type: 'directory', mode: 0o755 } };
  const body = typeof entry.text === 'string' ? encoder.encode(entry.text) : entry.text;
  return {
    header: { name, ...rest, size: body.length, type: 'file', mode: entry.mode ?? 0o644 },
    body,
  };
}

/** A tar archive of the entries, in their order. */
export async function tar(entries: readonly Entry[]): Promise<Uint8Array> {
  return packTar(entries.map(tarEntry));
}

/** An archive of one file with holes, which is all its header says of it. */
export async function sparseTar(entry: Entry): Promise<Uint8Array> {
  const bytes = Buffer.from(await tar([entry]));
  bytes[156] = 'S'.charCodeAt(0);
  bytes.write('        ', 148, 'latin1');
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return new Uint8Array(bytes);
}

export interface LayerBytes {
  /** Uncompressed. */
  readonly tar: Uint8Array;
  /** As stored; default gzip of the archive. */
  readonly stored?: Uint8Array;
  readonly mediaType?: string;
}

export interface FixtureImage {
  readonly manifest: ImageManifest;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  readonly input: ImageInput;
}

/** An image of finished layers. */
export function imageOf(layers: readonly LayerBytes[]): FixtureImage {
  const blobs = new Map<string, Uint8Array>();
  const descriptors = layers.map((layer): Descriptor => {
    const stored = layer.stored ?? gzipSync(layer.tar);
    const descriptor = describe(stored, layer.mediaType ?? 'application/vnd.oci.image.layer.v1.tar+gzip');
    blobs.set(descriptor.digest, stored);
    return descriptor;
  });
  const rootfs = { type: 'layers', diff_ids: layers.map((layer) => digestOf(layer.tar)) };
  const bytes = encoder.encode(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs }));
  const configDescriptor = describe(bytes, 'application/vnd.oci.image.config.v1+json');
  blobs.set(configDescriptor.digest, bytes);
  const manifest = buildManifest({ config: configDescriptor, layers: descriptors });
  blobs.set(manifest.digest, manifest.bytes);
  const config = parseImageConfig(bytes);
  if (!config.ok) throw new Error(config.error.actual);
  const openLayer = (layer: Descriptor): AsyncIterable<Uint8Array> => chunks(blobs.get(layer.digest));
  return { manifest, blobs, input: { manifest, config: config.value, openLayer } };
}

/** An image whose layers are lists of entries. */
export async function image(...layers: readonly (readonly Entry[])[]): Promise<FixtureImage> {
  return imageOf(await Promise.all(layers.map(async (entries) => ({ tar: await tar(entries) }))));
}

/** Bytes in pieces of a size that splits headers. */
export async function* chunks(bytes: Uint8Array | undefined, size = 1000): AsyncGenerator<Uint8Array> {
  if (bytes === undefined) throw new Error('no such blob');
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export const options = { tool: { name: 'waybill', version: '0.0.0' }, name: 'registry.example/app' };
