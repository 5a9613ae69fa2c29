/** Stations that change their keys while they run: routes keep one object, behind which generations change. */
import type { Ca } from '#services/ca';
import type { Tsa } from '#services/tsa';

/** Everything of one kind that was ever current, and the one that is. */
export class Rotating<T> {
  readonly #all: T[];
  #current: T;

  constructor(all: readonly T[], current: T) {
    this.#all = [...all];
    this.#current = current;
  }

  /** Oldest first. */
  get all(): readonly T[] {
    return this.#all;
  }

  get current(): T {
    return this.#current;
  }

  add(item: T): void {
    this.#all.push(item);
  }

  /** `item` takes the place of `before`, as the same generation with other surroundings. */
  replace(before: T, item: T): void {
    const index = this.#all.indexOf(before);
    if (index >= 0) this.#all[index] = item;
    if (this.#current === before) this.#current = item;
  }

  use(item: T): void {
    this.#current = item;
  }
}

/** Issues by the current authority; its bundle holds the chains of all, the current one first. */
export function rotatingCa(cas: Rotating<Ca>): Ca {
  return {
    get root() {
      return cas.current.root;
    },
    get intermediate() {
      return cas.current.intermediate;
    },
    get issuers() {
      return cas.current.issuers;
    },
    trustBundle: () =>
      [cas.current, ...cas.all.filter((one) => one !== cas.current)].flatMap((one) => one.trustBundle()),
    issue: (token, proof) => cas.current.issue(token, proof),
    close: async () => {
      for (const ca of cas.all) await ca.close();
    },
  };
}

export function rotatingTsa(tsas: Rotating<Tsa>): Tsa {
  return {
    get chain() {
      return tsas.current.chain;
    },
    answer: (request) => tsas.current.answer(request),
    close: async () => {
      for (const tsa of tsas.all) await tsa.close();
    },
  };
}
