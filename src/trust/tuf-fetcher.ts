/** What tuf-js reads with: bytes of a `TufSource` under limits and as strict JSON, and one verified target. */

import { join } from 'node:path';
import { type TargetFile, Updater } from 'tuf-js';
// tuf-js ends its walk over roots only at its own error class, which its front door does not export.
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { utf8Text } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { readFileLimitedIfThere } from '#platform/files';
import { systemClock } from '#platform/system';
import { R } from './reasons.ts';
import { refuseSharedKeys } from './tuf-keys.ts';
import { refuseOddNumbers, refuseOddShape } from './tuf-shape.ts';
import { encodePath, isTarget, targetHashes, targetPath } from './tuf-target.ts';
import type { TufMemory, TufSource } from './tuf-types.ts';

/** Never asked over a network: what tuf-js puts before a path, taken off again before a source reads it. */
export const MIRROR = 'https://mirror.invalid/';

/** Remembers nothing. */
export const forgetful: TufMemory = { recall: async () => undefined, keep: async () => {} };

/** tuf-js over the metadata in `folder`. Throws its own errors for a root that does not verify by itself. */
export function updaterOf(folder: string, fetcher: SourceFetcher): Updater {
  return new Updater({
    metadataDir: folder,
    metadataBaseUrl: MIRROR,
    fetcher,
    config: { maxRootRotations: limits.tufRootRotations, maxDelegations: limits.tufDelegations },
  });
}

/** tuf-js over the metadata in `folder`, brought up to date. Throws WB-601, WB-602, WB-615 or the source's own. */
export function refreshed(folder: string, fetcher: SourceFetcher): Promise<Updater> {
  refuseImplausibleClock(systemClock.now());
  return fetcher.guard(async () => {
    const updater = updaterOf(folder, fetcher);
    await updater.refresh();
    return updater;
  }, folder);
}

/** No repository of these days is older: a clock before it would find nothing expired, however old. */
const PLAUSIBLE_FROM = Date.UTC(2024, 0, 1);

function refuseImplausibleClock(now: number): void {
  if (now >= PLAUSIBLE_FROM) return;
  throw fail(R.clock, { expected: `a clock after ${rfc3339(PLAUSIBLE_FROM)}`, actual: rfc3339(now) });
}

/** tuf-js's way to the bytes. Remembers the first failure of the source, which tuf-js would bury in text. */
export class SourceFetcher {
  readonly roots = new Map<number, Uint8Array>();
  readonly #source: TufSource;
  readonly #memory: TufMemory;
  /** The newest bytes of each role that were read. */
  readonly #seen = new Map<string, Uint8Array>();
  #failure: unknown;

  constructor(source: TufSource, memory: TufMemory) {
    this.#source = source;
    this.#memory = memory;
  }

  async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    const path = url.slice(MIRROR.length);
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
      throw fail(R.tuf, { expected: `${path} of ${this.#from} as strict JSON`, actual });
    }
    refuseOddNumbers(utf8Text(bytes), path);
    refuseOddShape(strict.value, path);
    refuseSharedKeys(strict.value, path);
    this.#seen.set(decodeURIComponent(path.replace(/^\d+\.|\.json$/g, '')), bytes);
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

  get #from(): string {
    return this.#source.name ?? 'the mirror';
  }

  /**
   * Runs `body`; tells a source that failed from metadata that does not verify from metadata that expired. `folder`:
   * where tuf-js keeps what was read before.
   */
  async guard<T>(body: () => Promise<T>, folder?: string): Promise<T> {
    try {
      return await body();
    } catch (error) {
      if (this.#failure !== undefined) throw this.#failure;
      if (error instanceof WaybillError) throw error;
      const actual = error instanceof Error ? error.message : String(error);
      const expired = /(?:^|.*Error: )(?:Final )?(.+)\.json is expired/s.exec(actual)?.[1];
      if (expired === undefined) {
        throw fail(R.tuf, { expected: `metadata of ${this.#from} that verifies`, actual }, error);
      }
      const when = await this.#end(expired, folder);
      const expected = `metadata of ${this.#from} that is current`;
      throw fail(R.expired, { expected, actual: `${expired}.json is expired${when}` }, error);
    }
  }

  /** Which version of a role ended, and when; empty where nobody can say. */
  async #end(role: string, folder: string | undefined): Promise<string> {
    const kept = folder === undefined ? undefined : join(folder, `${encodeURIComponent(role)}.json`);
    const bytes =
      this.#seen.get(role) ??
      (kept === undefined ? undefined : await readFileLimitedIfThere(kept, limits.tufMetadataBytes));
    const read = attempt(() => {
      const signed = reader(unwrap(parseJson(bytes ?? new Uint8Array())), role).child('signed');
      return `: version ${signed.integer('version')} ended ${rfc3339(signed.time('expires'))}`;
    });
    return read.ok ? read.value : '';
  }

  /** A target's bytes, verified against `info`: from the memory, else from the source. */
  async target(name: string, info: TargetFile): Promise<Uint8Array> {
    const hash = targetHashes(info)[0] as string;
    const kept = await this.#memory.recall(`targets/${hash}`);
    if (kept !== undefined && (await isTarget(info, kept))) return kept;
    const path = encodePath(targetPath(name, hash));
    const bytes = await this.#source.read(path, info.length);
    if (bytes === undefined) {
      throw fail(R.target, { expected: `${path} to be served`, actual: 'not found' });
    }
    if (!(await isTarget(info, bytes))) {
      const expected = `${name} with hash ${hash} and ${info.length} bytes`;
      throw fail(R.tuf, { expected, actual: `${bytes.length} bytes with another hash` });
    }
    await this.#memory.keep(`targets/${hash}`, bytes);
    return bytes;
  }
}
