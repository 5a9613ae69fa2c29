/** Settings of the registry, all with their units. */
import type { Secret } from '#base/secret';
import type { BucketOptions } from '#platform/store-s3-bucket';

export const ACTIONS = ['pull', 'push', 'delete'] as const;
export type Action = (typeof ACTIONS)[number];

interface Rights {
  readonly actions: readonly Action[];
  /** `*`, a repository, or a prefix written as `team/*`. */
  readonly repositories: readonly string[];
}

/** A person who logs in with name and password. */
export interface UserGrant extends Rights {
  readonly name: string;
  /** As `hashPassword` makes it. */
  readonly passwordHash: string;
}

/** A static token: sent as a bearer token, or as the password of any user name. */
export interface TokenGrant extends Rights {
  /** For the log. */
  readonly name: string;
  readonly token: Secret;
}

export interface RegistryConfig {
  /** Directory of blobs, uploads and the database. */
  readonly dataDir: string;
  /** Whether a folder without tables is given them: false where there was a registry, which would begin anew. Default true. */
  readonly create?: boolean;
  /**
   * Keeps blobs, manifests and tags in a bucket, for any number of machines; the directory then holds unfinished
   * uploads and a copy of the names, which is made again when it is lost.
   */
  readonly bucket?: BucketOptions;
  /** What requests without credentials may do. Default: everything without tokens and users, else nothing. */
  readonly anonymous?: readonly Action[];
  readonly tokens?: readonly TokenGrant[];
  readonly users?: readonly UserGrant[];
  /**
   * Where clients reach it, such as `https://registry.example`: named as the place to log in. Default: what the request
   * says it was sent to.
   */
  readonly publicUrl?: string;
  /** Whether DELETE is answered. Default true. */
  readonly deletion?: boolean;
  /** Refuses to move a tag; tags of signatures and referrers (`sha256-…`) stay movable. Default false. */
  readonly immutableTags?: boolean;
  /** Largest blob in bytes. Default limits.layerBytes. */
  readonly blobBytesMax?: number;
  /**
   * Removes manifests without a name, an index or a subject that leads to them, so many milliseconds after their push.
   * Default: never, because Pods run images by digest.
   */
  readonly untaggedKeptMs?: number;
  /** How often the registry collects and sweeps by itself, in milliseconds. Default one hour. */
  readonly tidyEveryMs?: number;
  /** How long one request may take to arrive, in milliseconds. Default one hour. */
  readonly requestTimeoutMs?: number;
  /** How long a manifest or a login may take to arrive, in milliseconds. Default 30 seconds. */
  readonly bodyTimeoutMs?: number;
  /** How long the rest of a refused body is read, so that its sender sees why, in milliseconds. Default 10 seconds. */
  readonly lingerMs?: number;
}

export const REQUEST_TIMEOUT_MS_DEFAULT = 3_600_000;
export const BODY_TIMEOUT_MS_DEFAULT = 30_000;
export const LINGER_MS_DEFAULT = 10_000;
/** How long a login's token holds, in seconds: an upload is judged when it begins. */
export const LOGIN_SECONDS = 300;
/** Entries of one page of tags, repositories or referrers. */
export const PAGE_ENTRIES_MAX = 1000;
/** Unfinished uploads and unlinked blobs younger than this are left alone, in milliseconds. */
export const GRACE_MS = 24 * 3_600_000;
/** Default of `tidyEveryMs`. */
export const TIDY_INTERVAL_MS = 3_600_000;
