/** Stands in for node:test in a mutation run: tests are collected, to be run one by one until the first fails. */
export interface CollectedTest {
  readonly name: string;
  readonly body: () => unknown;
}

let collected: CollectedTest[] = [];

export function test(name: string, ...rest: readonly unknown[]): void {
  collected.push({ name, body: rest.at(-1) as () => unknown });
}

/** What was registered since the last call. */
export function takeTests(): CollectedTest[] {
  const taken = collected;
  collected = [];
  return taken;
}
