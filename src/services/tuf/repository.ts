/** A TUF repository that signs for itself: publish when targets change, renew before signatures expire. */
import { join } from 'node:path';
import { Metadata, type MetadataKind, type Root } from '@tufjs/models';
import { toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail, WaybillError } from '#base/reason';
import { attempt } from '#base/result';
import { Turns } from '#base/turns';
import { openRepository } from '#trust';
import {
  lifetimesDefault,
  type TufConfig,
  type TufLifetimes,
  type TufRoleName,
  type TufSelfCheck,
} from './config.ts';
import { firstKeys, type KeyRing, openKeyRing, rolesOf, type TufKey, type TufSigner } from './keys.ts';
import {
  newRoot,
  roleKeys,
  signed,
  snapshotMetadata,
  type TufTarget,
  targetsMetadata,
  timestampMetadata,
} from './metadata.ts';
import {
  type Current,
  isSame,
  keptTargets,
  readCurrent,
  type SignedRole,
  signedRoles,
  versionNoneHad,
  withoutTimestamp,
} from './published.ts';
import { R } from './reasons.ts';
import { followingRoot, rootIn } from './roots.ts';
import { type Files, openTufStore, type TufStore, targetName } from './store.ts';

export interface TufStatus {
  readonly rootVersion: number;
  readonly timestampVersion: number;
  readonly snapshotVersion: number;
  readonly targetsVersion: number;
  /** Milliseconds since the epoch, by role. */
  readonly expires: Readonly<Record<TufRoleName, number>>;
  readonly targets: readonly string[];
  /** False when the root's keys lie elsewhere: it is renewed by a ceremony. */
  readonly canSignRoot: boolean;
}

export interface Tuf {
  /** Makes exactly these the targets. Returns false when they were published already. */
  publish(targets: readonly TufTarget[]): Promise<boolean>;
  /** Signs again what has lived half its time. Returns the roles signed. */
  renew(): Promise<readonly string[]>;
  /** Gives the online roles, or root and targets, new keys. Throws WB-1064 without enough root keys here. */
  rotate(kind: 'online' | 'root'): Promise<number>;
  /**
   * Signs targets, snapshot and timestamp with versions that none before can have had: for a repository that came back
   * from a backup, so that clients who know what was published after it follow.
   */
  outrun(): Promise<void>;
  /** Publishes a root that was signed elsewhere. Throws WB-1065 when it does not follow, WB-1061 without our keys. */
  accept(root: Uint8Array): Promise<number>;
  /** A published file by its path below the mirror. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** The first root: what clients pin. */
  initialRoot(): Promise<Uint8Array>;
  /** The newest root, undefined before anything was published. */
  newestRoot(): Promise<Uint8Array | undefined>;
  status(): Promise<TufStatus | undefined>;
  close(): Promise<void>;
}

/** What the next publication changes; what depends on it follows. */
interface Change {
  /** The root from now on, and its bytes when it is new. */
  readonly root: Root;
  readonly rootBytes?: Uint8Array;
  readonly targets?: readonly TufTarget[];
  readonly again?: ReadonlySet<SignedRole>;
  /** What is signed gets a later version than this. */
  readonly past?: number;
}

export async function createTuf(config: TufConfig): Promise<Tuf> {
  const ring = await openKeyRing(join(config.dir, 'keys'), config);
  const repository = new Repository(config, ring, openTufStore(config.dir));
  await repository.requireOwnKeys();
  await repository.countOn();
  return repository;
}

class Repository implements Tuf {
  readonly #config: TufConfig;
  readonly #ring: KeyRing;
  readonly #store: TufStore;
  readonly #lifetimes: TufLifetimes;
  /** Publications one after the other. */
  readonly #turns = new Turns();

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

  async newestRoot(): Promise<Uint8Array | undefined> {
    const version = await this.#store.latest('root');
    return version === 0 ? undefined : this.#store.read(`${version}.root.json`);
  }

  publish(targets: readonly TufTarget[]): Promise<boolean> {
    return this.#turns.run(() => this.#publish(targets));
  }

  renew(): Promise<readonly string[]> {
    return this.#turns.run(() => this.#renew());
  }

  rotate(kind: 'online' | 'root'): Promise<number> {
    return this.#turns.run(() => this.#rotate(kind));
  }

