/** The right edge of a Merkle tree (RFC 6962 §2.1), by hashing alone: shares nothing with the engine it judges. */
import { createHash } from 'node:crypto';

const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
  const state = createHash('sha256');
  for (const part of parts) state.update(part);
  return state.digest();
};
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafOf = (entry: Uint8Array): Uint8Array => sha256(LEAF, entry);

export class Frontier {
  size = 0;
  /** Roots of complete subtrees, largest first. */
  #peaks: { readonly leaves: number; readonly hash: Uint8Array }[] = [];

  append(entry: Uint8Array): void {
    let peak = { leaves: 1, hash: leafOf(entry) };
    for (let left = this.#peaks.at(-1); left?.leaves === peak.leaves; left = this.#peaks.at(-1)) {
      this.#peaks.pop();
      peak = { leaves: 2 * peak.leaves, hash: sha256(NODE, left.hash, peak.hash) };
    }
    this.#peaks.push(peak);
    this.size++;
  }

  root(): Uint8Array {
    const [last, ...before] = this.#peaks.map(({ hash }) => hash).reverse();
    if (last === undefined) return sha256();
    return before.reduce((right, left) => sha256(NODE, left, right), last);
  }
}
