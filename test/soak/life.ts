/** What a log process of the kill loop is told, and what it says. */

export interface LifeOrder {
  readonly directory: string;
  readonly lockFile: string;
  readonly keyFile: string;
  readonly origin: string;
  readonly life: number;
  readonly writers: number;
  /** Entries below this have been proven. */
  readonly seen: number;
  /** Older entries to show again, with a proof. */
  readonly again: readonly number[];
  /** Sizes of older checkpoints to prove consistency from. */
  readonly chain: readonly number[];
  /** Shows everything and ends by itself. */
  readonly isLast: boolean;
}

export interface Acked {
  readonly index: number;
  readonly name: string;
  /** Base64, leaf to root. */
  readonly hashes: readonly string[];
  readonly checkpoint: string;
}

export interface LifeWord {
  readonly opening?: true;
  /** The published checkpoint. */
  readonly ready?: string;
  readonly acked?: Acked;
  readonly entry?: { readonly index: number; readonly bytes: string };
  readonly again?: { readonly index: number; readonly bytes: string; readonly hashes: readonly string[] };
  readonly chained?: { readonly from: number; readonly hashes: readonly string[] };
  readonly shown?: true;
}
