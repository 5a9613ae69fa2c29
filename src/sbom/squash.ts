/**
 * Lays the layers of an image on each other as they are read, and has the cataloguers look at what the scope asks
 * for. Where the cache knows what the lower layers come to, it goes on from there.
 */
import type { Digest } from '#base/brand';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import type { Unknown } from '#formats/sbom';
import type { Base } from './base.ts';
import { type Compression, type LayerFacts, type LayerInput, statedCompression } from './layer.ts';
import { readWithLog, unreadLogs } from './logs.ts';
import { type LayerReading, matcherOf, readLayers, readOne, type Sources } from './read-layers.ts';
import { R } from './reasons.ts';
import { type ReplayOptions, replayLayer } from './replay.ts';
import { type Earlier, type Stage, stageOf } from './stage.ts';
import { type Changed, ImageTree } from './tree.ts';
import type { Cataloguer } from './types.ts';

/** Which of the lower layers the cache has together. */
export interface Bases {
  /** So many layers are there. */
  readonly from: number;
  /** So many are to be kept. */
  readonly keepAt: number;
}

export interface SquashInput extends Bases {
  readonly layers: readonly LayerInput[];
  readonly cataloguers: readonly Cataloguer[];
  readonly sources: Sources;
  readonly isExcluded?: ((path: string) => boolean) | undefined;
  /** A look at the image after every layer, instead of the last. */
  readonly isEach: boolean;
  readonly onLayer?: ((done: number, of: number) => void) | undefined;
}

export interface Squashed {
  readonly tree: ImageTree;
  readonly stages: readonly Stage[];
  readonly unknowns: readonly Unknown[];
  readonly bytes: number;
  readonly entries: number;
}

export async function squashLayers(input: SquashInput): Promise<Squashed> {
  const squash = new Squash(input);
  const { layers, sources, from } = input;
  const readings = from === 0 ? readLayers(layers, sources) : fromBase(input);
  try {
    for await (const one of readings) {
      if ('tree' in one) squash.adopt(one);
      else await squash.add(one);
    }
    return await squash.finish();
  } finally {
    await squash.kept;
  }
}

/** What the lower layers come to, and readings of the others, which begin meanwhile. Or readings of all. */
async function* fromBase(input: SquashInput): AsyncGenerator<LayerReading | Base> {
  const { layers, cataloguers, sources, from } = input;
  const upper = readLayers(layers.slice(from), sources);
  const first = upper.next();
  // A failure is seen when its turn comes; until then it is not unhandled.
  first.catch(() => undefined);
  try {
    const base = await sources.cache?.getBase(chainOf(layers, from), cataloguers);
    if (base === undefined) yield* readLayers(layers.slice(0, from), sources);
    else yield base;
    for (let step = await first; step.done !== true; step = await upper.next()) yield step.value;
  } finally {
    await Promise.allSettled([first]);
    await upper.return(undefined);
  }
}

/** The diffIDs of the lowest `count` layers. */
const chainOf = (layers: readonly LayerInput[], count: number): Digest[] =>
  layers.slice(0, count).map((one) => one.diffId);

const nothingMore: ReadonlySet<string> = new Set();

const nothing = (): Changed => ({ files: [], paths: new Set() });

class Squash {
  /** Ends when what is kept of the lower layers is written. */
  kept: Promise<void> | undefined;
  readonly #input: SquashInput;
  readonly #replay: ReplayOptions;
  #tree = new ImageTree();
  readonly #stages: Stage[] = [];
  #earlier: Earlier | undefined;
  readonly #facts: LayerFacts[] = [];
  readonly #unknowns: Unknown[] = [];
  #keptBytes = 0;
  readonly #keepAt: number;
  readonly #stated: readonly Compression[];

  constructor(input: SquashInput) {
    this.#input = input;
    const { cataloguers, isExcluded, layers, keepAt } = input;
    const matcher = matcherOf(cataloguers);
    this.#replay = { matcher, cataloguers, ...(isExcluded === undefined ? {} : { isExcluded }) };
    // Nothing is added at what was there, unless it could not be read.
    this.#keepAt = keepAt;
    this.#stated = layers.map(statedCompression);
  }

