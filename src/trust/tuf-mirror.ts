/**
 * A verified copy of a whole TUF repository in a folder, laid out so that any web server can serve it. Every
 * role, delegated ones too, and every target is checked before a byte of it is visible; `timestamp.json` is
 * written last, so that a crash or a refusal leaves the copy as it was.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metadata, MetadataKind, type Targets } from '@tufjs/models';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseJson } from '#formats/json';
import { readFileIfThere, writeFileDurable } from '#platform/files';
import { R } from './reasons.ts';
import { initTufFolder, withTufFolder } from './tuf-folder.ts';
import { refuseSharedKeys } from './tuf-keys.ts';
import { encodePath, isTarget, targetHashes, targetPath } from './tuf-target.ts';
import type { TufSource } from './tuf-types.ts';

export interface MirrorOptions {
  /** The root the copy is verified from; the newest one the folder holds may be given again. */
  readonly root: Uint8Array;
  readonly source: TufSource;
  /** Becomes `N.root.json`, `timestamp.json`, `V.<role>.json` and `targets/`. */
  readonly folder: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly progress?: (line: string) => void;
}

export interface MirrorResult {
  readonly rootVersion: number;
  /** Roles whose files were verified, top-level ones first. */
  readonly roles: readonly string[];
  readonly targets: number;
  /** Paths below the folder that are new. */
  readonly written: readonly string[];
}

/** What a folder's web server needs to know of a copy: the names any TUF client asks for. */
const plainRole = /^[A-Za-z0-9._-]{1,200}$/;

/** Brings the copy up to date. Throws WB-601 when anything does not verify, or what the source throws. */
export async function mirrorRepository(options: MirrorOptions): Promise<MirrorResult> {
  const state = await mkdtemp(join(tmpdir(), 'waybill-mirror-'));
  try {
    await initTufFolder(state, options.root);
    await seed(state, options.folder);
    await withTufFolder({ folder: state, source: options.source }, async () => {});
    return await new Copy(options, state).make();
  } finally {
    await rm(state, { recursive: true, force: true });
  }
}

/** The newest root a copy holds: where its next update starts. Undefined when there is no copy yet. */
export async function newestRoot(folder: string): Promise<Uint8Array | undefined> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const newest = Math.max(0, ...names.map((name) => Number(/^(\d+)\.root\.json$/.exec(name)?.[1] ?? 0)));
  return newest === 0 ? undefined : readFileIfThere(join(folder, `${newest}.root.json`));
}

/** What the copy holds already is what a newer version is compared with: it never goes back. */
async function seed(state: string, folder: string): Promise<void> {
  const timestamp = await readFileIfThere(join(folder, 'timestamp.json'));
  if (timestamp === undefined) return;
  await writeFileDurable(join(state, 'timestamp.json'), timestamp);
  const version = metaVersion(timestamp, 'snapshot.json');
  const snapshot = await readFileIfThere(join(folder, `${version}.snapshot.json`));
  if (snapshot !== undefined) await writeFileDurable(join(state, 'snapshot.json'), snapshot);
}

function metaVersion(bytes: Uint8Array, name: string): number {
  const { signed } = JSON.parse(Buffer.from(bytes).toString()) as {
    signed: { meta: Record<string, { version: number }> };
  };
  return signed.meta[name]?.version ?? 0;
}

type AnyTargets = Metadata<Targets>;
type JSONObject = Parameters<typeof Metadata.fromJSON>[1];

class Copy {
  readonly #options: MirrorOptions;
  readonly #state: string;
  /** In the order they are written. */
  readonly #files = new Map<string, Uint8Array>();
  readonly #roles = new Map<string, AnyTargets>();
  #targets = 0;

  constructor(options: MirrorOptions, state: string) {
    this.#options = options;
    this.#state = state;
  }

