/**
 * Reads one layer once: compressed digest, decompression, uncompressed digest and tar walk in one pass, in
 * constant memory. What the bytes are is decided by their first bytes; the media type must name a known form.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Digest } from '#base/brand';
import { type Hasher, hasher } from '#base/crypto';
import { digestAlgorithm, digestFromBytes } from '#base/digest';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import type { Descriptor } from '#formats/oci';
import { cutFrames } from '#formats/zstd-frames';
import type { FilePlace } from '#oci';
import { createInflater, type Inflater } from '#platform/inflate';
import { R } from './reasons.ts';
import { type OnEntry, TarWalker } from './tar.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

const layerTypes: ReadonlyMap<string, Compression> = new Map([
  ['application/vnd.oci.image.layer.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.v1.tar+zstd', 'zstd'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', 'zstd'],
  ['application/vnd.docker.image.rootfs.diff.tar', 'none'],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip'],
  ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'zstd'],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'gzip'],
]);

/** Below this much output the expansion ratio is not judged: small files of zeros compress without end. */
const RATIO_FREE_BYTES = 64 * 1024 * 1024;
/** Each piece wakes two threads, in both directions. */
const PIECE_BYTES = 256 * 1024;

export interface LayerInput {
  readonly index: number;
  readonly descriptor: Descriptor;
  /** From the image configuration. */
  readonly diffId: Digest;
  readonly open: () => AsyncIterable<Uint8Array>;
  /** Where the stored bytes lie unchecked; what reads there need not ask this thread for them. */
  readonly place?: FilePlace;
  /** `open` checks the digest of what it delivers itself, as `ImageSource.blob` does. */
  readonly isChecked?: boolean;
  /** The stored bytes are pinned by their digest; those inside are taken as the builder made them. */
  readonly skipDiffId?: boolean;
}

export interface LayerFacts {
  readonly entries: number;
  readonly bytes: number;
  /** Of the bytes that were read. Another image may store the same layer in another form. */
  readonly stored: Digest;
  /** What their first bytes said. */
  readonly compression: Compression;
}

/** What the media type of a layer says; WB-840 for a type that is no known archive. */
export function statedCompression({
  descriptor,
  index,
}: Pick<LayerInput, 'descriptor' | 'index'>): Compression {
  const stated = layerTypes.get(descriptor.mediaType);
  if (stated !== undefined) return stated;
  throw fail(R.layerType, {
    expected: `layer ${index + 1} (${descriptor.digest}) of a tar media type`,
    actual: descriptor.mediaType,
  });
}

/**
 * `streamed`: threads of the pool inflate, this one stays free for others. `here`: this thread does, which takes
 * less of the machine as a whole.
 */
export type Inflating = 'streamed' | 'here';

/** `doubt`: why what was read may not be all. */
export interface LayerWalk extends LayerFacts {
  readonly doubt?: string;
}

/** Walks a layer. Throws WB-840…845 naming the layer; nothing may be believed of a layer that threw. */
export async function readLayer(
  layer: LayerInput,
  onEntry: OnEntry,
  inflating: Inflating = 'streamed',
): Promise<LayerWalk> {
  statedCompression(layer);
  const label = `layer ${layer.index + 1} (${layer.descriptor.digest})`;
  const walker = new TarWalker(onEntry);
  const outside = new Outside(layer.descriptor, label, layer.isChecked === true);
  const diffId = layer.skipDiffId === true ? undefined : layer.diffId;
  const inside = new Inside(diffId, label, () => outside.bytes, walker);
  try {
    const compression = await drive(layer.open(), outside, inside, inflating);
    inside.finish();
    const { digest: stored } = layer.descriptor;
    const { entries, doubt } = walker;
    const facts = { entries, bytes: inside.bytes, stored, compression };
    return doubt === undefined ? facts : { ...facts, doubt };
  } catch (error) {
    throw named(error, label);
  }
}

/**
 * What arrived is judged before what is in it: where the source fails or sent other bytes, that is the error, however
 * much was read of them before.
 */
async function drive(
  source: AsyncIterable<Uint8Array>,
  outside: Outside,
  inside: Inside,
  inflating: Inflating,
): Promise<Compression> {
  const stored = new Stored(source, outside);
  try {
    const compression = sniff(await stored.head());
    const take = (chunk: Uint8Array): void => inside.take(chunk);
    if (compression === 'none') await each(stored.rest(), take);
    else {
      const inflater = inflating === 'here' ? createInflater(compression) : undefined;
      const whole = inflater === undefined ? gathered(stored.rest()) : stored.rest();
      const pieces = compression === 'zstd' ? cutFrames(whole) : whole;
      if (inflater === undefined) await stream(compression, pieces, take);
      else await inflateHere(inflater, pieces, take);
    }
    return compression;
  } catch (error) {
    await stored.finish();
    throw error;
  } finally {
    await stored.close();
  }
}

/** The stored bytes in their order, each taken by `outside` once, whoever asks for them. */
class Stored {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #outside: Outside;
  readonly #first: Uint8Array[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #isOver = false;

