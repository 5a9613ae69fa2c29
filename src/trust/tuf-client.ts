/**
 * A TUF client (specification 1.0, section 5) around tuf-js. tuf-js does its own file access and asks the
 * system clock; both stay in this file: it works in a private folder, and reads through the `TufSource` given.
 *
 * Every load starts at the pinned root and walks the chain again, also through cached roots, so a cache that
 * somebody else wrote can only fail to verify. The cache never moves back: a version that is kept is handed
 * to tuf-js as the one to compare with.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Updater } from 'tuf-js';
import { unwrap } from '#base/result';
import { type JsonReader, parseJson, reader } from '#formats/json';
import { forgetful, refreshed, SourceFetcher } from './tuf-fetcher.ts';
import { type TufMemory, type TufRepository, type TufRole, type TufSource, tufRoles } from './tuf-types.ts';

/** Loads and verifies a repository from `root`. Throws WB-601, WB-602, WB-603 or what the source throws. */
export async function openRepository(
  root: Uint8Array,
  source: TufSource,
  memory: TufMemory = forgetful,
): Promise<TufRepository> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-tuf-'));
  try {
    const reader = new SourceFetcher(source, memory);
    await writeFile(join(folder, 'root.json'), root);
    for (const name of ['timestamp.json', 'snapshot.json', 'targets.json']) {
      const kept = await memory.recall(name);
      if (kept !== undefined) await writeFile(join(folder, name), kept);
    }
    const updater = await refreshed(folder, reader);
    return await repositoryOf(folder, updater, reader, memory);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function repositoryOf(
  folder: string,
  updater: Updater,
  fetcher: SourceFetcher,
  memory: TufMemory,
): Promise<TufRepository> {
  const signed: Partial<Record<TufRole, JsonReader>> = {};
  for (const role of tufRoles) {
    const bytes = new Uint8Array(await readFile(join(folder, `${role}.json`)));
    signed[role] = reader(unwrap(parseJson(bytes)), `${role}.json`).child('signed');
    if (role !== 'root') await memory.keep(`${role}.json`, bytes);
  }
  const each = <T>(get: (json: JsonReader) => T): Record<TufRole, T> =>
    Object.fromEntries(tufRoles.map((role) => [role, get(signed[role] as JsonReader)])) as Record<TufRole, T>;
  const rootVersion = signed.root?.integer('version') ?? 0;
  for (const [version, bytes] of fetcher.roots) {
    if (version <= rootVersion) await memory.keep(`${version}.root.json`, bytes);
  }
  return {
    rootVersion,
    expires: each((json) => json.time('expires')),
    versions: each((json) => json.integer('version')),
    target: async (name) => {
      // Only top-level targets: what was verified above is all that is asked, nothing is fetched here.
      const info = await updater.getTargetInfo(name);
      return info === undefined ? undefined : fetcher.target(name, info);
    },
  };
}
