/** Settings of a witness. */
import type { Clock } from '#base/clock';
import type { Signer } from '#base/crypto';
import type { VerifierKey } from '#formats/cosignature';
import type { Logger } from '#platform/telemetry';

export interface WitnessConfig {
  /** Name in its cosignatures: a host name and path, without scheme. */
  readonly name: string;
  /** Ed25519. */
  readonly key: Signer;
  /** The logs it cosigns for: the origin is the name of the key, unless it is given. */
  readonly logs: readonly WitnessedLog[];
  /** File of what it saw; `undefined` keeps it in memory. Never restore it from a backup. */
  readonly stateFile?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface WitnessedLog {
  readonly origin: string;
  readonly key: Pick<VerifierKey, 'name' | 'verifier'>;
}

/** A checkpoint with 63 lines of proof and many signatures. */
export const REQUEST_BYTES_MAX = 64 * 1024;
