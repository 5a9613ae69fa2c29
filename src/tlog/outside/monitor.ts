/**
 * An independent monitor: it rebuilds the tree from the bytes of the entries, keeps nothing but the right edge, and
 * holds every checkpoint against the one before. What it finds, the log cannot take back.
 */
import { equalBytes, fromBase64, toBase64, toHex } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { leafHash } from '#formats/merkle';
import { TILE_WIDTH, tilePath } from '#formats/tiles';
import type { CheckpointVerifier, TreeHead } from '../checkpoint.ts';
import { type CompleteTile, TreeEdge } from '../edge.ts';
import { type Personality, plainPersonality } from '../types.ts';
import { readCheckpoint, readEntries, readTile, type TileSource } from './source.ts';

/** What a monitor keeps between looks. */
export interface MonitorState {
  readonly size: number;
  readonly root: Uint8Array;
  readonly edge: TreeEdge;
}

export interface LookOptions {
  readonly source: TileSource;
  readonly verifier: CheckpointVerifier;
  readonly personality?: Personality;
  /** Absent: from the first entry. */
  readonly state?: MonitorState;
  /** Checkpoints of this log seen elsewhere: each must be of a tree this one extends. */
  readonly known?: readonly string[];
  /** Also reads every hash tile and compares it with the entries. */
  readonly tiles?: boolean;
  onEntry?(index: number, entry: Uint8Array): void;
}

export interface Look {
  readonly checkpoint: string;
  readonly head: TreeHead;
  /** Findings in words; empty when the log is what it says. */
  readonly problems: readonly string[];
  /** Where the next look goes on; absent when this one found something. */
  readonly state?: MonitorState;
}

/** Most findings listed: one flipped bit can show in many places. */
const PROBLEMS_MAX = 100;

/**
 * One look at a log. Errors that are no findings (the log cannot be reached, its checkpoint is not its own: WB-201,
 * WB-408, WB-416 without a checkpoint) are thrown.
 */
export async function lookAt(options: LookOptions): Promise<Look> {
  const { source, verifier, state } = options;
  const checkpoint = await readCheckpoint(source);
  const head = unwrap(verifier.open(checkpoint));
  const look = new Looking(options);
  if (state !== undefined && head.size < state.size) {
    look.report(`the log went back from size ${state.size} to ${head.size}`);
  } else {
    await look.entries(head.size);
    look.compareRoot(head, 'the checkpoint');
  }
  const { problems } = look;
  const base = { checkpoint, head, problems };
  if (problems.length > 0) return base;
  return { ...base, state: { size: head.size, root: head.root, edge: look.edge } };
}

class Looking {
  readonly problems: string[] = [];
  readonly edge: TreeEdge;
  readonly #options: LookOptions;
  readonly #personality: Personality;
  /** Heads to compare on the way, by size. */
  readonly #known: ReadonlyMap<number, readonly TreeHead[]>;

  constructor(options: LookOptions) {
    this.#options = options;
    this.#personality = options.personality ?? plainPersonality;
    this.edge = options.state?.edge.clone() ?? new TreeEdge();
    const heads = (options.known ?? []).map((text) => unwrap(options.verifier.open(text)));
    this.#known = Map.groupBy(heads, (head) => head.size);
  }

  report(problem: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(problem);
  }

  async entries(size: number): Promise<void> {
    const from = this.edge.size;
    this.#compareKnown();
    for (let tile = Math.floor(from / TILE_WIDTH); this.edge.size < size; tile++) {
      const entries = await this.#read(tile, Math.min(TILE_WIDTH, size - tile * TILE_WIDTH));
      if (entries === undefined) return;
      for (const entry of entries.slice(this.edge.size - tile * TILE_WIDTH)) await this.#take(entry);
    }
    for (const beyond of this.#known.keys()) {
      if (beyond > size) this.report(`a checkpoint of size ${beyond} is known, the log shows ${size}`);
    }
    if (this.#options.tiles === true) await this.#partialTiles();
  }

  async #read(tile: number, width: number): Promise<Uint8Array[] | undefined> {
    try {
      return await readEntries(this.#options.source, tile, width);
    } catch (error) {
      if (!(error instanceof WaybillError) || !found.has(error.reason.code)) throw error;
      this.report(`entries of tile ${tile}: ${error.reason.actual}, expected ${error.reason.expected}`);
      return undefined;
    }
  }

  async #take(entry: Uint8Array): Promise<void> {
    const index = this.edge.size;
    const completed = this.edge.append(leafHash(this.#personality.leaf(entry)));
    this.#options.onEntry?.(index, entry);
    this.#compareKnown();
    if (this.#options.tiles !== true) return;
    for (const tile of completed) await this.#compareTile(tile.level, tile);
  }

  #compareKnown(): void {
    for (const head of this.#known.get(this.edge.size) ?? []) this.compareRoot(head, 'a known checkpoint');
  }

  compareRoot(head: TreeHead, whose: string): void {
    if (head.size !== this.edge.size) return;
    const root = this.edge.root();
    if (equalBytes(root, head.root)) return;
    const [computed, signed] = [toHex(root), toHex(head.root)];
    this.report(`entries of size ${head.size} hash to ${computed}, ${whose} says ${signed}: a fork or rot`);
  }

  async #compareTile(level: number, { index, nodes }: Omit<CompleteTile, 'level'>): Promise<void> {
    if (nodes.width === 0) return;
    const path = tilePath({ kind: 'hashes', level, index, width: nodes.width });
    const stored = await readTile(this.#options.source, path);
    const bytes = nodes.bytes();
    if (stored === undefined) this.report(`${path} is missing`);
    else if (!equalBytes(stored.subarray(0, bytes.length), bytes)) {
      this.report(`${path} is not what the entries hash to`);
    }
  }

  async #partialTiles(): Promise<void> {
    for (let level = 0, width = TILE_WIDTH; level < 8; level++, width *= TILE_WIDTH) {
      const index = Math.floor(this.edge.size / width);
      const nodes = this.edge.tile(level, index);
      if (nodes !== undefined) await this.#compareTile(level, { index, nodes });
    }
  }
}

/** Refusals of what a log serves, as against a log that cannot be reached. */
const found: ReadonlySet<string> = new Set(['WB-416', 'WB-119', 'WB-410']);

/** For a state file: what `readMonitorState` takes. */
export function monitorStateJson(origin: string, { size, root, edge }: MonitorState): string {
  return `${JSON.stringify({ schema: SCHEMA, origin, size, root: toBase64(root), edge: edge.tiles().map(toBase64) })}\n`;
}

const SCHEMA = 'waybill.dev/log-monitor/v1';

/** Throws WB-152 and others for a file that is none, or of another log. */
export function readMonitorState(text: string, origin: string): MonitorState {
  const json = reader(unwrap(parseJson(text)), 'monitor state');
  const schema = json.text('schema');
  if (schema !== SCHEMA) throw json.wrong('schema', SCHEMA, schema);
  const other = json.text('origin');
  if (other !== origin) throw json.wrong('origin', origin, other);
  const size = json.integer('size');
  const tiles = json.strings('edge').map((tile) => unwrap(attempt(() => fromBase64(tile))));
  const edge = TreeEdge.restore(size, tiles);
  const root = json.bytes('root');
  if (!equalBytes(edge.root(), root)) throw json.wrong('edge', 'hashes that lead to the root', 'others');
  return { size, root, edge };
}