  async make(): Promise<MirrorResult> {
    const root = Metadata.fromJSON(MetadataKind.Root, await this.#verified('root'));
    const snapshot = Metadata.fromJSON(MetadataKind.Snapshot, await this.#verified('snapshot'));
    const targets = Metadata.fromJSON(MetadataKind.Targets, await this.#verified('targets'));
    if (!root.signed.consistentSnapshot) {
      throw fail(R.tuf, { expected: 'a repository with consistent snapshots', actual: 'one without' });
    }
    const versions = snapshot.signed.meta;
    this.#roles.set('targets', targets);
    const metadata = new Map<string, Uint8Array>();
    metadata.set(`${targets.signed.version}.targets.json`, await this.#stateFile('targets'));
    await this.#delegated(targets, versions, metadata);
    for (const role of this.#roles.values()) await this.#targetsOf(role);
    for (const [name, bytes] of metadata) this.#files.set(name, bytes);
    this.#files.set(`${snapshot.signed.version}.snapshot.json`, await this.#stateFile('snapshot'));
    await this.#rootChain(root.signed.version);
    this.#files.set('timestamp.json', await this.#stateFile('timestamp'));
    return {
      rootVersion: root.signed.version,
      roles: ['root', 'timestamp', 'snapshot', ...this.#roles.keys()],
      targets: this.#targets,
      written: await this.#write(),
    };
  }

  #stateFile(role: string): Promise<Uint8Array> {
    return readFile(join(this.#state, `${role}.json`));
  }

  async #verified(role: string): Promise<JSONObject> {
    return unwrap(parseJson(await this.#stateFile(role))) as JSONObject;
  }

  /** Every role below `parent`, each verified by the role that delegates to it. */
  async #delegated(
    parent: AnyTargets,
    versions: Readonly<Record<string, { version: number; verify(data: Buffer): void }>>,
    metadata: Map<string, Uint8Array>,
  ): Promise<void> {
    for (const name of Object.keys(parent.signed.delegations?.roles ?? {})) {
      if (this.#roles.has(name)) continue;
      if (this.#roles.size >= limits.tufRootRotations) {
        const expected = `at most ${limits.tufRootRotations} delegated roles`;
        throw fail(R.tuf, { expected, actual: 'more' });
      }
      const meta = versions[`${name}.json`];
      if (meta === undefined) continue;
      if (!plainRole.test(name)) {
        const expected = 'a role name that is a file name';
        throw fail(R.tuf, { expected, actual: JSON.stringify(name) });
      }
      const path = `${meta.version}.${name}.json`;
      const bytes = await this.#read(path, limits.tufMetadataBytes);
      const role = verifyRole(parent, name, bytes, meta, this.#options.now);
      this.#roles.set(name, role);
      metadata.set(path, bytes);
      this.#options.progress?.(`role ${name}, version ${meta.version}`);
      await this.#delegated(role, versions, metadata);
    }
  }

  async #targetsOf(role: AnyTargets): Promise<void> {
    for (const target of Object.values(role.signed.targets)) {
      // Clients choose any of the hashes.
      const names = targetHashes(target).map((hash) => targetPath(target.path, hash));
      const there = await readFileIfThere(join(this.#options.folder, names[0] as string));
      const known = there !== undefined && (await isTarget(target, there));
      const bytes = known ? there : await this.#read(encodePath(names[0] as string), target.length);
      if (!(await isTarget(target, bytes))) {
        const expected = `${target.path} of ${target.length} bytes with the hash listed`;
        throw fail(R.tuf, { expected, actual: `${bytes.length} bytes with another` });
      }
      for (const name of names) this.#files.set(name, bytes);
      this.#targets += 1;
      if (!known) this.#options.progress?.(`target ${target.path}, ${bytes.length} bytes`);
    }
  }

  /** All roots from the first one on, as far as each is signed by the one before: clients walk them. */
  async #rootChain(newest: number): Promise<void> {
    const chain: Uint8Array[] = [];
    let before: Metadata<never> | undefined;
    for (let version = 1; version <= newest; version++) {
      const bytes = await this.#options.source.read(`${version}.root.json`, limits.tufMetadataBytes);
      const root = bytes === undefined ? undefined : rootAfter(before, bytes, version);
      if (bytes === undefined || root === undefined) {
        // A chain that does not reach the pinned root is of no use to anybody: start after the gap.
        chain.length = 0;
        before = undefined;
        continue;
      }
      chain.push(bytes);
      before = root;
    }
    const own = await this.#stateFile('root');
    const last = chain.at(-1);
    if (last === undefined || !Buffer.from(last).equals(own)) chain.splice(0, chain.length, own);
    const first = newest - chain.length + 1;
    for (const [index, bytes] of chain.entries()) this.#files.set(`${first + index}.root.json`, bytes);
  }

  async #read(path: string, maxBytes: number): Promise<Uint8Array> {
    const bytes = await this.#options.source.read(path, maxBytes);
    if (bytes !== undefined) return bytes;
    throw fail(R.tuf, { expected: `${path} to be served`, actual: 'not found' });
  }

  async #write(): Promise<string[]> {
    const written: string[] = [];
    for (const [name, bytes] of this.#files) {
      const path = join(this.#options.folder, name);
      const before = await readFileIfThere(path);
      if (before !== undefined && Buffer.from(bytes).equals(before)) continue;
      await writeFileDurable(path, bytes);
      written.push(name);
    }
    return written;
  }
}

function verifyRole(
  parent: AnyTargets,
  name: string,
  bytes: Uint8Array,
  meta: { version: number; verify(data: Buffer): void },
  now: number,
): AnyTargets {
  const json = unwrap(parseJson(bytes));
  refuseSharedKeys(json, name);
  try {
    meta.verify(Buffer.from(bytes));
    const role = Metadata.fromJSON(MetadataKind.Targets, json as JSONObject);
    parent.verifyDelegate(name, role);
    if (role.signed.version !== meta.version) throw new Error(`version ${role.signed.version}`);
    if (role.signed.isExpired(new Date(now))) throw new Error('expired');
    return role;
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    const actual = error instanceof Error ? error.message : String(error);
    throw fail(R.tuf, { expected: `the role ${name}, version ${meta.version}, to verify`, actual }, error);
  }
}

/** The root when it follows `before` (signed by it and by itself), undefined when it does not. */
function rootAfter(
  before: Metadata<never> | undefined,
  bytes: Uint8Array,
  version: number,
): Metadata<never> | undefined {
  const json = parseJson(bytes);
  if (!json.ok) return undefined;
  try {
    const root = Metadata.fromJSON(MetadataKind.Root, json.value as JSONObject);
    root.verifyDelegate('root', root);
    before?.verifyDelegate('root', root);
    return root.signed.version === version ? (root as Metadata<never>) : undefined;
  } catch {
    return undefined;
  }
}
