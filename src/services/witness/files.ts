/**
 * The key of a witness and its memory, which belong together: a key without what it cosigned would cosign a fork.
 * The memory is made before the key, so that a start that breaks off leaves no key without it.
 */
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { PrivateKey } from '#base/crypto';
import { fail } from '#base/reason';
import { syncFolder } from '#platform/files';
import { fileKeyStore } from '#platform/key-store';
import { R } from './reasons.ts';
import { hasWitnessStore, openWitnessStore } from './store.ts';

export interface WitnessFiles {
  readonly key: PrivateKey;
  readonly stateFile: string;
}

const KEY = 'witness';
const MEMORY = 'seen.db';

/**
 * Those in `dir`, made at its first start. With `isNewKey` what is there is put aside, as `….before-MILLISECONDS`, and
 * a new key begins with an empty memory. Throws WB-1197 when one of the two is there without the other.
 */
export async function openWitnessFiles(
  dir: string,
  { isNewKey, now }: { readonly isNewKey: boolean; readonly now: number },
): Promise<WitnessFiles> {
  const keys = fileKeyStore(join(dir, 'keys'));
  const stateFile = join(dir, MEMORY);
  if (isNewKey) await putAside(dir, now);
  const [key, hasMemory] = [await keys.findKey(KEY), hasWitnessStore(stateFile)];
  if (key !== undefined && !hasMemory) {
    const expected = `what this key cosigned, in ${stateFile}`;
    throw fail(R.memory, { expected, actual: existsSync(stateFile) ? 'an empty file' : 'no such file' });
  }
  const memory = openWitnessStore(stateFile);
  const hasCosigned = memory.newestTime() > 0;
  memory.close();
  if (key === undefined && hasCosigned) {
    const expected = `the key that cosigned what ${stateFile} remembers`;
    throw fail(R.memory, { expected, actual: `no ${KEY}.key in ${join(dir, 'keys')}` });
  }
  return { key: key ?? (await keys.openKey(KEY, 'ed25519')), stateFile };
}

/** The key first: what is left when this breaks off is a memory without its key, which begins nothing. */
async function putAside(dir: string, now: number): Promise<void> {
  for (const name of [join('keys', `${KEY}.key`), MEMORY, `${MEMORY}-wal`, `${MEMORY}-shm`]) {
    const path = join(dir, name);
    if (!existsSync(path)) continue;
    await rename(path, `${path}.before-${now}`);
    await syncFolder(join(path, '..'));
  }
}
