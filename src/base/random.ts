/** Randomness as a parameter. The system source is built once, at the edge (platform). */
export interface Random {
  /** `length` unpredictable bytes. */
  bytes(length: number): Uint8Array;
}
