/** What the census of cataloguers asks of each. */
import type { Entry } from './fixture.ts';

export interface CensusRow {
  /** os-release of the image; Debian 12 unasked. */
  readonly release?: string;
  readonly good: readonly Entry[];
  /** Of all packages of `good`, sorted. */
  readonly purls: readonly string[];
  /** Becomes an unknown of this cataloguer. */
  readonly broken: Entry;
  /** In the archive `broken` is a sparse file. */
  readonly isSparse?: boolean;
  /** Looks like one of its files and is none. */
  readonly decoy: Entry;
}

/** By the name of the cataloguer. */
export type CensusRows = Readonly<Record<string, CensusRow>>;

export const releaseOf = ({ release }: Pick<CensusRow, 'release'>): Entry =>
  file('etc/os-release', release ?? 'ID=debian\nVERSION_ID="12"\n');

export const file = (path: string, text: string | Uint8Array): Entry => ({ path, text });
export const json = (path: string, value: unknown): Entry => file(path, JSON.stringify(value));
