/**
 * The published files. Order of writing: targets, root, targets metadata, snapshot, and timestamp last: until
 * that one name changes, clients see the repository as it was, so a crash at any point leaves it whole.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileIfThere, writeFileDurable } from '#platform/files';

export type Files = ReadonlyMap<string, Uint8Array>;

export interface TufStore {
  /** A published file by its path below the mirror; undefined when there is none. */
  read(path: string): Promise<Uint8Array | undefined>;
  write(files: Files): Promise<void>;
  /** Highest N of `N.<role>.json`, 0 when there is none. */
  latest(role: 'root' | 'snapshot' | 'targets'): Promise<number>;
}

const metadataName = /^(?:timestamp|(?:[1-9]\d{0,8}\.)(?:root|snapshot|targets))\.json$/;
export const targetName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;
const targetPath = /^targets\/[0-9a-f]{64}\.[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

export function openTufStore(dir: string): TufStore {
  const fileOf = (path: string): string | undefined => {
    if (targetPath.test(path)) return join(dir, path);
    return metadataName.test(path) ? join(dir, 'metadata', path) : undefined;
  };
  return {
    read: async (path) => {
      const file = fileOf(path);
      return file === undefined ? undefined : readFileIfThere(file);
    },
    write: async (files) => {
      for (const [path, bytes] of [...files].sort(([a], [b]) => order(a) - order(b))) {
        const file = fileOf(path);
        if (file === undefined) throw new Error(`${path} is no path of this repository`);
        await writeFileDurable(file, bytes);
      }
    },
    latest: async (role) => {
      const names = await readdir(join(dir, 'metadata')).catch(() => []);
      const versions = names.map((name) => (name.endsWith(`.${role}.json`) ? Number.parseInt(name, 10) : 0));
      return Math.max(0, ...versions.filter(Number.isSafeInteger));
    },
  };
}

function order(path: string): number {
  if (path.startsWith('targets/')) return 0;
  return ['root', 'targets', 'snapshot', 'timestamp'].findIndex((role) => path.endsWith(`${role}.json`)) + 1;
}
