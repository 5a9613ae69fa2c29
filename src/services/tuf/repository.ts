/** A TUF repository that signs for itself: publish when targets change, renew before signatures expire. */
import { join } from 'node:path';
import { toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { isJsonObject, type JsonReader, own, parseJson, reader } from '#formats/json';
import { openRepository } from '#trust';
import { lifetimesDefault, type TufConfig, type TufLifetimes, type TufSelfCheck } from './config.ts';
import { type KeyRing, openKeyRing } from './keys.ts';
import {
  rootMetadata,
  snapshotMetadata,
  type TufTarget,
  targetsMetadata,
  timestampMetadata,
} from './metadata.ts';
import { R } from './reasons.ts';
import { type Files, openTufStore, type TufStore, targetName } from './store.ts';

export interface TufStatus {
  readonly rootVersion: number;
  readonly timestampVersion: number;
  readonly snapshotVersion: number;
  readonly targetsVersion: number;
  /** Milliseconds since the epoch, by role. */
  readonly expires: Readonly<Record<'root' | 'targets' | 'snapshot' | 'timestamp', number>>;
  readonly targets: readonly string[];
}

export interface Tuf {
  /** Makes exactly these the targets. Returns false when they were published already. */
  publish(targets: readonly TufTarget[]): Promise<boolean>;
  /** Signs again what has lived half its time. Returns the roles signed. */
  renew(): Promise<readonly string[]>;
  /** A published file by its path below the mirror. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** The first root: what clients pin. */
  initialRoot(): Promise<Uint8Array>;
  status(): Promise<TufStatus | undefined>;
  close(): Promise<void>;
}

/** What is published now. */
interface Current {
  readonly root: JsonReader;
  readonly targets: JsonReader;
  readonly snapshot: JsonReader;
  readonly timestamp: JsonReader;
}

export async function createTuf(config: TufConfig): Promise<Tuf> {
  const ring = await openKeyRing(join(config.dir, 'keys'), config.rootKeys ?? 3);
  const repository = new Repository(config, ring, openTufStore(config.dir));
  await repository.requireOwnKeys();
  return repository;
}

class Repository implements Tuf {
  readonly #config: TufConfig;
  readonly #ring: KeyRing;
  readonly #store: TufStore;
  readonly #lifetimes: TufLifetimes;
  /** Publications one after the other. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(config: TufConfig, ring: KeyRing, store: TufStore) {
    this.#config = config;
    this.#ring = ring;
    this.#store = store;
    this.#lifetimes = { ...lifetimesDefault, ...config.lifetimes };
  }

  read(path: string): Promise<Uint8Array | undefined> {
    return this.#store.read(path);
  }

  async initialRoot(): Promise<Uint8Array> {
    const root = await this.#store.read('1.root.json');
    if (root === undefined) throw fail(R.notFound, { expected: '1.root.json', actual: 'nothing published' });
    return root;
  }

  publish(targets: readonly TufTarget[]): Promise<boolean> {
    return this.#inTurn(() => this.#publish(targets));
  }

  renew(): Promise<readonly string[]> {
    return this.#inTurn(() => this.#renew());
  }

  async close(): Promise<void> {
    await this.#tail;
  }

  async status(): Promise<TufStatus | undefined> {
    const now = await this.#current();
    if (now === undefined) return undefined;
    return {
      rootVersion: now.root.integer('version'),
      timestampVersion: now.timestamp.integer('version'),
      snapshotVersion: now.snapshot.integer('version'),
      targetsVersion: now.targets.integer('version'),
      expires: {
        root: now.root.time('expires'),
        targets: now.targets.time('expires'),
        snapshot: now.snapshot.time('expires'),
        timestamp: now.timestamp.time('expires'),
      },
      targets: Object.keys(now.targets.child('targets').object),
    };
  }

  /** Throws WB-1061 when the newest root names other keys: signing with ours would publish nonsense. */
  async requireOwnKeys(): Promise<void> {
    const version = await this.#store.latestRoot();
    if (version === 0) return;
    const root = await this.#signed(`${version}.root.json`);
    const named = new Set(Object.keys(root.child('keys').object));
    const missing = [...this.#ring.root, this.#ring.online].filter((key) => !named.has(key.id));
    if (missing.length === 0) return;
    const actual = `${missing.map((key) => key.name).join(', ')} not among them`;
    throw fail(R.keys, { expected: `the keys of root version ${version}`, actual });
  }

  async #publish(targets: readonly TufTarget[]): Promise<boolean> {
    for (const { name } of targets) {
      if (targetName.test(name)) continue;
      throw fail(R.targetName, { expected: 'a plain file name', actual: JSON.stringify(name) });
    }
    const now = await this.#current();
    if (now !== undefined && isSame(now.targets, targets)) return false;
    const at = this.#config.clock.now();
    const expires = (role: keyof TufLifetimes): number => at + this.#lifetimes[role];
    const next = (role: keyof Current): number => (now?.[role].integer('version') ?? 0) + 1;
    const files = new Map<string, Uint8Array>();
    if (now === undefined) files.set('1.root.json', this.#root(1));
    for (const { name, bytes } of targets) files.set(`targets/${toHex(sha256(bytes))}.${name}`, bytes);
    const [targetsV, snapshotV, timestampV] = [next('targets'), next('snapshot'), next('timestamp')];
    const about = { version: targetsV, expires: expires('targets') };
    files.set(`${targetsV}.targets.json`, targetsMetadata(this.#ring, targets, about));
    files.set(
      `${snapshotV}.snapshot.json`,
      snapshotMetadata(this.#ring, targetsV, { version: snapshotV, expires: expires('snapshot') }),
    );
    files.set(
      'timestamp.json',
      timestampMetadata(this.#ring, snapshotV, { version: timestampV, expires: expires('timestamp') }),
    );
    await this.#commit(
      files,
      targets.map((target) => target.name),
    );
    return true;
  }

  async #renew(): Promise<readonly string[]> {
    const now = await this.#current();
    if (now === undefined) return [];
    const at = this.#config.clock.now();
    const isDue = (role: keyof Current): boolean =>
      now[role].time('expires') - at < this.#lifetimes[role] / 2;
    const version = (role: keyof Current): number => now[role].integer('version');
    const files = new Map<string, Uint8Array>();
    const renewed: string[] = [];
    if (isDue('root')) {
      files.set(`${version('root') + 1}.root.json`, this.#root(version('root') + 1));
      renewed.push('root');
    }
    let targetsV = version('targets');
    if (isDue('targets')) {
      targetsV += 1;
      const about = { version: targetsV, expires: at + this.#lifetimes.targets };
      const kept = await this.#keptTargets(now.targets);
      files.set(`${targetsV}.targets.json`, targetsMetadata(this.#ring, kept, about));
      renewed.push('targets');
    }
    let snapshotV = version('snapshot');
    if (isDue('snapshot') || targetsV !== version('targets')) {
      snapshotV += 1;
      const about = { version: snapshotV, expires: at + this.#lifetimes.snapshot };
      files.set(`${snapshotV}.snapshot.json`, snapshotMetadata(this.#ring, targetsV, about));
      renewed.push('snapshot');
    }
    if (isDue('timestamp') || snapshotV !== version('snapshot')) {
      const about = { version: version('timestamp') + 1, expires: at + this.#lifetimes.timestamp };
      files.set('timestamp.json', timestampMetadata(this.#ring, snapshotV, about));
      renewed.push('timestamp');
    }
    if (renewed.length > 0) await this.#commit(files, Object.keys(now.targets.child('targets').object));
    return renewed;
  }

  #root(version: number): Uint8Array {
    const expires = this.#config.clock.now() + this.#lifetimes.root;
    return rootMetadata(this.#ring, this.#config.threshold ?? 2, { version, expires });
  }

  /** Nothing is visible to clients before the whole has verified from the first root. */
  async #commit(files: Files, targetNames: readonly string[]): Promise<void> {
    const read = async (path: string): Promise<Uint8Array | undefined> =>
      files.get(path) ?? this.#store.read(path);
    const root = await read('1.root.json');
    if (root === undefined) throw fail(R.selfCheck, { expected: '1.root.json', actual: 'not there' });
    try {
      await (this.#config.selfCheck ?? checkWithClient)(root, read, targetNames);
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      const { expected, actual } = error.reason;
      throw fail(R.selfCheck, { expected, actual }, error);
    }
    await this.#store.write(files);
  }

  async #current(): Promise<Current | undefined> {
    if ((await this.#store.read('timestamp.json')) === undefined) return undefined;
    const timestamp = await this.#signed('timestamp.json');
    const snapshotV = timestamp.child('meta').child('snapshot.json').integer('version');
    const snapshot = await this.#signed(`${snapshotV}.snapshot.json`);
    const targetsV = snapshot.child('meta').child('targets.json').integer('version');
    const targets = await this.#signed(`${targetsV}.targets.json`);
    const root = await this.#signed(`${await this.#store.latestRoot()}.root.json`);
    return { root, targets, snapshot, timestamp };
  }

  async #signed(path: string): Promise<JsonReader> {
    const bytes = await this.#store.read(path);
    if (bytes === undefined) throw fail(R.notFound, { expected: path, actual: 'not there' });
    return reader(unwrap(parseJson(bytes)), path).child('signed');
  }

  async #keptTargets(metadata: JsonReader): Promise<TufTarget[]> {
    const listed = metadata.child('targets');
    return Promise.all(
      Object.keys(listed.object).map(async (name) => {
        const hash = listed.child(name).child('hashes').string('sha256');
        const bytes = await this.#store.read(`targets/${hash}.${name}`);
        if (bytes === undefined) throw fail(R.notFound, { expected: `target ${name}`, actual: 'not there' });
        const custom = own(listed.child(name).object, 'custom');
        return { name, bytes, ...(isJsonObject(custom) ? { custom } : {}) };
      }),
    );
  }

  #inTurn<T>(body: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(body, body);
    this.#tail = turn.catch(() => {});
    return turn;
  }
}

function isSame(metadata: JsonReader, targets: readonly TufTarget[]): boolean {
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

const checkWithClient: TufSelfCheck = async (root, read, targetNames) => {
  const repository = await openRepository(root, { read });
  for (const name of targetNames) {
    if ((await repository.target(name)) !== undefined) continue;
    throw fail(R.selfCheck, { expected: `target ${name}`, actual: 'a client does not find it' });
  }
};