  constructor(source: AsyncIterable<Uint8Array>, outside: Outside) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#outside = outside;
  }

  /** At least the first four bytes, if there are as many. */
  async head(): Promise<Uint8Array> {
    let length = 0;
    while (length < 4) {
      const chunk = await this.#next();
      if (chunk === undefined) break;
      this.#first.push(chunk);
      length += chunk.length;
    }
    return Buffer.concat(this.#first);
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    yield* this.#first.splice(0);
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) yield chunk;
  }

  /** Reads to the end. Throws what is wrong with the source, once; nothing after that. */
  async finish(): Promise<void> {
    while ((await this.#next()) !== undefined);
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  /** One after the other: a stream that was ended may still wait for a chunk. */
  #next(): Promise<Uint8Array | undefined> {
    const next = this.#last.then(() => this.#pull());
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #pull(): Promise<Uint8Array | undefined> {
    if (this.#isOver) return undefined;
    this.#isOver = true;
    const step = await this.#iterator.next();
    if (step.done === true) {
      this.#outside.finish();
      return undefined;
    }
    this.#outside.take(step.value);
    this.#isOver = false;
    return step.value;
  }
}

type Take = (chunk: Uint8Array) => void;

async function each(chunks: AsyncIterable<Uint8Array>, take: Take): Promise<void> {
  for await (const chunk of chunks) take(chunk);
}

async function stream(kind: 'gzip' | 'zstd', pieces: AsyncIterable<Uint8Array>, take: Take): Promise<void> {
  const open = kind === 'gzip' ? createGunzip : createZstdDecompress;
  const sink = (chunks: AsyncIterable<Uint8Array>): Promise<void> => each(chunks, take);
  await pipeline(Readable.from(pieces), open({ chunkSize: PIECE_BYTES }), sink);
}

/** The same bytes in fewer pieces, of their own memory: a source may fill its own again, a stream reads on. */
async function* gathered(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let buffer = new Uint8Array(PIECE_BYTES);
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + PIECE_BYTES - filled);
      buffer.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < PIECE_BYTES) continue;
      yield buffer;
      buffer = new Uint8Array(PIECE_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}

async function inflateHere(inflater: Inflater, pieces: AsyncIterable<Uint8Array>, take: Take): Promise<void> {
  try {
    await each(pieces, (piece) => inflater.push(piece, take));
    inflater.finish(take);
  } finally {
    inflater.close();
  }
}

function sniff(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  const magic = head.length < 4 ? 0 : Buffer.from(head.subarray(0, 4)).readUInt32LE(0);
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50 ? 'zstd' : 'none';
}

/** The bytes as stored: their digest and size are those of the descriptor. */
class Outside {
  readonly #descriptor: Descriptor;
  readonly #label: string;
  readonly #hasher: Hasher | undefined;
  bytes = 0;

  constructor(descriptor: Descriptor, label: string, isChecked: boolean) {
    this.#descriptor = descriptor;
    this.#label = label;
    this.#hasher = isChecked ? undefined : hasher(digestAlgorithm(descriptor.digest));
  }

  take(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (this.bytes > this.#descriptor.size) throw this.#wrong('more bytes');
    this.#hasher?.update(chunk);
  }

  finish(): void {
    if (this.bytes !== this.#descriptor.size) throw this.#wrong(`${this.bytes} bytes`);
    if (this.#hasher === undefined) return;
    const actual = digestFromBytes(digestAlgorithm(this.#descriptor.digest), this.#hasher.finish());
    if (actual !== this.#descriptor.digest) throw this.#wrong(actual);
  }

  #wrong(actual: string): WaybillError {
    return fail(R.layerDigest, { expected: `${this.#label} of ${this.#descriptor.size} bytes`, actual });
  }
}

/** The bytes after decompression: their digest is the diffID, their amount is bounded. */
class Inside {
  readonly #diffId: Digest | undefined;
  readonly #label: string;
  readonly #compressed: () => number;
  readonly #walker: TarWalker;
  readonly #hasher: Hasher | undefined;
  bytes = 0;

  constructor(diffId: Digest | undefined, label: string, compressed: () => number, walker: TarWalker) {
    this.#diffId = diffId;
    this.#label = label;
    this.#compressed = compressed;
    this.#walker = walker;
    this.#hasher = diffId === undefined ? undefined : hasher(digestAlgorithm(diffId));
  }

  take(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.#checkLimits();
    this.#hasher?.update(chunk);
    this.#walker.push(chunk);
  }

  finish(): void {
    this.#walker.finish();
    if (this.#diffId === undefined || this.#hasher === undefined) return;
    const actual = digestFromBytes(digestAlgorithm(this.#diffId), this.#hasher.finish());
    if (actual !== this.#diffId) {
      throw fail(R.layerDiffId, { expected: `${this.#label} with diffID ${this.#diffId}`, actual });
    }
  }

  #checkLimits(): void {
    if (this.bytes > limits.layerBytes) {
      throw fail(R.layerLimit, { expected: `at most ${limits.layerBytes} bytes`, actual: 'more' });
    }
    if (this.bytes > RATIO_FREE_BYTES && this.bytes > this.#compressed() * limits.layerExpansionRatio) {
      throw fail(R.layerLimit, {
        expected: `at most ${limits.layerExpansionRatio} bytes for each compressed one`,
        actual: `${this.bytes} from ${this.#compressed()}`,
      });
    }
  }
}

/** Puts the layer's name into errors that do not carry it; zlib's own errors become WB-843. */
function named(error: unknown, label: string): unknown {
  if (error instanceof WaybillError) {
    const { reason } = error;
    if (reason.expected.startsWith('layer ') || !/^WB-84\d$/.test(reason.code)) return error;
    return new WaybillError({ ...reason, expected: `${label}: ${reason.expected}` }, { cause: error });
  }
  const { code, message } = error as NodeJS.ErrnoException;
  if (!/^(?:Z_|ZSTD_|ERR_ZSTD)/.test(String(code))) return error;
  return fail(R.layerCompression, { expected: `${label} as a complete stream`, actual: message }, error);
}
