/**
 * What a stack has published and must find again at its next start: the keys of every generation, and the first root
 * of its TUF repository. What is missing is not made again: nobody would believe it.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import { readFileIfThere } from '#platform/files';
import { stackTrustFiles } from '#trust';
import {
  folderOf,
  GENERATIONS_FILE,
  type Generation,
  type Generations,
  mapGenerations,
  type Rotatable,
  readGenerations,
  rotatable,
} from './generations.ts';
import { R as stack } from './reasons.ts';
import { R } from './serve/reasons.ts';
import { STATE_FILE, type StackState } from './state.ts';

/**
 * The generations of a start. Those of a stack that ran before have keys, also where an earlier version did not write
 * down which. Throws WB-1202.
 */
export async function generationsToOpen(
  dataDir: string,
  createdAt: number,
  before: StackState | undefined,
): Promise<Generations> {
  requireKeptGenerations(dataDir);
  const all = await readGenerations(dataDir, createdAt);
  return before === undefined
    ? all
    : mapGenerations(all, (_station, one) => ({ ...one, keys: one.keys ?? {} }));
}

/** Throws WB-1202 when generations were made and the list of them is gone: the first ones alone would be published. */
function requireKeptGenerations(dataDir: string): void {
  if (existsSync(join(dataDir, GENERATIONS_FILE))) return;
  const later = rotatable
    .map((station) => folderOf(station, 2))
    .find((name) => existsSync(join(dataDir, name)));
  if (later === undefined) return;
  throw fail(stack.state, {
    expected: `${join(dataDir, GENERATIONS_FILE)}, which says when each key of ${later} and the others is believed`,
    actual: 'no such file',
    hint: 'bring this file back from a backup: without it what later keys signed would no longer be believed',
  });
}

/** Throws WB-1202 for the folder of a stack that has published, and lost what it is: it would begin anew. */
function requireKeptState(dataDir: string): void {
  const pinned = join(dataDir, stackTrustFiles.tufRoot);
  if (!existsSync(pinned)) return;
  throw fail(stack.state, {
    expected: `${join(dataDir, STATE_FILE)} of the stack that published ${pinned}`,
    actual: 'no such file',
    hint: 'bring stack.json back from a backup, or its old text; for a new stack take an empty folder',
  });
}

/** The keys of a generation that were opened, and which of them lie elsewhere. */
export type OpenedKeys = Pick<Generation, 'keys' | 'elsewhere'>;

/** With the keys that were opened written to each generation. */
export function withKeys(
  all: Generations,
  keysOf: (station: Rotatable, generation: number) => OpenedKeys | undefined,
): Generations {
  return mapGenerations(all, (station, one) => {
    const opened = keysOf(station, one.number);
    if (opened === undefined) return one;
    const { elsewhere: _before, ...rest } = one;
    const { elsewhere = [], keys } = opened;
    const held = elsewhere.length === 0 ? {} : { elsewhere };
    return { ...rest, keys: { ...one.keys, ...keys }, ...held };
  });
}

const FIRST_ROOT = '1.root.json';

/** SHA-256 of the first root, hex. */
export const rootHash = (root: Uint8Array): string => toHex(sha256(root));

/** What is wrong with the TUF repository of a stack that ran before; undefined when its metadata is what it was. */
export async function tufTrouble(
  dataDir: string,
  { tufRoot }: StackState,
): Promise<{ readonly expected: string; readonly actual: string } | undefined> {
  const file = (name: string): string => join(dataDir, 'tuf', 'metadata', name);
  const pinned = await readFileIfThere(join(dataDir, stackTrustFiles.tufRoot));
  const wanted = tufRoot ?? (pinned === undefined ? undefined : rootHash(pinned));
  const expected = `${file(FIRST_ROOT)}${wanted === undefined ? '' : ` with SHA-256 ${wanted}`}, as clients pinned it`;
  const root = await readFileIfThere(file(FIRST_ROOT));
  if (root === undefined) return { expected, actual: 'no such file' };
  return wanted !== undefined && rootHash(root) !== wanted ? { expected, actual: rootHash(root) } : undefined;
}

/**
 * Throws WB-1213 when the repository would begin anew under the eyes of clients that pinned it, and WB-1202 when the
 * whole stack would.
 */
export async function requireTufRoot(dataDir: string, before: StackState | undefined): Promise<void> {
  if (before === undefined) return requireKeptState(dataDir);
  const trouble = await tufTrouble(dataDir, before);
  if (trouble === undefined) return;
  const hint =
    'bring the folder tuf back from a backup (waybill stack restore): clients follow no other root';
  throw fail(R.otherKey, { ...trouble, hint });
}

/** Whether a folder is another one, or lies in it. */
export function isInside(folder: string, inner: string): boolean {
  const way = relative(folder, inner);
  return way === '' || !/^\.\.(?:[/\\]|$)|^(?:[A-Za-z]:)?[/\\]/.test(way);
}
