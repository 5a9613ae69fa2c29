/** What a TUF repository needs, and how long its signatures live. */
import type { Clock } from '#base/clock';
import type { KeyHolder } from '#base/crypto';
import type { Secret } from '#base/secret';

export const tufRoleNames = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type TufRoleName = (typeof tufRoleNames)[number];
/** Signed by keys that may lie in a safe. */
export const OFFLINE_ROLES: readonly TufRoleName[] = ['root', 'targets'];
/** Signed again and again without people. */
export const ONLINE_ROLES: readonly TufRoleName[] = ['snapshot', 'timestamp'];

export const DAY_MS = 86_400_000;

export interface TufConfig {
  /** Folder for `keys/` (mode 0600), `metadata/` and `targets/`. */
  readonly dir: string;
  readonly clock: Clock;
  /** Its keys are encrypted under this. */
  readonly passphrase?: Secret;
  /** Keys that lie elsewhere, by name: `online` for the first of snapshot and timestamp, `online-v4` as of root 4. */
  readonly elsewhere?: ReadonlyMap<string, KeyHolder>;
  /** Root keys; each also signs targets. Default 3, of which `threshold` (2) must sign. */
  readonly rootKeys?: number;
  readonly threshold?: number;
  readonly lifetimes?: Partial<TufLifetimes>;
  /** Checks new metadata before it is published; default: a TUF client of its own over the new files. */
  readonly selfCheck?: TufSelfCheck;
}

/** Milliseconds. A role is signed again when half of its lifetime is over. */
export interface TufLifetimes {
  readonly root: number;
  readonly targets: number;
  readonly snapshot: number;
  readonly timestamp: number;
}

export const lifetimesDefault: TufLifetimes = {
  root: 365 * DAY_MS,
  targets: 365 * DAY_MS,
  snapshot: 30 * DAY_MS,
  timestamp: 7 * DAY_MS,
};

/** Resolves when the files verify from `root`; throws otherwise. */
export type TufSelfCheck = (
  root: Uint8Array,
  read: (path: string) => Promise<Uint8Array | undefined>,
  targetNames: readonly string[],
) => Promise<void>;
