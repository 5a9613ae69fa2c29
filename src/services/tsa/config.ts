/** What a timestamp authority needs. */
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';
import type { KeyHolders, KeyStore } from '#platform/key-store';
import type { Logger } from '#platform/telemetry';
import type { ClockWatch } from './clock-watch.ts';

export const DAY_MS = 86_400_000;

/** The policy of Sigstore's timestamp authority. */
export const POLICY_OID = '1.3.6.1.4.1.57264.2';

/** RFC 3161 §2.4.2: the time in a token is right to this many seconds either way. */
export const ACCURACY_SECONDS = 1;

export interface TsaConfig {
  readonly keys: KeyStore;
  /** Where its keys are held; without it in `keys`, which holds the certificates in any case. */
  readonly holders?: KeyHolders;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Compares the clock with others; without it the clock is believed. Whoever opened it closes it. */
  readonly watch?: ClockWatch;
  /** The O of both certificates. Default `waybill`. */
  readonly organization?: string;
}