  adopt({ tree, stage, layers, kept, unknowns }: Base): void {
    this.#tree = tree;
    this.#earlier = { stage, changed: nothing() };
    this.#keptBytes = kept;
    for (const one of unknowns) this.#unknowns.push(one);
    for (const facts of layers) this.#count(facts);
  }

  async add({ facts, record }: LayerReading): Promise<void> {
    const { layers, sources } = this.#input;
    const index = this.#facts.length;
    for (const one of record.kept) this.#keptBytes += one.bytes.length;
    requireWithin(this.#entries + facts.entries, limits.layerEntries, 'entries');
    requireWithin(this.#keptBytes, limits.capturedBytes, 'bytes of package data');
    let replayed = replayLayer(this.#tree, record, index, this.#replay);
    if (replayed.again !== undefined) {
      const second = await readOne(layers[index] as LayerInput, sources, replayed.again);
      replayed = replayLayer(this.#tree, second.record, index, this.#replay);
    }
    this.#tree.apply(replayed.changes, this.#earlier?.changed);
    for (const one of replayed.changes.unknowns) this.#unknowns.push(one);
    this.#count(facts);
    if (this.#input.isEach) this.#stages.push(await this.#stage());
    if (this.#facts.length === this.#keepAt) await this.#keep();
  }

  async finish(): Promise<Squashed> {
    const disguised = this.#facts.flatMap((facts, index) =>
      disguise(facts, this.#stated[index], this.#input.layers[index] as LayerInput),
    );
    if (!this.#input.isEach && this.#facts.length > 0) this.#stages.push(await this.#stage());
    return {
      tree: this.#tree,
      stages: this.#stages,
      unknowns: [...this.#unknowns, ...disguised],
      bytes: this.#facts.reduce((sum, { bytes }) => sum + bytes, 0),
      entries: this.#entries,
    };
  }

  get #entries(): number {
    return this.#facts.reduce((sum, { entries }) => sum + entries, 0);
  }

  #count(facts: LayerFacts): void {
    this.#facts.push(facts);
    this.#input.onLayer?.(this.#facts.length, this.#input.layers.length);
  }

  /** Logs belong to what lies there now: the database may be of a lower layer. */
  async #readLogs(): Promise<void> {
    const { layers, sources } = this.#input;
    for (const { database, log } of unreadLogs(this.#tree)) {
      const again = { files: nothingMore, programs: nothingMore, logs: new Map([[database.path, log]]) };
      const { record } = await readOne(layers[database.layer] as LayerInput, sources, again);
      const read = readWithLog(database, record);
      if (read === undefined) continue;
      this.#tree.replace(read.file);
      for (const reason of read.reasons)
        this.#unknowns.push({ path: database.path, wantedBy: 'rpm', reason });
    }
  }

  async #stage(): Promise<Stage> {
    await this.#readLogs();
    const stage = stageOf(this.#tree, this.#input.cataloguers, this.#earlier);
    this.#earlier = { stage, changed: nothing() };
    return stage;
  }

  async #keep(): Promise<void> {
    const { layers, sources } = this.#input;
    const base = {
      tree: this.#tree,
      stage: await this.#stage(),
      layers: this.#facts,
      kept: this.#keptBytes,
      unknowns: this.#unknowns,
    };
    // Packed before the next layer changes any of it; only written meanwhile.
    this.kept = sources.cache?.putBase(chainOf(layers, this.#facts.length), base);
  }
}

function requireWithin(actual: number, most: number, what: string): void {
  if (actual > most) throw fail(R.layerLimit, { expected: `at most ${most} ${what}`, actual: 'more' });
}

/** Nothing is said of bytes that were not opened: the cache knew the layer from others. */
function disguise(
  { compression, stored }: LayerFacts,
  stated: Compression | undefined,
  { descriptor }: LayerInput,
): Unknown[] {
  if (stored !== descriptor.digest || compression === stated) return [];
  const reason = `layer ${descriptor.digest} is ${compression}, its media type says ${stated}`;
  return [{ path: '', wantedBy: 'layer', reason }];
}
