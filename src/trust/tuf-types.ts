/** What a TUF client reads, remembers and finds. */

/** Where metadata and targets are read. */
export interface TufSource {
  /** For messages: the mirror, or what is read in its place. */
  readonly name?: string;
  /** Bytes below the mirror by URL-encoded path; undefined when not there (404); throws when nobody can say. */
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
}

export interface TufMemory {
  /** A verified file of an earlier load: `timestamp.json`, `snapshot.json`, `targets.json`, `7.root.json`. */
  recall(name: string): Promise<Uint8Array | undefined>;
  keep(name: string, bytes: Uint8Array): Promise<void>;
}

export interface TufRepository {
  readonly rootVersion: number;
  /** Milliseconds since the epoch, by role. */
  readonly expires: Readonly<Record<TufRole, number>>;
  readonly versions: Readonly<Record<TufRole, number>>;
  /** A target's verified bytes; undefined when the repository does not list it. */
  target(name: string): Promise<Uint8Array | undefined>;
}

export const tufRoles = ['root', 'timestamp', 'snapshot', 'targets'] as const;
export type TufRole = (typeof tufRoles)[number];