  outrun(): Promise<void> {
    return this.#turns.run(async () => {
      const [now, root] = await Promise.all([readCurrent(this.#store), this.#root()]);
      if (now === undefined || root === undefined) return;
      const past = versionNoneHad(this.#config.clock.now());
      await this.#commit(now, { root, again: new Set(signedRoles), past });
    });
  }

  accept(root: Uint8Array): Promise<number> {
    return this.#turns.run(() => this.#accept(root));
  }

  close(): Promise<void> {
    return this.#turns.settled();
  }

  async status(): Promise<TufStatus | undefined> {
    const [now, root] = await Promise.all([readCurrent(this.#store), this.#root()]);
    if (now === undefined || root === undefined) return undefined;
    return {
      rootVersion: root.version,
      timestampVersion: now.timestamp.integer('version'),
      snapshotVersion: now.snapshot.integer('version'),
      targetsVersion: now.targets.integer('version'),
      expires: {
        root: Date.parse(root.expires),
        targets: now.targets.time('expires'),
        snapshot: now.snapshot.time('expires'),
        timestamp: now.timestamp.time('expires'),
      },
      targets: Object.keys(now.targets.child('targets').object),
      canSignRoot: this.#canSign(root, 'root'),
    };
  }

  /** Throws WB-1061 when the newest root names other keys: signing with ours would publish nonsense. */
  async requireOwnKeys(): Promise<void> {
    const root = await this.#root();
    if (root !== undefined) this.#requireSigners(root);
  }

  /** Signs a timestamp in the place of one that is gone. Throws WB-1066 when other metadata is. */
  async countOn(): Promise<void> {
    const now = await withoutTimestamp(this.#store, this.#config.clock.now());
    const root = await this.#root();
    if (now === undefined || root === undefined) return;
    await this.#commit(now, { root, again: new Set(['timestamp']) });
  }

  #requireSigners(root: Root): void {
    const missing = signedRoles.filter((role) => !this.#canSign(root, role));
    if (missing.length === 0) return;
    const actual = `not enough for ${missing.join(', ')}`;
    throw fail(R.keys, { expected: `the keys of root version ${root.version}`, actual });
  }

  #signers(root: Root, role: TufRoleName): readonly TufSigner[] {
    const ids = new Set(root.roles[role]?.keyIDs);
    return this.#ring.held.filter(({ id }) => ids.has(id));
  }

  #canSign(root: Root, role: TufRoleName): boolean {
    return this.#signers(root, role).length >= (root.roles[role]?.threshold ?? Infinity);
  }

  /** The newest root, read from what is published. */
  async #root(): Promise<Root | undefined> {
    const bytes = await this.newestRoot();
    const root = bytes && attempt(() => rootIn(bytes).signed);
    if (root === undefined || root.ok) return root?.value;
    const expected = `metadata/${await this.#store.latest('root')}.root.json, as it was published`;
    throw fail(R.metadata, { expected, actual: root.error.actual });
  }

  async #publish(targets: readonly TufTarget[]): Promise<boolean> {
    for (const { name } of targets) {
      if (targetName.test(name)) continue;
      throw fail(R.targetName, { expected: 'a plain file name', actual: JSON.stringify(name) });
    }
    const now = await readCurrent(this.#store);
    if (now !== undefined && isSame(now.targets, targets)) return false;
    const root = await this.#root();
    await this.#commit(now, root === undefined ? { ...(await this.#first()), targets } : { root, targets });
    return true;
  }

  async #first(): Promise<Pick<Change, 'root' | 'rootBytes'>> {
    const keys = await firstKeys(this.#ring, this.#config.rootKeys ?? 3);
    const threshold = (role: TufRoleName): number =>
      role === 'root' || role === 'targets' ? (this.#config.threshold ?? 2) : 1;
    const roles = roleKeys((role) => ({ keys: keys[role], threshold: threshold(role) }));
    const root = newRoot(roles, { version: 1, expires: this.#until('root') });
    return { root, rootBytes: await signed(root, this.#signers(root, 'root')) };
  }

  async #renew(): Promise<readonly string[]> {
    const [now, before] = await Promise.all([readCurrent(this.#store), this.#root()]);
    if (now === undefined || before === undefined) return [];
    const at = this.#config.clock.now();
    const isOld = (expires: number, role: TufRoleName): boolean => expires - at < this.#lifetimes[role] / 2;
    const isRootDue = isOld(Date.parse(before.expires), 'root') && this.#canSign(before, 'root');
    const change: Change = isRootDue ? await this.#nextRoot(before, {}) : { root: before };
    const again = new Set<SignedRole>();
    for (const role of signedRoles) {
      // A crash between a new root and what its new keys sign leaves metadata of the old ones.
      const isDue = isOld(now[role].time('expires'), role) || !(await this.#isSigned(change.root, role, now));
      if (isDue) again.add(role);
    }
    const due = [...(isRootDue ? ['root'] : []), ...again];
    if (due.length > 0) await this.#commit(now, { ...change, again });
    return due;
  }

  async #rotate(kind: 'online' | 'root'): Promise<number> {
    const [now, before] = await Promise.all([readCurrent(this.#store), this.#root()]);
    if (now === undefined || before === undefined) {
      throw fail(R.notFound, { expected: 'a repository', actual: 'nothing published' });
    }
    if (!this.#canSign(before, 'root')) {
      const expected = `${before.roles['root']?.threshold} keys of the root`;
      const actual = `${this.#signers(before, 'root').length} here`;
      throw fail(R.ceremony, { expected, actual });
    }
    // A key that an interrupted rotation made is taken up again.
    const base = `${kind}-v${before.version + 1}`;
    const count = kind === 'online' ? 1 : (before.roles['root']?.keyIDs.length ?? 1);
    const made: TufKey[] = [];
    for (let index = 1; index <= count; index++) {
      made.push(await this.#ring.make(kind === 'online' ? base : `${base}-${index}`));
    }
    const change = await this.#nextRoot(
      before,
      Object.fromEntries(rolesOf(kind).map((role) => [role, made])),
    );
    const again = new Set(signedRoles.filter((role) => rolesOf(kind).includes(role)));
    await this.#commit(now, { ...change, again });
    return change.root.version;
  }

  async #accept(bytes: Uint8Array): Promise<number> {
    const [now, before] = [await readCurrent(this.#store), await this.newestRoot()];
    if (now === undefined || before === undefined) {
      throw fail(R.notFound, { expected: 'a repository', actual: 'nothing published' });
    }
    const next = followingRoot(rootIn(before), bytes);
    this.#requireSigners(next);
    const again = new Set<SignedRole>();
    for (const role of signedRoles) if (!(await this.#isSigned(next, role, now))) again.add(role);
    await this.#commit(now, { root: next, rootBytes: bytes, again });
    return next.version;
  }

  /** The next version with other keys where some are given, signed by the old root's keys and its own. */
  async #nextRoot(
    before: Root,
    keys: Partial<Record<TufRoleName, readonly TufKey[]>>,
  ): Promise<{ readonly root: Root; readonly rootBytes: Uint8Array }> {
    const kept = (role: TufRoleName): readonly TufKey[] =>
      (before.roles[role]?.keyIDs ?? []).flatMap((id) => {
        const key = before.keys[id];
        return key === undefined ? [] : [{ id, key }];
      });
    const roles = roleKeys((role) => ({
      keys: keys[role] ?? kept(role),
      threshold: before.roles[role]?.threshold ?? 1,
    }));
    const root = newRoot(roles, { version: before.version + 1, expires: this.#until('root') });
    const signers = new Set([...this.#signers(before, 'root'), ...this.#signers(root, 'root')]);
    return { root, rootBytes: await signed(root, [...signers]) };
  }

  #until(role: TufRoleName): number {
    return this.#config.clock.now() + this.#lifetimes[role];
  }

  async #isSigned(root: Root, role: SignedRole, now: Current): Promise<boolean> {
    const prefix = role === 'timestamp' ? '' : `${now[role].integer('version')}.`;
    const bytes = await this.#store.read(`${prefix}${role}.json`);
    if (bytes === undefined) return false;
    const json = JSON.parse(Buffer.from(bytes).toString()) as never;
    try {
      new Metadata(root).verifyDelegate(role, Metadata.fromJSON(role as MetadataKind.Targets, json));
      return true;
    } catch {
      return false;
    }
  }

  /** Publishes a change and what follows from it. Nothing is visible before the whole has verified. */
  async #commit(now: Current | undefined, change: Change): Promise<void> {
    const { root, rootBytes, again = new Set() } = change;
    const files = new Map<string, Uint8Array>();
    if (rootBytes !== undefined) files.set(`${root.version}.root.json`, rootBytes);
    const version = (role: SignedRole): number =>
      Math.max(now?.[role].integer('version') ?? 0, change.past ?? 0);
    const about = (role: SignedRole) => ({ version: version(role) + 1, expires: this.#until(role) });
    const listed =
      change.targets ??
      (again.has('targets') && now !== undefined ? await keptTargets(this.#store, now.targets) : undefined);
    let targetsV = version('targets');
    if (listed !== undefined) {
      for (const { name, bytes } of listed) files.set(`targets/${toHex(sha256(bytes))}.${name}`, bytes);
      targetsV += 1;
      files.set(
        `${targetsV}.targets.json`,
        await targetsMetadata(this.#signers(root, 'targets'), listed, about('targets')),
      );
    }
    let snapshotV = version('snapshot');
    if (listed !== undefined || again.has('snapshot')) {
      snapshotV += 1;
      const signers = this.#signers(root, 'snapshot');
      files.set(`${snapshotV}.snapshot.json`, await snapshotMetadata(signers, targetsV, about('snapshot')));
    }
    if (snapshotV !== version('snapshot') || again.has('timestamp')) {
      const signers = this.#signers(root, 'timestamp');
      files.set('timestamp.json', await timestampMetadata(signers, snapshotV, about('timestamp')));
    }
    const names = listed?.map(({ name }) => name) ?? Object.keys(now?.targets.child('targets').object ?? {});
    await this.#check(files, names);
    await this.#store.write(files);
  }

  async #check(files: Files, targetNames: readonly string[]): Promise<void> {
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
  }
}

const checkWithClient: TufSelfCheck = async (root, read, targetNames) => {
  const repository = await openRepository(root, { read });
  for (const name of targetNames) {
    if ((await repository.target(name)) !== undefined) continue;
    throw fail(R.selfCheck, { expected: `target ${name}`, actual: 'a client does not find it' });
  }
};
