/**
 * Names of images that lie on this machine: `oci:DIR[:tag][@digest]`, `oci-archive:FILE`, `docker-archive:FILE`, and
 * `docker:NAME`, `podman:NAME`, `containerd:NAME` of container engines. What has none of these before it is a
 * reference to a registry.
 */
import type { Digest } from '#base/brand';
import { parseDigest } from '#base/digest';

export const fileKinds = ['oci', 'oci-archive', 'docker-archive'] as const;
export type FileKind = (typeof fileKinds)[number];

export const engineKinds = ['docker', 'podman', 'containerd'] as const;
export type Engine = (typeof engineKinds)[number];

export interface FileSource {
  readonly kind: FileKind;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export interface EngineSource {
  readonly engine: Engine;
  /** As the engine knows it. */
  readonly name: string;
}

const prefixed = (kinds: readonly string[]): RegExp => new RegExp(`^(${kinds.join('|')}):(.+)$`, 's');
const fileForm = prefixed(fileKinds);
const engineForm = prefixed(engineKinds);

/** Undefined for what is no image in a folder or file. A colon inside a folder name belongs to the path. */
export function parseFileSource(text: string): FileSource | undefined {
  const match = fileForm.exec(text);
  if (match === null) return undefined;
  const kind = match[1] as FileKind;
  const rest = match[2] as string;
  const at = rest.lastIndexOf('@');
  const digest = at < 0 ? undefined : parseDigest(rest.slice(at + 1));
  if (digest?.ok === true) return { kind, path: rest.slice(0, at), digest: digest.value };
  const [, path, tag] = /^(.+):([A-Za-z0-9_][A-Za-z0-9._-]{0,127})$/s.exec(rest) ?? [];
  return path === undefined || tag === undefined ? { kind, path: rest } : { kind, path, tag };
}

/** Undefined for what is no image of an engine. */
export function parseEngineSource(text: string): EngineSource | undefined {
  const match = engineForm.exec(text);
  return match === null ? undefined : { engine: match[1] as Engine, name: match[2] as string };
}

export const isFileSource = (text: string): boolean => parseFileSource(text) !== undefined;
export const isEngineSource = (text: string): boolean => parseEngineSource(text) !== undefined;
