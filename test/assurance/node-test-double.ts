/** Stands in for node:test in a mutation run: tests are collected, to be run one by one until the first fails. */
export interface CollectedTest {
  readonly name: string;
  readonly body: () => unknown;
}

let collected: CollectedTest[] = [];
/** Suites that are being collected, outermost first. */
let suites: readonly string[] = [];

export function test(name: string, ...rest: readonly unknown[]): void {
  collected.push({ name: [...suites, name].join(' > '), body: rest.at(-1) as () => unknown });
}

/** A suite whose body only declares tests; hooks have no stand-in. */
export function describe(name: string, body: () => void): void {
  const outside = suites;
  suites = [...outside, name];
  try {
    body();
  } finally {
    suites = outside;
  }
}

/** What was registered since the last call. */
export function takeTests(): CollectedTest[] {
  const taken = collected;
  collected = [];
  return taken;
}
