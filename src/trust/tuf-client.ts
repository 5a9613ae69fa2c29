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
import { Readable } from 'node:stream';
import { type TargetFile, Updater } from 'tuf-js';
// tuf-js ends its walk over roots only at its own error class, which its front door does not export.
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { type JsonReader, parseJson, reader } from '#formats/json';
import { R } from './reasons.ts';

/** Where metadata and targets are read. */
export interface TufSource {
  /** Bytes of a file below the mirror, undefined when it is not there (404); throws when nobody can say. */
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
}

export interface TufMemory {
  /** A verified file of an earlier load: `timestamp.json`, `snapshot.json`, `targets.json`, `7.root.json`. */
  recall(name: string): Promise<Uint8Array | undefined>;
  keep(name: string, bytes: Uint8Array): Promise<void>;
}

export interface TufRepository {
  readonly rootVersion: number;
  /** Milliseconds since the epoch, by role. */
  readonly expires: Readonly<Record<TufRole, number>>;
  readonly versions: Readonly<Record<TufRole, number>>;
  /** A target's verified bytes; undefined when the repository does not list it. */
  target(name: string): Promise<Uint8Array | undefined>;
}

const tufRoles = ['root', 'timestamp', 'snapshot', 'targets'] as const;
export type TufRole = (typeof tufRoles)[number];

const forgetful: TufMemory = { recall: async () => undefined, keep: async () => {} };
const BASE = 'https://mirror.invalid/';

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
    const updater = await reader.guard(async () => {
      const made = new Updater({
        metadataDir: folder,
        metadataBaseUrl: BASE,
        fetcher: reader,
        config: { maxRootRotations: limits.tufRootRotations },
      });
      await made.refresh();
      return made;
    });
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

/** tuf-js's way to the bytes. Remembers the first failure of the source, which tuf-js would bury in text. */
class SourceFetcher {
  readonly roots = new Map<number, Uint8Array>();
  readonly #source: TufSource;
  readonly #memory: TufMemory;
  #failure: unknown;

  constructor(source: TufSource, memory: TufMemory) {
    this.#source = source;
    this.#memory = memory;
  }

  async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    const path = decodeURIComponent(url.slice(BASE.length));
    const bytes = await this.#read(path, maxLength);
    if (bytes === undefined) throw new DownloadHTTPError(`${path} is not there`, 404);
    if (bytes.length > maxLength) {
      throw fail(R.tuf, {
        expected: `${path} of at most ${maxLength} bytes`,
        actual: `${bytes.length} bytes`,
      });
    }
    // tuf-js reads with JSON.parse, where the last of two equal members wins.
    const strict = parseJson(bytes, { maxBytes: limits.tufMetadataBytes });
    if (!strict.ok) {
      const actual = `${strict.error.check}: ${strict.error.actual}`;
      throw fail(R.tuf, { expected: `${path} as strict JSON`, actual });
    }
    return Buffer.from(bytes);
  }

  async downloadFile<T>(): Promise<T> {
    throw new Error('targets are read through target()');
  }

  async #read(path: string, maxLength: number): Promise<Uint8Array | undefined> {
    const root = /^(\d+)\.root\.json$/.exec(path);
    try {
      const kept = root === null ? undefined : await this.#memory.recall(path);
      const bytes = kept ?? (await this.#source.read(path, maxLength));
      if (root !== null && bytes !== undefined) this.roots.set(Number(root[1]), bytes);
      return bytes;
    } catch (error) {
      this.#failure ??= error;
      throw error;
    }
  }

  /** Runs `body`; tells a source that failed from metadata that does not verify from metadata that expired. */
  async guard<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      if (this.#failure !== undefined) throw this.#failure;
      if (error instanceof WaybillError) throw error;
      const actual = error instanceof Error ? error.message : String(error);
      const spec = /expired/i.test(actual) ? R.expired : R.tuf;
      const expected = spec === R.expired ? 'trust metadata that is current' : 'metadata that verifies';
      throw fail(spec, { expected, actual }, error);
    }
  }

  async target(name: string, info: TargetFile): Promise<Uint8Array> {
    const sha256 = info.hashes['sha256'];
    if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256)) {
      throw fail(R.target, {
        expected: `a SHA-256 for ${name}`,
        actual: Object.keys(info.hashes).join(', '),
      });
    }
    const kept = await this.#memory.recall(`targets/${sha256}`);
    if (kept !== undefined && (await matches(info, kept))) return kept;
    const slash = name.lastIndexOf('/') + 1;
    const path = `targets/${name.slice(0, slash)}${sha256}.${name.slice(slash)}`;
    const bytes = await this.#source.read(path, info.length);
    if (bytes === undefined) {
      throw fail(R.target, { expected: `${path} to be served`, actual: 'not found' });
    }
    if (!(await matches(info, bytes))) {
      const expected = `${name} with sha256 ${sha256} and ${info.length} bytes`;
      throw fail(R.tuf, { expected, actual: `${bytes.length} bytes with another hash` });
    }
    await this.#memory.keep(`targets/${sha256}`, bytes);
    return bytes;
  }
}

async function matches(info: TargetFile, bytes: Uint8Array): Promise<boolean> {
  try {
    await info.verify(Readable.from([Buffer.from(bytes)]));
    return true;
  } catch {
    return false;
  }
}
