/** Reads the layers of an image, several at a time where there are threads for it, into records. */
import type { Digest } from '#base/brand';
import type { Base } from './base.ts';
import { type Again, Capture } from './capture.ts';
import type { HeldMemory } from './held.ts';
import { type Inflating, type LayerFacts, type LayerInput, readLayer } from './layer.ts';
import { PathMatcher } from './match.ts';
import { type LayerRecord, RecordWriter } from './record.ts';
import type { Cataloguer } from './types.ts';

export interface LayerReading {
  readonly facts: LayerFacts;
  readonly record: LayerRecord;
}

/** Something that can read a layer: this thread, or another one. `again`: a second reading. */
export interface LayerReader {
  /** How many layers it reads at a time. */
  readonly width: number;
  read(layer: LayerInput, again?: Again): Promise<LayerReading>;
  close(): Promise<void>;
}

/** Where records of layers are kept between runs. `again`: the record of a second reading. */
export interface LayerCache {
  /** Whether there is probably a record; to read it may show that there is none. */
  has(diffId: Digest): Promise<boolean>;
  get(diffId: Digest, again?: Again): Promise<LayerReading | undefined>;
  put(diffId: Digest, reading: LayerReading, again?: Again): Promise<void>;
  /** Of several layers on each other, the lowest first. */
  hasBase(chain: readonly Digest[]): Promise<boolean>;
  getBase(chain: readonly Digest[], cataloguers: readonly Cataloguer[]): Promise<Base | undefined>;
  putBase(chain: readonly Digest[], base: Base): Promise<void>;
}

/** What cataloguers want, once for all layers. */
export function matcherOf(cataloguers: readonly Cataloguer[]): PathMatcher<Cataloguer> {
  return new PathMatcher(cataloguers.map((one) => [one, one.files] as const));
}

export interface Recording {
  readonly cataloguers: readonly Cataloguer[];
  readonly matcher: PathMatcher<Cataloguer>;
  readonly again?: Again | undefined;
  readonly inflating?: Inflating;
  readonly memory?: HeldMemory;
}

/** Reads one layer on this thread. */
export async function recordLayer(
  layer: LayerInput,
  { cataloguers, matcher, again, inflating, memory }: Recording,
): Promise<LayerReading> {
  const writer = new RecordWriter();
  const given = { ...(again === undefined ? {} : { again }), ...(memory === undefined ? {} : { memory }) };
  const capture = new Capture({ cataloguers, matcher, ...given }, writer);
  const { doubt, ...facts } = await readLayer(layer, capture.onEntry, inflating);
  if (doubt !== undefined) writer.doubt(doubt);
  return { facts, record: writer.finish() };
}

/** The reader that needs no other thread. */
export function localReader(
  cataloguers: readonly Cataloguer[],
  matcher: PathMatcher<Cataloguer>,
): LayerReader {
  return {
    width: 1,
    read: (layer, again) => recordLayer(layer, { cataloguers, matcher, again, inflating: 'here' }),
    close: () => Promise.resolve(),
  };
}

/** Readings that wait for one below them may hold so much; then no other layer is begun. */
const WAITING_BYTES = 64 * 1024 * 1024;
const WAITING_FOR_EACH = 8;

export interface Sources {
  readonly reader: LayerReader;
  readonly cache?: LayerCache | undefined;
  /** Layers of which the cache has records. */
  readonly known?: ReadonlySet<Digest>;
}

/**
 * Hands readings out in order. A reader of several layers at a time reads on while the lowest is still under way;
 * one of a single layer does so only behind layers that need not be read. After a failure the others are waited for,
 * so that nothing runs on behind the caller's back.
 */
export async function* readLayers(
  layers: readonly LayerInput[],
  sources: Sources,
): AsyncGenerator<LayerReading> {
  const { reader, known = new Set() } = sources;
  const most = reader.width === 1 && known.size === 0 ? 1 : reader.width * WAITING_FOR_EACH;
  const pending: Promise<LayerReading>[] = [];
  let next = 0;
  let running = 0;
  let waitingBytes = 0;
  let isOver = false;
  const begin = (): void => {
    const isFree = (): boolean =>
      pending.length < most && (waitingBytes < WAITING_BYTES || pending.length === 0);
    while (!isOver && next < layers.length && isFree()) {
      const layer = layers[next] as LayerInput;
      const width = known.has(layer.diffId) ? 0 : 1;
      if (running + width > reader.width) break;
      next++;
      running += width;
      const reading = readOne(layer, sources);
      pending.push(reading);
      // A failure is seen when its turn comes; until then it is not unhandled.
      reading.then(
        (one) => {
          running -= width;
          waitingBytes += heldBytes(one);
          begin();
        },
        () => {
          isOver = true;
        },
      );
    }
  };
  try {
    for (begin(); pending.length > 0; begin()) {
      const one = await (pending[0] as Promise<LayerReading>);
      void pending.shift();
      waitingBytes -= heldBytes(one);
      yield one;
    }
  } finally {
    isOver = true;
    await Promise.allSettled(pending);
  }
}

const heldBytes = ({ record }: LayerReading): number =>
  record.kept.reduce((sum, { bytes }) => sum + bytes.length, record.events.length);

/** From the cache, or read and kept there. */
export async function readOne(
  layer: LayerInput,
  { reader, cache }: Sources,
  again?: Again,
): Promise<LayerReading> {
  const known = await cache?.get(layer.diffId, again);
  if (known !== undefined) return known;
  const reading = await reader.read(layer, again);
  // What was not compared with its diffID may not stand for it later.
  if (layer.skipDiffId !== true) await cache?.put(layer.diffId, reading, again);
  return reading;
}
