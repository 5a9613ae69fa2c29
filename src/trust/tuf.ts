/** The TUF client's door: the client itself is large, and most commands never need it. */
import type { TufMemory, TufRepository, TufSource } from './tuf-types.ts';

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
