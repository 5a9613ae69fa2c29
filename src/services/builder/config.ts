/** What the builder is given. Everything it does outside its own folder goes through these interfaces. */
import type { Digest } from '#base/brand';
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';
import type { Secret } from '#base/secret';
import type { ImageStore } from '#oci';
import type { Logger } from '#platform/telemetry';

/**
 * What a workload token of the builder says about one build, under the names the certificate's extensions
 * have (1.3.6.1.4.1.57264.1.x). Only the control plane fills it, from what it resolved itself.
 */
export interface BuildClaims {
  /** Subject of the token and URI SAN of the certificate: the builder id. */
  readonly subject: string;
  readonly buildSignerUri: string;
  /** Digest of the builder's own code, `sha256:<hex>`. */
  readonly buildSignerDigest: string;
  readonly runnerEnvironment: 'self-hosted';
  /** For example `https://git.example/acme/app`, without `git+` and without a ref. */
  readonly sourceRepositoryUri: string;
  /** Commit, hex. */
  readonly sourceRepositoryDigest: string;
  /** Full ref name; absent when the request named a bare commit. */
  readonly sourceRepositoryRef?: string;
  readonly buildConfigUri: string;
  readonly buildConfigDigest: string;
  readonly buildTrigger: string;
  readonly runInvocationUri: string;
}

/** Mints the builder's own identity token for one build. The sandbox can never reach what stands behind it. */
export interface TokenSource {
  mint(claims: BuildClaims): Promise<Secret>;
}

/** Signs one in-toto Statement as DSSE and returns the bytes of a verified Sigstore bundle. */
export interface StatementSigner {
  sign(
    statement: Uint8Array,
    identity: { readonly token: Secret; readonly claims: BuildClaims },
  ): Promise<Uint8Array>;
}

/** Where images are pushed to and bases are read from; `Registry` of #oci is one. */
export interface Images {
  repository(name: { readonly registry: string; readonly repository: string }): ImageStore;
}

/** Attaches a bundle to the image of that digest in a repository. */
export type AttachBundle = (
  store: ImageStore,
  image: Digest,
  bundle: Uint8Array,
  predicateType: string,
) => Promise<void>;

export type BackendName = 'userns' | 'bwrap' | 'uid' | 'none';

export interface BuilderConfig {
  /** `https://host`: builder ids are `<baseUri>/builders/<back end>/v1`. */
  readonly baseUri: string;
  /** Records and logs of builds; never visible to a build. */
  readonly dataDir: string;
  /** Sources, outputs and layers under way. Its parents must be passable by the build's uid. */
  readonly workDir: string;
  /** `auto` takes the strongest that passes its self-test. */
  readonly backend: BackendName | 'auto';
  /** Whether `auto` may end at `none` where nothing isolates. Default false; for development machines. */
  readonly noneAllowed?: boolean;
  /** First of the 2^24 uids that builds run as when the control plane is root. Default 1900000000. */
  readonly uidBase?: number;
  /** Builds at the same time, default 1. */
  readonly concurrency?: number;
  /** Builds waiting, default 32. */
  readonly queueMax?: number;
  /** Longest build, default 30 minutes. */
  readonly buildTimeoutMs?: number;
  /** Fetched instead of a source URI: `https://git.example/acme/app` → a URL or path of the operator's. */
  readonly mirrors?: Readonly<Record<string, string>>;
  /** Folders below which a request may name a local repository. Default none. */
  readonly sourceRoots?: readonly string[];
  /** Folders below which a request may name an input. Default none. */
  readonly inputRoots?: readonly string[];
  /** The operator's word that this is shared or dedicated infrastructure, not somebody's workstation. */
  readonly hosted?: boolean;
  /** Version of this software, for `builder.version`. */
  readonly version?: string;
  /** Files that hold secrets of the control plane: the self-test tries to read each. */
  readonly secretFiles?: readonly string[];
  /** What callers must present as a bearer token; without one every caller on the listening side may build. */
  readonly callerToken?: Secret;
  /** gzip level of layers, 1–9, default 1. */
  readonly gzipLevel?: number;
}

export interface BuilderDeps {
  readonly images: Images;
  readonly attach: AttachBundle;
  readonly tokens: TokenSource;
  readonly signer: StatementSigner;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export const builderDefaults = {
  uidBase: 1_900_000_000,
  concurrency: 1,
  queueMax: 32,
  buildTimeoutMs: 30 * 60_000,
  gzipLevel: 1,
} as const;
