/** What a repository has published, read back. */
import { toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { isJsonObject, type JsonReader, own, parseJson, reader } from '#formats/json';
import type { TufTarget } from './metadata.ts';
import { R } from './reasons.ts';
import type { TufStore } from './store.ts';

/** The signed parts of what clients see now. */
export interface Current {
  readonly targets: JsonReader;
  readonly snapshot: JsonReader;
  readonly timestamp: JsonReader;
}

export type SignedRole = keyof Current;
export const signedRoles = ['targets', 'snapshot', 'timestamp'] as const;

export async function readCurrent(store: TufStore): Promise<Current | undefined> {
  if ((await store.read('timestamp.json')) === undefined) return undefined;
  const timestamp = await signedFile(store, 'timestamp.json');
  const snapshotV = timestamp.child('meta').child('snapshot.json').integer('version');
  const snapshot = await signedFile(store, `${snapshotV}.snapshot.json`);
  const targetsV = snapshot.child('meta').child('targets.json').integer('version');
  const targets = await signedFile(store, `${targetsV}.targets.json`);
  return { targets, snapshot, timestamp };
}

async function signedFile(store: TufStore, path: string): Promise<JsonReader> {
  const bytes = await store.read(path);
  if (bytes === undefined) throw fail(R.notFound, { expected: path, actual: 'not there' });
  return reader(unwrap(parseJson(bytes)), path).child('signed');
}

/** The targets that are listed, with their bytes. Throws WB-1062 when one is not there. */
export function keptTargets(store: TufStore, metadata: JsonReader): Promise<TufTarget[]> {
  const listed = metadata.child('targets');
  return Promise.all(
    Object.keys(listed.object).map(async (name) => {
      const hash = listed.child(name).child('hashes').string('sha256');
      const bytes = await store.read(`targets/${hash}.${name}`);
      if (bytes === undefined) throw fail(R.notFound, { expected: `target ${name}`, actual: 'not there' });
      const custom = own(listed.child(name).object, 'custom');
      return { name, bytes, ...(isJsonObject(custom) ? { custom } : {}) };
    }),
  );
}

export function isSame(metadata: JsonReader, targets: readonly TufTarget[]): boolean {
  const listed = metadata.child('targets');
  const names = Object.keys(listed.object);
  if (names.length !== targets.length) return false;
  return targets.every(({ name, bytes, custom }) => {
    if (!listed.has(name)) return false;
    const entry = listed.child(name);
    const kept = own(entry.object, 'custom');
    return (
      entry.child('hashes').string('sha256') === toHex(sha256(bytes)) &&
      JSON.stringify(kept) === JSON.stringify(custom)
    );
  });
}
