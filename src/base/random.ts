/** Randomness as a parameter. The system source is built once, at the edge (platform). */
export interface Random {
  /** `length` unpredictable bytes. */
  bytes(length: number): Uint8Array;
}

const DRAWN_AT_ONCE = 64;

/** Values of `length` bytes each, drawn many at a time: for numbers that are no secrets, such as serial numbers. */
export function drawnAhead(random: Random, length: number): () => Uint8Array {
  let drawn: Uint8Array = new Uint8Array(0);
  let at = 0;
  return () => {
    if (at === drawn.length) [drawn, at] = [random.bytes(length * DRAWN_AT_ONCE), 0];
    at += length;
    return drawn.slice(at - length, at);
  };
}
