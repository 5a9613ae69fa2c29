/** Asynchronous work one after the other, in the order it was asked for; what fails stops nothing behind it. */
export class Turns {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(body: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(body, body);
    this.#tail = turn.catch(() => {});
    return turn;
  }

  /** When everything asked for so far is over. */
  async settled(): Promise<void> {
    await this.#tail;
  }
}
