/** Reads the layers of an image, several at a time where there are threads for it, into records. */
import type { Digest } from '#base/brand';
import { type Again, Capture } from './capture.ts';
import { type LayerFacts, type LayerInput, readLayer } from './layer.ts';
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

/** Where records of layers are kept between runs. */
export interface LayerCache {
  get(diffId: Digest): Promise<LayerReading | undefined>;
  put(diffId: Digest, reading: LayerReading): Promise<void>;
}

/** What cataloguers want, once for all layers. */
export function matcherOf(cataloguers: readonly Cataloguer[]): PathMatcher<Cataloguer> {
  return new PathMatcher(cataloguers.map((one) => [one, one.files] as const));
}

/** Reads one layer on this thread. */
export async function recordLayer(
  layer: LayerInput,
  cataloguers: readonly Cataloguer[],
  matcher: PathMatcher<Cataloguer>,
  again?: Again,
): Promise<LayerReading> {
  const writer = new RecordWriter();
  const capture = new Capture({ cataloguers, matcher, ...(again === undefined ? {} : { again }) }, writer);
  const facts = await readLayer(layer, capture.onEntry);
  return { facts, record: writer.finish() };
}

/** The reader that needs no other thread. */
export function localReader(
  cataloguers: readonly Cataloguer[],
  matcher: PathMatcher<Cataloguer>,
): LayerReader {
  return {
    width: 1,
    read: (layer, again) => recordLayer(layer, cataloguers, matcher, again),
    close: () => Promise.resolve(),
  };
}

/**
 * Starts reading at most `reader.width` layers ahead and hands the readings out in order. After a failure the
 * others are waited for, so that nothing runs on behind the caller's back.
 */
export async function* readLayers(
  layers: readonly LayerInput[],
  reader: LayerReader,
  cache?: LayerCache,
): AsyncGenerator<LayerReading> {
  const pending: Promise<LayerReading>[] = [];
  let next = 0;
  const fill = (): void => {
    while (next < layers.length && pending.length < reader.width) {
      const reading = cached(layers[next++] as LayerInput, reader, cache);
      // Seen when its turn comes; until then it is not unhandled.
      reading.catch(() => undefined);
      pending.push(reading);
    }
  };
  try {
    for (fill(); pending.length > 0; fill()) yield await (pending.shift() as Promise<LayerReading>);
  } finally {
    await Promise.allSettled(pending);
  }
}

async function cached(
  layer: LayerInput,
  reader: LayerReader,
  cache: LayerCache | undefined,
): Promise<LayerReading> {
  const known = await cache?.get(layer.diffId);
  if (known !== undefined) return known;
  const reading = await reader.read(layer);
  await cache?.put(layer.diffId, reading);
  return reading;
}
