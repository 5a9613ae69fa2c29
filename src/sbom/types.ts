/** What cataloguers see and return. They are pure and synchronous: captured files in, packages out. */
import type { Distro, Unknown } from '#formats/sbom';
import type { HeldMemory } from './held.ts';
import type { OwnedPaths } from './owned.ts';

export interface ImageFile {
  /** Real path inside the image, without a leading slash. */
  readonly path: string;
  /** Index of the layer that holds it. */
  readonly layer: number;
  /** The whole content, or empty when only findings were kept. */
  readonly bytes: Uint8Array;
  /** What was taken from a file that was not kept, by the name of the cataloguer. */
  readonly findings?: ReadonlyMap<string, Uint8Array>;
}

/** The squashed image as far as cataloguers asked for it; for one of them, with the files that it wants. */
export interface ImageFiles {
  /** Sorted by path. */
  readonly files: readonly ImageFile[];
  /** Looks a path up, following symbolic links inside the image. */
  find(path: string): ImageFile | undefined;
}

/** The same with all that links say. */
export interface SquashedFiles extends ImageFiles {
  /** Paths of symbolic links. */
  readonly links: Iterable<string>;
  /** The path with symbolic links in it followed, as far as they are known. */
  real(path: string): string;
}

export interface FoundPackage {
  /** purl type. */
  readonly type: string;
  /** As its manager writes it: with npm scope, Go path, `group:artifact` of Maven. */
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
  /** `sha1:…`, `sha256:…`, `sha512:…` in hex, of the package as distributed. */
  readonly hashes?: readonly string[];
  /** Packages of the same cataloguer this one needs, as indexes into its list. */
  readonly needs?: readonly number[];
  /** What the package brought, for operating system packages. */
  readonly owns?: OwnedPaths;
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
  /** Whether a file is looked at, by path, size and its first bytes (up to 64). */
  accepts(base: string, size: number, head: Uint8Array): boolean;
  start(base: string): StreamScan;
  /** Whether what was found can be read only from the whole file: the layer is read once more for it. */
  needsWhole?(found: Uint8Array): boolean;
}

/** Takes findings from a whole file that is dropped afterwards: an archive, a database, a program. */
export interface Extractor {
  /** `memory`: where what is inflated of the file is counted; default: nowhere else. */
  extract(bytes: Uint8Array, base: string, memory?: HeldMemory): Uint8Array | undefined;
}

/** Files a cataloguer wants, by name: any of the three lists fits, and `path` where it is given. */
export interface PathRule {
  readonly names?: readonly string[];
  /** The last dot-part of a name, with its dot. */
  readonly endings?: readonly string[];
  /** Name of the folder right above. */
  readonly folders?: readonly string[];
  readonly path?: RegExp;
}

export interface Cataloguer {
  readonly name: string;
  /** What it reads, for the documentation. */
  readonly reads: string;
  /** purl types of what it finds. */
  readonly types: readonly string[];
  /** `installed`: what is there and runs. `declared`: what a file asks for; read in folders only by default. */
  readonly evidence: 'installed' | 'declared';
  readonly files: readonly PathRule[];
  readonly scanner?: StreamScanner;
  /**
   * A shorter file in which `catalogue` finds the same, made where the layer is read and kept instead of the file;
   * undefined: the file as it is. Never throws.
   */
  readonly condense?: (bytes: Uint8Array, base: string) => Uint8Array | undefined;
  readonly extractor?: Extractor;
  /** Whether its packages are the operating system's own. */
  readonly isSystem?: boolean;
  catalogue(image: ImageFiles, context: CatalogueContext): Findings;
}
