/**
 * A transparency log that runs elsewhere, followed by URL: its tree is rebuilt from the bytes of its entries and held
 * against every checkpoint, and what they can be searched by is kept here. A log that contradicts itself is not
 * followed any further.
 */
import { join } from 'node:path';
import { toHex, utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import type { TransparencyLogEntry } from '#formats/bundle';
import { parseJson, reader } from '#formats/json';
import { readKindVersion } from '#formats/rekor';
import type { LogAuthority } from '#formats/trusted-root';
import { readFileIfThere, writeFileDurable } from '#platform/files';
import type { Logger } from '#platform/telemetry';
import type { AuditedLog } from '#services/audit';
import { bodyKeys, indexedKey, openSearchStore, type SearchStore } from '#services/log';
import { readEntryV1, type WireDeps } from '#sign';
import {
  checkpointVerifier,
  entryOutside,
  httpTiles,
  type Look,
  lookAt,
  type MonitorState,
  monitorStateJson,
  readMonitorState,
  type TileSource,
} from '#tlog';
import { R } from './reasons.ts';

/** Entries indexed in one transaction. */
const STEP_ENTRIES = 256;
/** Tiles kept: those of one answer are read once. */
const TILES_MAX = 64;
const STATE_FILE = 'monitor.json';

export class FollowedLog implements AuditedLog {
  readonly origin: string;
  readonly url: string;
  readonly #parts: Parts;
  readonly #search: SearchStore;
  #state: MonitorState | undefined;
  #look: Look | undefined;
  #running: Promise<void> | undefined;
  #waiting: Uint8Array[][] = [];
  #trouble: string | undefined;

  private constructor(parts: Parts, search: SearchStore, state: MonitorState | undefined) {
    this.origin = parts.origin;
    this.url = parts.authority.baseUrl;
    this.#parts = parts;
    this.#search = search;
    this.#state = state;
  }

  /** `dir` keeps what is known of the log. Throws what reaching it throws, and WB-1212 for no tlog-tiles log. */
  static async open(authority: LogAuthority, dir: string, deps: FollowDeps): Promise<FollowedLog> {
    const parts = await partsOf(authority, join(dir, toHex(authority.logId).slice(0, 32)), deps);
    const search = openSearchStore(join(parts.dir, 'search.sqlite'));
    const kept = await readFileIfThere(join(parts.dir, STATE_FILE));
    const read = kept && attempt(() => readMonitorState(utf8Text(kept), parts.origin));
    // Without its index the log is read again from the start; the other way round it is only not read twice.
    const state = read?.ok === true && read.value.size <= search.covered() ? read.value : undefined;
    return new FollowedLog(parts, search, state);
  }

  /** Why it is not followed any further, or not yet. */
  get trouble(): string | undefined {
    return this.#trouble ?? (this.#look === undefined ? `${this.url} has not been read yet` : undefined);
  }

  /** Entries indexed. */
  get covered(): number {
    return this.#search.covered();
  }

  /** Reads on to the newest checkpoint; callers at a time share one look. Throws what the log throws. */
  follow(): Promise<void> {
    this.#running ??= this.#followOnce().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #followOnce(): Promise<void> {
    if (this.#trouble !== undefined) return;
    const { source, verifier, log, dir } = this.#parts;
    this.#waiting = [];
    const onEntry = (index: number, entry: Uint8Array): void => this.#take(index, entry);
    const from = this.#state === undefined ? {} : { state: this.#state };
    const look = await lookAt({ source, verifier, onEntry, ...from });
    const [problem] = look.problems;
    if (problem !== undefined || look.state === undefined) {
      this.#trouble = `${this.url}: ${problem}`;
      log.error(
        { url: this.url, problems: look.problems },
        'the log is not what it says; not followed any further',
      );
      return;
    }
    this.#flush();
    if (look.state.size !== this.#state?.size) {
      await writeFileDurable(join(dir, STATE_FILE), monitorStateJson(this.origin, look.state));
    }
    this.#state = look.state;
    this.#look = look;
  }

  #take(index: number, entry: Uint8Array): void {
    if (index < this.#search.covered() + this.#waiting.length) return;
    this.#waiting.push(bodyKeys(entry).map(indexedKey));
    if (this.#waiting.length >= STEP_ENTRIES) this.#flush();
  }

  #flush(): void {
    if (this.#waiting.length > 0) this.#search.add(this.#waiting);
    this.#waiting = [];
  }

  find(keys: readonly string[]): Promise<readonly number[]> {
    const found = new Set<number>();
    const size = this.#look?.head.size ?? 0;
    for (const key of keys) {
      for (const index of this.#search.find(indexedKey(key), Number.MAX_SAFE_INTEGER)) {
        if (index < size) found.add(index);
      }
    }
    const { firstIndex } = this.#parts;
    return Promise.resolve([...found].sort((a, b) => a - b).map((index) => firstIndex + index));
  }

  async entry(index: number): Promise<TransparencyLogEntry> {
    const { api, authority, wire, source } = this.#parts;
    // Version 1 signs a time and a promise beside the tree: only its API has them.
    if (api === 'v1') return readEntryV1(this.url, index, wire);
    const { head, checkpoint } = this.#seen();
    const { entry, proof } = await entryOutside({ source, head, checkpoint }, index);
    return {
      logIndex: index,
      logId: authority.logId,
      ...readKindVersion(entry),
      integratedTime: 0,
      inclusionProof: {
        ...{ logIndex: index, rootHash: proof.root, treeSize: proof.size },
        ...{ hashes: proof.hashes, checkpoint },
      },
      canonicalizedBody: entry,
    };
  }

  /** Of a log that cannot be reached now: what was read of it last. */
  async coverage(): Promise<{ readonly treeSize: number; readonly checkpoint: string }> {
    try {
      await this.follow();
    } catch (error) {
      if (this.#look === undefined) throw error;
      this.#parts.log.warn(
        { err: error, url: this.url },
        'not reached; the answer covers what was read before',
      );
    }
    const { head, checkpoint } = this.#seen();
    return { treeSize: head.size, checkpoint };
  }

  #seen(): Look {
    if (this.#look !== undefined) return this.#look;
    throw fail(R.notFollowed, { expected: `the log at ${this.url}`, actual: this.trouble ?? 'nothing read' });
  }

  async close(): Promise<void> {
    await this.#running?.catch(() => {});
    this.#search.close();
  }
}

export interface FollowDeps extends WireDeps {
  readonly log: Logger;
}

interface Parts {
  readonly api: 'v1' | 'v2';
  readonly origin: string;
  readonly source: TileSource;
  readonly verifier: ReturnType<typeof checkpointVerifier>;
  readonly authority: LogAuthority;
  readonly dir: string;
  /** Of the first entry of its tree, in the numbers of its API. */
  readonly firstIndex: number;
  readonly wire: WireDeps;
  readonly log: Logger;
}

async function partsOf(authority: LogAuthority, dir: string, deps: FollowDeps): Promise<Parts> {
  const { transport, log } = deps;
  const url = authority.baseUrl.replace(/\/+$/, '');
  for (const api of ['v2', 'v1'] as const) {
    const source = keeping(httpTiles(`${url}/api/${api}`, transport));
    const bytes = await source.read('checkpoint');
    if (bytes === undefined) continue;
    const origin = utf8Text(bytes).split('\n')[0] ?? '';
    // Rekor v1 writes `<host> - <tree id>` and signs as `<host>`.
    const keyName = origin.replace(/ - [0-9]+$/, '');
    const verifier = checkpointVerifier({ origin, keyName, publicKey: authority.publicKey });
    const firstIndex = api === 'v1' ? await entriesBefore(url, deps) : 0;
    return { api, origin, source, verifier, authority, dir, firstIndex, wire: deps, log };
  }
  throw fail(R.settings, {
    expected: `a log with tiles at ${url}`,
    actual: 'no checkpoint in /api/v1 or /api/v2',
  });
}

/** Of the frozen logs a v1 log follows under one address. */
async function entriesBefore(url: string, { transport }: WireDeps): Promise<number> {
  const { status, body } = await transport.request({ url: `${url}/api/v1/log` });
  const read = attempt(() => {
    const json = reader(unwrap(parseJson(body)), 'log', { as: R.notFollowed });
    return json.array('inactiveShards').length === 0
      ? []
      : json.children('inactiveShards').map((shard) => shard.integer('treeSize'));
  });
  if (status !== 200 || !read.ok)
    throw fail(R.notFollowed, { expected: `${url}/api/v1/log`, actual: `status ${status}` });
  return read.value.reduce((sum, size) => sum + size, 0);
}

/** Tiles never change under their names; a checkpoint does. */
function keeping(source: TileSource): TileSource {
  const kept = new Map<string, Uint8Array>();
  return {
    name: source.name,
    read: async (path) => {
      const before = kept.get(path);
      if (before !== undefined) return before;
      const bytes = await source.read(path);
      if (bytes === undefined || path === 'checkpoint') return bytes;
      if (kept.size >= TILES_MAX) kept.delete(kept.keys().next().value as string);
      kept.set(path, bytes);
      return bytes;
    },
  };
}
