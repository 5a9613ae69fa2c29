/** The TUF client's door: the client itself is large, and most commands never need it. */
import type { TufFolder, TufFolderOptions } from './tuf-folder.ts';
import type { MirrorOptions, MirrorResult } from './tuf-mirror.ts';
import type { TufMemory, TufRepository, TufSource } from './tuf-types.ts';

export type { TufFolder, TufFolderOptions } from './tuf-folder.ts';
export type { MirrorOptions, MirrorResult } from './tuf-mirror.ts';

export type { TufMemory, TufRepository, TufRole, TufSource } from './tuf-types.ts';

/** Loads and verifies a repository from `root`. Throws WB-601, WB-602, WB-603 or what the source throws. */
export async function openRepository(
  root: Uint8Array,
  source: TufSource,
  memory?: TufMemory,
): Promise<TufRepository> {
  const client = await import('./tuf-client.ts');
  return client.openRepository(root, source, memory);
}

/** See tuf-folder.ts. */
export async function initTufFolder(folder: string, root: Uint8Array): Promise<void> {
  const client = await import('./tuf-folder.ts');
  return client.initTufFolder(folder, root);
}

/** See tuf-folder.ts. */
export async function withTufFolder<T>(
  options: TufFolderOptions,
  body: (folder: TufFolder) => Promise<T>,
): Promise<T> {
  const client = await import('./tuf-folder.ts');
  return client.withTufFolder(options, body);
}

/** See tuf-mirror.ts. */
export async function mirrorRepository(options: MirrorOptions): Promise<MirrorResult> {
  const mirror = await import('./tuf-mirror.ts');
  return mirror.mirrorRepository(options);
}

/** See tuf-mirror.ts. */
export async function newestRoot(folder: string): Promise<Uint8Array | undefined> {
  const mirror = await import('./tuf-mirror.ts');
  return mirror.newestRoot(folder);
}
