/** What a backup is made of, and which folders it may be made and brought back in. */
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fail } from '#base/reason';
import { isInside } from './kept.ts';
import { R } from './reasons.ts';

/** Locks that were kept with the data, against advice: a copy of them would be believed. */
const LOCKS = 'locks/';

/** Of one process or one socket, and shared memory of databases: nothing to keep. */
const PASSING = /(?:^process\.(?:lock|pid)|^admin\.sock$|-shm$|^\..*\.tmp$)/;

/**
 * The files below a folder by their paths, in order. What lies behind a link counts as lying here, so that a folder
 * that was moved to another disk is not left out. Throws WB-1210 for a link that leads to nothing or round in a circle,
 * and for what is neither file nor folder.
 */
export async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (below: string, above: readonly string[]): Promise<void> => {
    const here = await realpath(join(folder, below));
    if (above.includes(here)) throw unkept(below, 'a link that leads round in a circle');
    for (const entry of await readdir(here, { withFileTypes: true })) {
      if (PASSING.test(entry.name)) continue;
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      const kind = await kindOf(entry, join(here, entry.name));
      if (kind === 'folder') await walk(path, [...above, here]);
      else if (kind === 'file') found.push(path);
      else throw unkept(join(folder, path), kind);
    }
  };
  await walk('', []);
  return found.filter((path) => !path.startsWith(LOCKS)).sort();
}

const unkept = (path: string, actual: string): Error =>
  fail(R.backup, { expected: `${path} to be a file or a folder, also behind a link`, actual });

async function kindOf(entry: Dirent, path: string): Promise<string> {
  const end = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
  if (end === undefined) return 'a link that leads to nothing';
  if (end.isFile()) return 'file';
  return end.isDirectory() ? 'folder' : 'something else';
}

/** Throws WB-1210 when one of two folders lies in the other, or both are one, through links too. */
export async function requireApart(a: string, b: string): Promise<void> {
  const [first, second] = [await placeOf(a), await placeOf(b)];
  if (!isInside(first, second) && !isInside(second, first)) return;
  throw fail(R.backup, { expected: 'the backup and the data directory apart', actual: `${a} and ${b}` });
}

/** Where a folder is, or would be, without links. */
async function placeOf(folder: string): Promise<string> {
  const real = await realpath(folder).catch(() => undefined);
  if (real !== undefined || dirname(folder) === folder) return real ?? folder;
  return join(await placeOf(dirname(folder)), basename(folder));
}
