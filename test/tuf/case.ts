/** One case of the TUF client: what the repository does, and what the client must have done. */
import type { World } from './client.ts';

export interface TufCase {
  /** The kind of behaviour, as the field's conformance suite groups it; `hostile` is our own. */
  readonly group: string;
  readonly name: string;
  run(world: World): Promise<void>;
}

/** Collects the cases of one group. */
export function cases(group: string): { list: TufCase[]; add(name: string, run: TufCase['run']): void } {
  const list: TufCase[] = [];
  return { list, add: (name, run) => void list.push({ group, name, run }) };
}

export const topRoles = ['root', 'timestamp', 'snapshot', 'targets'] as const;
