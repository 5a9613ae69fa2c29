/**
 * Output folder → layer blob, in one pass: what is read is at once tarred, hashed, compressed and written to a
 * file of ours, and that file is what is pushed. There is no second look at the output.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Digest } from '#base/brand';
import { type Hasher, hasher } from '#base/crypto';
import { digestFromBytes } from '#base/digest';
import { fail } from '#base/reason';
import type { BuildLayer } from './definition.ts';
import { R } from './reasons.ts';
import { Breather } from './stage.ts';
import { type TarMember, tarEnd, tarHeader, tarPadding } from './tar-write.ts';
import { chunkBuffer, climbsOut, fileChunks, type TreeItem, type TreeLimits, walkTree } from './tree-walk.ts';

export interface BuiltLayer {
  readonly digest: Digest;
  readonly size: number;
  /** Reads the blob again from the file it was written to. */
  readonly open: () => AsyncIterable<Uint8Array>;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  readonly entries: number;
}

export interface LayerOptions {
  readonly limits: TreeLimits;
  /** Owner every file must have. */
  readonly uid?: number;
  /** Seconds: the time of every member. */
  readonly epoch: number;
  readonly gzipLevel: number;
}

const GATHER_BYTES = 256 * 1024;

/** Builds the layer `layer` from `output` into the file `blob`. WB-1122, WB-1123 for what cannot go in. */
export async function buildLayer(
  output: string,
  layer: BuildLayer,
  blob: string,
  options: LayerOptions,
): Promise<BuiltLayer> {
  const plain = hasher();
  const packed = hasher();
  const count = { entries: 0 };
  const source = Readable.from(gathered(tarStream(output, layer, options, count), plain), {
    objectMode: false,
  });
  const gzip = createGzip({ level: options.gzipLevel, chunkSize: GATHER_BYTES });
  await pipeline(source, gzip, hashing(packed), createWriteStream(blob, { flags: 'wx', mode: 0o600 }));
  const { size } = await stat(blob);
  return {
    digest: digestFromBytes('sha256', packed.finish()),
    diffId: digestFromBytes('sha256', plain.finish()),
    size,
    entries: count.entries,
    open: () => createReadStream(blob, { highWaterMark: GATHER_BYTES }),
  };
}

/** Passes bytes on and hashes them; the operating-system byte of the gzip header is set to "unknown". */
function hashing(state: Hasher): Transform {
  let isFirst = true;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (isFirst && chunk.length >= 10) {
        chunk[9] = 0xff;
        isFirst = false;
      }
      state.update(chunk);
      done(null, chunk);
    },
  });
}

/** Small pieces joined into large ones, copied out of the shared read buffer, hashed on the way. */
async function* gathered(pieces: AsyncIterable<Uint8Array>, state: Hasher): AsyncGenerator<Buffer> {
  let block = Buffer.allocUnsafe(GATHER_BYTES);
  let used = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const taken = Math.min(piece.length - at, block.length - used);
      block.set(piece.subarray(at, at + taken), used);
      used += taken;
      at += taken;
      if (used < block.length) continue;
      state.update(block);
      yield block;
      block = Buffer.allocUnsafe(GATHER_BYTES);
      used = 0;
    }
  }
  state.update(block.subarray(0, used));
  if (used > 0) yield block.subarray(0, used);
}

async function* tarStream(
  output: string,
  layer: BuildLayer,
  options: LayerOptions,
  count: { entries: number },
): AsyncGenerator<Uint8Array> {
  const prefix = layer.to.slice(1);
  yield* foldersAbove(prefix, options.epoch);
  const buffer = chunkBuffer();
  const breather = new Breather();
  const root = layer.from === '.' ? output : join(output, layer.from);
  await checkNoLinkAbove(output, layer.from);
  for (const item of walkTree(root, { limits: options.limits, ...ownerOf(options) })) {
    const member = memberOf(item, prefix, options.epoch);
    checkName(member.path);
    yield tarHeader(member);
    if (item.kind === 'file') {
      yield* fileChunks(item, buffer);
      yield tarPadding(item.size);
    }
    count.entries += 1;
    await breather.after(member.size);
  }
  if (count.entries === 0) {
    throw fail(R.output, { expected: `something in ${layer.from} of the output`, actual: 'nothing' });
  }
  yield tarEnd;
}

const ownerOf = ({ uid }: LayerOptions): { uid?: number } => (uid === undefined ? {} : { uid });

function* foldersAbove(prefix: string, mtime: number): Generator<Uint8Array> {
  const parts = prefix === '' ? [] : prefix.split('/');
  for (let i = 1; i <= parts.length; i++) {
    const path = parts.slice(0, i).join('/');
    yield tarHeader({ path, kind: 'folder', mode: 0o755, size: 0, mtime });
  }
}

/** `from` may be several folders deep: none of them may be a link. */
async function checkNoLinkAbove(output: string, from: string): Promise<void> {
  const parts = from === '.' ? [] : from.split('/');
  for (let i = 1; i <= parts.length; i++) {
    const path = parts.slice(0, i).join('/');
    const found = await lstat(join(output, path)).catch(() => undefined);
    if (found?.isDirectory() !== true) {
      const actual = found === undefined ? 'nothing' : 'something else';
      throw fail(R.output, { expected: `a folder ${path} in the output`, actual });
    }
  }
}

function memberOf(item: TreeItem, prefix: string, mtime: number): TarMember {
  const path = prefix === '' ? item.path : `${prefix}/${item.path}`;
  if (item.kind === 'link' && climbsOut(path, item.target)) {
    throw fail(R.output, {
      expected: 'links that stay below the root of the image',
      actual: `${JSON.stringify(path)} → ${JSON.stringify(item.target)}`,
    });
  }
  if (item.kind === 'link') return { path, kind: 'link', mode: 0o777, size: 0, target: item.target, mtime };
  // Set-uid and sticky bits stay behind, group and others get what the owner has but writing.
  const mode = item.kind === 'folder' || (item.mode & 0o100) !== 0 ? 0o755 : 0o644;
  const size = item.kind === 'file' ? item.size : 0;
  return { path, kind: item.kind, mode, size, mtime };
}

/** A layer gives `.wh.` names a meaning of their own; a build has no layer below to take from. */
function checkName(path: string): void {
  if (!path.split('/').some((part) => part.startsWith('.wh.'))) return;
  throw fail(R.output, { expected: 'no whiteout names', actual: JSON.stringify(path) });
}
