/**
 * A TUF client whose memory is one folder, as python-tuf and go-tuf keep it: `root.json`, `timestamp.json`,
 * `snapshot.json`, `targets.json` and delegated roles, without versions in their names (a role's name is
 * URL-encoded). As the specification says (5.3.8, 5.4.5, …), every role that verified is kept, also when a
 * later one does not.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail } from '#base/reason';
import { readFileIfThere, writeFileDurable } from '#platform/files';
import { R } from './reasons.ts';
import { forgetful, refreshed, SourceFetcher, updaterOf } from './tuf-fetcher.ts';
import type { TufMemory, TufSource } from './tuf-types.ts';

export interface TufFolderOptions {
  /** Where the trusted metadata lies; `root.json` must be there (`initTufFolder`). */
  readonly folder: string;
  readonly source: TufSource;
  /** Verified targets by hash, so that none is read twice. */
  readonly memory?: TufMemory;
}

export interface TufFolder {
  /** The verified bytes of a target, through delegations too. Throws WB-605 when no role lists it. */
  target(name: string): Promise<Uint8Array>;
}

/** Makes `root` the folder's trusted root. Throws WB-601 when it does not verify by itself. */
export async function initTufFolder(folder: string, root: Uint8Array): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'waybill-tuf-'));
  try {
    await writeFile(join(scratch, 'root.json'), root);
    const fetcher = new SourceFetcher({ read: async () => undefined }, forgetful);
    await fetcher.guard(async () => updaterOf(scratch, fetcher));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  await writeFileDurable(join(folder, 'root.json'), root);
}

/** Brings the folder up to date, then runs `body` with its targets. Throws WB-601, WB-602 or the source's own. */
export async function withTufFolder<T>(
  options: TufFolderOptions,
  body: (folder: TufFolder) => Promise<T>,
): Promise<T> {
  const { folder, source, memory = forgetful } = options;
  // tuf-js writes in place; a crash inside a write must not leave half a root behind.
  const scratch = await mkdtemp(join(tmpdir(), 'waybill-tuf-'));
  const fetcher = new SourceFetcher(source, memory);
  try {
    for (const name of await metadataNames(folder)) {
      await writeFile(join(scratch, name), await readFile(join(folder, name)));
    }
    try {
      const updater = await refreshed(scratch, fetcher);
      return await body({
        target: async (name) => {
          const info = await fetcher.guard(() => updater.getTargetInfo(name));
          if (info !== undefined) return fetcher.target(name, info);
          throw fail(R.target, { expected: `target ${name}`, actual: 'no role that may lists it' });
        },
      });
    } finally {
      await keepChanges(scratch, folder);
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function metadataNames(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  if (names.includes('root.json')) return names;
  throw fail(R.file, { expected: `${join(folder, 'root.json')}, the trusted root`, actual: 'not there' });
}

/** The root last: a folder whose other roles are newer than its root is updated by the next run. */
async function keepChanges(from: string, to: string): Promise<void> {
  const names = (await readdir(from)).sort((a, b) => Number(a === 'root.json') - Number(b === 'root.json'));
  for (const name of names) {
    const bytes = await readFile(join(from, name));
    const before = await readFileIfThere(join(to, name));
    if (before !== undefined && bytes.equals(before)) continue;
    await writeFileDurable(join(to, name), bytes);
  }
}
