/** What an SBOM says, independent of its format: the subject, its packages, what could not be read. */
import type { Digest } from '#base/brand';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';

export interface SbomLocation {
  /** Inside the image, without a leading slash. */
  readonly path: string;
  /** diffID of the layer that holds the file. */
  readonly layer?: Digest;
}

export interface SbomPackage {
  /** 16 hex digits over type, name, version and purl: the same in every run. */
  readonly id: string;
  /** purl type: deb, apk, npm, pypi, golang, generic, … */
  readonly type: string;
  readonly name: string;
  readonly version: string;
  /** Absent when a part the type needs is not known, for example the distribution. */
  readonly purl?: string;
  /** The cataloguer, or the tool that wrote the SBOM this was read from. */
  readonly foundBy: string;
  readonly locations: readonly SbomLocation[];
  /** As declared by the package. */
  readonly licenses: readonly string[];
  readonly supplier?: string;
  readonly description?: string;
  readonly homepage?: string;
  readonly architecture?: string;
  /** The source package a binary package was built from. */
  readonly source?: { readonly name: string; readonly version?: string };
  readonly cpes?: readonly string[];
  /** `sha1:…`, `sha256:…`, `sha512:…` in hex, of the package as distributed. */
  readonly hashes?: readonly string[];
  /** Ids of packages this one needs. */
  readonly dependsOn: readonly string[];
  /** Id of the operating system package that brought every file this package was found in. */
  readonly ownedBy?: string;
}

export interface Distro {
  /** os-release ID, lower case: debian, ubuntu, alpine. */
  readonly id: string;
  readonly versionId?: string;
  readonly idLike: readonly string[];
  readonly prettyName?: string;
}

export interface SbomLayer {
  readonly digest: Digest;
  readonly diffId: Digest;
  readonly mediaType: string;
  readonly size: number;
}

/** Something that could not be read: reported, never silently zero. */
export interface Unknown {
  /** Inside the image; empty for the image as a whole. */
  readonly path: string;
  /** Who wanted it: a cataloguer, `layer`, `distro`. */
  readonly wantedBy: string;
  readonly reason: string;
}

export interface SbomSubject {
  /** Repository without tag or digest, or a file name. */
  readonly name: string;
  /** Digest of the manifest. */
  readonly digest?: Digest;
  readonly tag?: string;
  /** Default `image`. */
  readonly kind?: 'image' | 'folder';
  readonly os?: string;
  readonly architecture?: string;
}

export interface Sbom {
  readonly subject: SbomSubject;
  readonly distro?: Distro;
  /** Sorted by type, name, version, first location. */
  readonly packages: readonly SbomPackage[];
  readonly layers: readonly SbomLayer[];
  readonly unknowns: readonly Unknown[];
  /** When the document says it was made, as it says it. */
  readonly created?: string;
  /** At which point of the life of the software: `post-build`, `build`, … */
  readonly context?: string;
  /** The program that made the catalogue. */
  readonly tool: { readonly name: string; readonly version: string };
}

/**
 * Whether only packages of the operating system put files there (Filesystem Hierarchy Standard 3.0): `/usr/local`,
 * `/opt`, `/srv` and all else is for others. Without a leading slash.
 */
export const isSystemPath = (path: string): boolean =>
  /^(?:usr\/(?!local\/)|s?bin\/|lib(?:32|64|x32)?\/)/.test(path) && !/(?:^|\/)\.\.?(?:\/|$)/.test(path);

export function packageId(
  type: string,
  name: string,
  version: string,
  purl: string | undefined,
  foundBy: string,
): string {
  const key = JSON.stringify([type, name, version, purl ?? '', foundBy]);
  return toHex(sha256(utf8(key))).slice(0, 16);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The one order of packages in every output: by code unit, independent of locale. */
export function comparePackages(a: SbomPackage, b: SbomPackage): number {
  return (
    compare(a.type, b.type) ||
    compare(a.name, b.name) ||
    compare(a.version, b.version) ||
    compare(a.purl ?? '', b.purl ?? '') ||
    compare(a.id, b.id)
  );
}

export function compareUnknowns(a: Unknown, b: Unknown): number {
  return compare(a.path, b.path) || compare(a.wantedBy, b.wantedBy) || compare(a.reason, b.reason);
}

/** `debian-12`, `alpine-3.20.1`: the value of the purl qualifier `distro`. */
export function distroText(distro: Distro): string {
  return distro.versionId === undefined ? distro.id : `${distro.id}-${distro.versionId}`;
}
