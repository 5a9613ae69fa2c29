/** What a repository has published, read back. */
import { toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail } from '#base/reason';
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
  const expected = `metadata/${path}, as it was published`;
  if (bytes === undefined) throw fail(R.metadata, { expected, actual: 'no such file' });
  const json = parseJson(bytes);
  if (!json.ok) throw fail(R.metadata, { expected, actual: `no JSON: ${json.error.actual}` });
  return reader(json.value, `metadata/${path}`, { as: R.metadata }).child('signed');
}

/**
 * A repository whose `timestamp.json` is gone, as it was last published: the newest snapshot and targets, and a version
 * of the timestamp that none can have had, so that clients who know the lost one follow. Undefined when nothing was
 * published, or the timestamp is there. Throws WB-1066 when more is gone.
 */
export async function withoutTimestamp(store: TufStore, now: number): Promise<Current | undefined> {
  const [root, targets, snapshot] = [
    await store.latest('root'),
    await store.latest('targets'),
    await store.latest('snapshot'),
  ];
  const hasTimestamp = (await store.read('timestamp.json')) !== undefined;
  if (root === 0 && (hasTimestamp || targets > 0 || snapshot > 0)) throw gone('1.root.json');
  for (let version = 1; version <= root; version++) {
    if ((await store.read(`${version}.root.json`)) === undefined) throw gone(`${version}.root.json`);
  }
  if (hasTimestamp) return undefined;
  // A first publication that broke off wrote the first versions, and no client saw them.
  if (snapshot === 0 && targets <= 1 && root <= 1) return undefined;
  if (snapshot === 0) throw gone('timestamp.json and the snapshots');
  const listed = await signedFile(store, `${snapshot}.snapshot.json`);
  const version = listed.child('meta').child('targets.json').integer('version');
  const lost = { version: Math.max(snapshot, versionNoneHad(now)) };
  return {
    targets: await signedFile(store, `${version}.targets.json`),
    snapshot: listed,
    timestamp: reader(lost, 'metadata/timestamp.json', { as: R.metadata }),
  };
}

/**
 * A version that no repository counts up to: nobody publishes every ten seconds since 1970. It has nine digits until the
 * year 2286, as far as names of files go.
 */
export const versionNoneHad = (now: number): number => Math.floor(now / 10_000);

const gone = (name: string): Error =>
  fail(R.metadata, { expected: `metadata/${name}, as it was published`, actual: 'no such file' });

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
