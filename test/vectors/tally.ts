/** Counts the cases of a suite. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { VectorCount } from './versions.ts';

/** Counts a case; `label` is shown when it failed. */
export type Tally = (passed: boolean, label: string) => void;

/** The suite as a function for the runner; undefined when its folder is absent. */
export function counted(
  name: string,
  suite: (shared: string, tally: Tally) => void,
): (shared: string) => readonly VectorCount[] | undefined {
  return (shared) => {
    if (!existsSync(join(shared, 'vectors', name))) return undefined;
    let rows = 0;
    const failures: string[] = [];
    suite(shared, (passed, label) => {
      rows++;
      if (!passed) failures.push(label);
    });
    return [{ name, rows, failures }];
  };
}
