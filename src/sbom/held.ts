/**
 * Memory for large files that are looked at whole. Threads that read layers side by side would each take as much as
 * one may; so only one of them at a time has more than a small share, and the others wait for it.
 */

/**
 * Memory of at least so many bytes is given back to the system when it is let go (glibc, `M_MMAP_THRESHOLD`: at most
 * 32 MiB); smaller pieces stay with the thread that had them. What is not written to takes nothing.
 */
const RETURNED_BYTES = 33 * 1024 * 1024;
const LARGE_BYTES = 4 * 1024 * 1024;

/** How much to ask for where so many bytes are wanted for a while. */
export const roomBytes = (bytes: number): number =>
  bytes < LARGE_BYTES ? bytes : Math.max(bytes, RETURNED_BYTES);

/** Bytes that a thread may hold beside another one that holds more. */
const SHARE_BYTES = 8 * 1024 * 1024;

/** Says who has more than its share: 0 nobody, else the number of the thread. Shared by all of them. */
export type Turn = Int32Array<SharedArrayBuffer>;

export const newTurn = (): Turn => new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/** Of a thread that ended without giving it back. */
export function freeTurn(turn: Turn, holder: number): void {
  if (Atomics.compareExchange(turn, 0, holder, 0) === holder) Atomics.notify(turn, 0);
}

/** What one thread holds. Without a turn nobody is waited for. */
export class HeldMemory {
  readonly #turn: { readonly cell: Turn; readonly me: number } | undefined;
  #held = 0;
  #isMine = false;

  /** `me`: the number of this thread, above 0. */
  constructor(turn?: { readonly cell: Turn; readonly me: number }) {
    this.#turn = turn;
  }

  /** To be called before the memory is taken; blocks this thread while another one has more than its share. */
  take(bytes: number): void {
    this.#held += bytes;
    if (this.#turn === undefined || this.#isMine || this.#held <= SHARE_BYTES) return;
    const { cell, me } = this.#turn;
    for (;;) {
      const holder = Atomics.compareExchange(cell, 0, 0, me);
      if (holder === 0) break;
      Atomics.wait(cell, 0, holder);
    }
    this.#isMine = true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
    if (this.#held <= SHARE_BYTES) this.#pass();
  }

  /** Of a layer that failed in between. */
  clear(): void {
    this.#held = 0;
    this.#pass();
  }

  #pass(): void {
    if (this.#turn === undefined || !this.#isMine) return;
    this.#isMine = false;
    freeTurn(this.#turn.cell, this.#turn.me);
  }
}
