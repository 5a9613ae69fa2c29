/** What cataloguers see and return. They are pure and synchronous: captured files in, packages out. */
import type { Distro, Unknown } from '#formats/sbom';

export interface ImageFile {
  /** Real path inside the image, without a leading slash. */
  readonly path: string;
  /** Index of the layer that holds it. */
  readonly layer: number;
  /** The whole content, or empty when only findings were kept. */
  readonly bytes: Uint8Array;
  /** What a stream scan of a large file found, by the name of the scan. */
  readonly findings?: ReadonlyMap<string, Uint8Array>;
}

/** The squashed image as far as cataloguers asked for it. */
export interface ImageFiles {
  /** Sorted by path. */
  readonly files: readonly ImageFile[];
  /** Looks a path up, following symbolic links inside the image. */
  find(path: string): ImageFile | undefined;
  /** The path with symbolic links in it followed, as far as they are known. */
  real(path: string): string;
}

export interface FoundPackage {
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl?: string | undefined;
  readonly path: string;
  readonly layer: number;
  readonly licenses?: readonly string[];
  readonly supplier?: string | undefined;
  readonly description?: string | undefined;
  readonly homepage?: string | undefined;
  readonly architecture?: string | undefined;
  readonly source?: { readonly name: string; readonly version?: string } | undefined;
  readonly cpes?: readonly string[];
  /** Packages of the same cataloguer this one needs, as indexes into its list. */
  readonly needs?: readonly number[];
  /** Paths the package brought, for operating system packages. */
  readonly owns?: readonly string[];
}

export interface CatalogueContext {
  readonly distro: Distro | undefined;
}

export interface Findings {
  readonly packages: readonly FoundPackage[];
  readonly unknowns: readonly Unknown[];
}

/** Looks for bytes in a file as it streams by; never holds the file. */
export interface StreamScan {
  write(chunk: Uint8Array): void;
  /** What was found, or undefined. */
  end(): Uint8Array | undefined;
}

export interface StreamScanner {
  readonly name: string;
  /** Whether a file is looked at, by path, size and its first bytes (up to 64). */
  accepts(base: string, size: number, head: Uint8Array): boolean;
  start(base: string): StreamScan;
}

export interface Cataloguer {
  readonly name: string;
  /** Whether the whole content of a regular file is needed. */
  wants(path: string, base: string): boolean;
  readonly scanner?: StreamScanner;
  /** Whether its packages are the operating system's own. */
  readonly isSystem?: boolean;
  catalogue(image: ImageFiles, context: CatalogueContext): Findings;
}
