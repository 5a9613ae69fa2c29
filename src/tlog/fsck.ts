/** Walks a whole log and proves it from its entries alone: what an outside monitor would do. */
import { equalBytes, toHex } from '#base/bytes';
import { unwrap } from '#base/result';
import { leafHash } from '#formats/merkle';
import { TILE_WIDTH, tilePath } from '#formats/tiles';
import type { LogStore } from '#platform/store';
import { namesOf } from './apply.ts';
import type { CheckpointVerifier } from './checkpoint.ts';
import { type CompleteTile, TreeEdge } from './edge.ts';
import { readRecords } from './open.ts';
import type { LogRecord, Personality, TreeView } from './types.ts';

export interface FsckReport {
  readonly size: number;
  /** Findings in words; empty for a sound log. */
  readonly problems: readonly string[];
}

export interface FsckInput {
  readonly store: LogStore;
  readonly signer: CheckpointVerifier;
  readonly personality: Personality;
  /** The published tree. */
  readonly tree: TreeView;
  /** Records after the last full tile. */
  read(index: number): Promise<LogRecord>;
}

/** Files that were compared already, remembered: a log names few files, many times. */
const FILES_KNOWN_MAX = 4096;

/** Most findings listed: one flipped bit can show in many places. */
const PROBLEMS_MAX = 100;

/**
 * Recomputes every tile and the root from the stored entries of a log and compares them with the files,
 * the names, the files that entries name, and the signed checkpoint. Reads everything once; memory does not grow with the log.
 */
export async function fsck(input: FsckInput): Promise<FsckReport> {
  const walk = new Walk(input);
  const { size, root, checkpoint } = input.tree;
  const head = unwrap(input.signer.open(checkpoint));
  if (head.size !== size || !equalBytes(head.root, root)) walk.report('the checkpoint is of another tree');
  for (let from = 0; from < size; from += TILE_WIDTH) {
    const isFull = from + TILE_WIDTH <= size;
    const records = isFull ? await walk.fullTile(from / TILE_WIDTH) : await tail(input, from, size);
    if (records === undefined) break;
    await walk.records(from, records);
  }
  if (!equalBytes(walk.edge.root(), root)) {
    walk.report(`entries hash to ${toHex(walk.edge.root())}, the checkpoint says ${toHex(root)}`);
  }
  return { size, problems: walk.problems };
}

async function tail(input: FsckInput, from: number, size: number): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for (let index = from; index < size; index++) records.push(await input.read(index));
  return records;
}

class Walk {
  readonly problems: string[] = [];
  readonly edge = new TreeEdge();
  readonly #input: FsckInput;
  readonly #files = new Set<string>();
  #time = 0;

  constructor(input: FsckInput) {
    this.#input = input;
  }

  report(problem: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(problem);
  }

  async fullTile(index: number): Promise<readonly LogRecord[] | undefined> {
    try {
      return await readRecords(this.#input.store, index);
    } catch (error) {
      this.report(`entries of tile ${index}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  async records(from: number, records: readonly LogRecord[]): Promise<void> {
    const { personality } = this.#input;
    const leafHashes = records.map((record) => leafHash(personality.leaf(record.entry)));
    await this.#names(from, namesOf({ records, leafHashes }, personality));
    for (const [i, record] of records.entries()) await this.#filesOf(from + i, record);
    for (const [i, leaf] of leafHashes.entries()) {
      const { time } = records[i] as LogRecord;
      if (time < this.#time) this.report(`entry ${from + i} is older than the one before`);
      this.#time = time;
      for (const tile of this.edge.append(leaf)) await this.#compare(tile);
    }
  }

  /** Names that are not written yet are no finding: a log has them before it takes entries. */
  async #names(from: number, names: readonly (readonly Uint8Array[])[]): Promise<void> {
    const indexed = await this.#input.store.indexed();
    const named = names.flatMap((row, i) => row.map((name) => ({ name, index: from + i })));
    const found = await this.#input.store.find(named.map(({ name }) => name));
    for (const [i, { name, index }] of named.entries()) {
      const is = found[i];
      if (is === index || (is === undefined && index >= indexed)) continue;
      this.report(`entry ${index} is found as ${is ?? 'nothing'} by ${toHex(name)}`);
    }
  }

  /** Each file once, however many entries name it. */
  async #filesOf(index: number, record: LogRecord): Promise<void> {
    for (const { path, bytes } of this.#input.personality.files?.(record) ?? []) {
      if (this.#files.has(path)) continue;
      if (this.#files.size < FILES_KNOWN_MAX) this.#files.add(path);
      const stored = await this.#input.store.readTile(path);
      if (stored === undefined) this.report(`${path}, which entry ${index} names, is missing`);
      else if (!equalBytes(stored, bytes)) this.report(`${path} is not the file that entry ${index} names`);
    }
  }

  async #compare(tile: CompleteTile): Promise<void> {
    const path = tilePath({ kind: 'hashes', level: tile.level, index: tile.index, width: TILE_WIDTH });
    const stored = await this.#input.store.readTile(path);
    if (stored === undefined) this.report(`${path} is missing`);
    else if (!equalBytes(stored, tile.nodes.bytes())) this.report(`${path} is not what the entries hash to`);
  }
}
