/**
 * Verified TUF files on disk, one folder a mirror. A crash leaves every file old or new; a mixture is sorted
 * out by the next load, which verifies everything again from the pinned root.
 */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { makeFolders, readFileLimitedIfThere, writeFileDurable } from '#platform/files';
import { R } from './reasons.ts';
import type { TufMemory } from './tuf.ts';

export interface TufCache extends TufMemory {
  readonly folder: string;
}

/** Targets are kept too, trusted roots among them. */
const KEPT_BYTES_MAX = Math.max(limits.tufMetadataBytes, 64 * 1024 * 1024);

/** The files whose versions a mirror may not go back behind. */
const compared: ReadonlySet<string> = new Set(['timestamp.json', 'snapshot.json', 'targets.json']);

/** Opens the folder of a mirror below `cacheDir`. Throws WB-606 when others could write it, or a file in it is damaged. */
export async function openTufCache(cacheDir: string, mirror: string): Promise<TufCache> {
  const folder = join(cacheDir, mirrorFolder(mirror));
  await makeFolders(join(folder, 'targets'), 0o700);
  for (const part of [folder, join(folder, 'targets')]) await requireOwnFolder(part);
  return {
    folder,
    recall: async (name) => {
      const path = join(folder, name);
      const kept = await readFileLimitedIfThere(path, KEPT_BYTES_MAX);
      // Taken for no file, a damaged one would let the mirror go back to what it held before.
      if (kept !== undefined && compared.has(name) && versionOf(kept) < 0) {
        throw fail(R.cache, {
          expected: `metadata in ${path}`,
          actual: `${kept.length} bytes of another form`,
        });
      }
      return kept;
    },
    keep: async (name, bytes) => {
      const path = join(folder, name);
      const before = await readFileLimitedIfThere(path, KEPT_BYTES_MAX);
      // Another process may have seen a newer version meanwhile: never write an older one over it.
      if (before !== undefined && !name.startsWith('targets/') && versionOf(before) > versionOf(bytes))
        return;
      await writeFileDurable(path, bytes, { mode: 0o600 });
    },
  };
}

async function requireOwnFolder(path: string): Promise<void> {
  const found = await lstat(path);
  const isWritableByOthers = process.platform !== 'win32' && (found.mode & 0o022) !== 0;
  // Its owner could write it again whatever its mode says, and a pinned root may lie in it.
  const isOurs = process.getuid === undefined || found.uid === process.getuid();
  if (found.isDirectory() && !isWritableByOthers && isOurs) return;
  const mode = `mode ${(found.mode & 0o777).toString(8)}, owner ${found.uid}`;
  const actual = found.isDirectory() ? mode : 'not a folder';
  throw fail(R.cache, { expected: `${path} to be a folder only its owner can write`, actual });
}

/** A readable, unique folder name: the host for people, the hash for certainty. */
export function mirrorFolder(mirror: string): string {
  const url = new URL(mirror);
  const host = url.host.replace(/[^a-z0-9.-]/gi, '-') || 'file';
  return `${host}-${toHex(sha256(utf8(url.href.replace(/\/+$/, '')))).slice(0, 16)}`;
}

function versionOf(bytes: Uint8Array): number {
  const version = attempt(() =>
    reader(unwrap(parseJson(bytes)))
      .child('signed')
      .integer('version'),
  );
  return version.ok ? version.value : -1;
}
