/** Run as a process: reads an image once (`floor|ours IMAGE [threads] [cache]`) and says how long that took. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { hasher } from '#base/crypto';
import { digestFromBytes } from '#base/digest';
import { sbomImage } from '#flows/sbom-image';
import { type FilePlace, imageConfig, imageManifest, openImage, Registry } from '#oci';
import { createInflater } from '#platform/inflate';
import { layerCache, selectCataloguers, TarWalker } from '#sbom';

export interface Sample {
  readonly ms: number;
  /** Of all threads. */
  readonly cpuMs: number;
  readonly rssMb: number;
  readonly entries: number;
  /** `type name version` of each package. */
  readonly packages: readonly string[];
}

const none = (): Promise<never> => Promise.reject(new Error('no network in a benchmark'));
const registry = (): Registry => new Registry({ transport: { request: none, stream: none } });

type Found = Pick<Sample, 'entries' | 'packages'>;

/**
 * One stream: read, both hashes compared, inflated in place, and a walk over the headers. As quick as this machine
 * has it: no thread is woken and no memory taken for a piece.
 */
async function floor(image: string): Promise<Found> {
  const { source, selector } = await openImage(registry(), image);
  const { digest } = await source.resolve(selector);
  const manifest = await imageManifest(source, digest);
  const { diffIds } = await imageConfig(source, manifest);
  let entries = 0;
  for (const [i, layer] of manifest.layers.entries()) {
    const place = await source.place?.(layer);
    const inflater = createInflater('gzip');
    if (place === undefined || inflater === undefined)
      throw new Error('the floor wants layers in files of their own, and the insides of Node');
    const [inside, outside] = [hasher('sha256'), hasher('sha256')];
    const walker = new TarWalker(() => undefined);
    const take = (chunk: Uint8Array): void => {
      inside.update(chunk);
      walker.push(chunk);
    };
    for (const piece of piecesOf(place)) {
      outside.update(piece);
      inflater.push(piece, take);
    }
    inflater.finish(take);
    inflater.close();
    walker.finish();
    const digests = [outside, inside].map((one) => digestFromBytes('sha256', one.finish()));
    if (digests[0] !== layer.digest || digests[1] !== diffIds[i]) throw new Error(`${digests.join(', ')}`);
    entries += walker.entries;
  }
  return { entries, packages: [] };
}

const PIECE_BYTES = 256 * 1024;

function* piecesOf({ path, offset, size }: FilePlace): Generator<Uint8Array> {
  const handle = openSync(path, 'r');
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  for (let at = 0; at < size; ) {
    const count = readSync(handle, piece, 0, Math.min(PIECE_BYTES, size - at), offset + at);
    if (count === 0) break;
    yield piece.subarray(0, count);
    at += count;
  }
  closeSync(handle);
}

async function ours(image: string, threads: string, folder: string): Promise<Found> {
  const chosen = selectCataloguers([], 'image');
  const cache = folder === '' ? {} : { cache: layerCache(folder, chosen, 'bench') };
  const count = threads === '' ? {} : { threads: Number(threads) };
  const { sbom, entries } = await sbomImage(registry(), image, { version: 'bench', ...cache, ...count });
  return { entries, packages: sbom.packages.map((one) => `${one.type} ${one.name} ${one.version}`) };
}

async function main(): Promise<void> {
  const [contender = '', image = '', threads = '', folder = ''] = process.argv.slice(2);
  const start = process.hrtime.bigint();
  const before = process.cpuUsage();
  const found = await (contender === 'floor' ? floor(image) : ours(image, threads, folder));
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  const { user, system } = process.cpuUsage(before);
  // The peak that `resourceUsage` knows may be that of the parent.
  const rssMb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) / 1024;
  const sample: Sample = { ms, cpuMs: (user + system) / 1000, rssMb, ...found };
  process.stdout.write(JSON.stringify(sample));
}

void main();
