/**
 * Full tiles as files below a folder: each is whole and on disk, with its name, when its write resolves. A batch fills
 * several at once; those that share a folder share its synchronisation.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileError, makeFolders, readFileIfThere, syncFolder, synchronised } from './files.ts';
import type { TileStore } from './store.ts';

export function tileFiles(folder: string): Pick<TileStore, 'writeTile' | 'readTile'> {
  // One spelling: the folders of tiles are made from this one on, and it is known by its name.
  const directory = resolve(folder);
  const durable = durableFolders(directory);
  const writing = new FolderWrites();
  return {
    writeTile: async (path, bytes) => {
      const file = join(directory, path);
      await writing.into(dirname(file), async (within) => {
        await durable(within);
        await writeWhole(file, bytes);
      });
    },
    readTile: (path) => readFileIfThere(join(directory, path)),
  };
}

/** The bytes are on disk and have their name; that the name is on disk is for the folder. Throws WB-209. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  // Another process may write the same tile: each has a file of its own until it has the name.
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const file = openSync(temporary, 'wx', 0o644);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, null);
      await synchronised(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw fileError(path, error);
  }
}

interface Group {
  writing: number;
  readonly synced: PromiseWithResolvers<void>;
}

/** Who writes into a folder at the same time; the last of them synchronises it for all. */
class FolderWrites {
  readonly #groups = new Map<string, Group>();

  /** Resolves when what `write` did in the folder is on disk; rejects with its error, or with that of the folder. */
  async into(folder: string, write: (folder: string) => Promise<void>): Promise<void> {
    const group = this.#enter(folder);
    try {
      await write(folder);
    } finally {
      await this.#leave(folder, group);
    }
  }

  #enter(folder: string): Group {
    const group = this.#groups.get(folder) ?? { writing: 0, synced: Promise.withResolvers<void>() };
    this.#groups.set(folder, group);
    group.writing++;
    return group;
  }

  #leave(folder: string, group: Group): Promise<void> {
    group.writing--;
    if (group.writing === 0) {
      // Who comes now is of the next group: this synchronisation may miss its name.
      this.#groups.delete(folder);
      syncFolder(folder).then(group.synced.resolve, group.synced.reject);
    }
    return group.synced.promise;
  }
}

/**
 * Makes the folders of tiles, each durably before anything in it counts. A folder that is there is no proof: the
 * process that made it may have been ended before it was synchronised.
 */
function durableFolders(directory: string): (folder: string) => Promise<void> {
  const known = new Map<string, Promise<void>>();
  const make = async (folder: string): Promise<void> => {
    const parent = dirname(folder);
    if (parent !== directory) await ensure(parent);
    await makeFolders(folder);
    await syncFolder(parent);
  };
  const ensure = (folder: string): Promise<void> => {
    const under = known.get(folder) ?? make(folder);
    known.set(folder, under);
    return under.catch((error: unknown) => {
      known.delete(folder);
      throw error;
    });
  };
  return ensure;
}
