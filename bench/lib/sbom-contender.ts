/** Run as a process: reads an image once (`floor|ours IMAGE [threads] [cache]`) and says how long that took. */
import { readFileSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { hasher } from '#base/crypto';
import { sbomImage } from '#flows/sbom-image';
import { imageManifest, openImage, Registry } from '#oci';
import { layerCache, selectCataloguers, TarWalker } from '#sbom';

export interface Sample {
  readonly ms: number;
  /** Of all threads. */
  readonly cpuMs: number;
  readonly rssMb: number;
  readonly entries: number;
  /** `type name` of each package. */
  readonly packages: readonly string[];
}

const none = (): Promise<never> => Promise.reject(new Error('no network in a benchmark'));
const registry = (): Registry => new Registry({ transport: { request: none, stream: none } });

type Found = Pick<Sample, 'entries' | 'packages'>;

/** One stream with both hashes and a walk over the headers. */
async function floor(image: string): Promise<Found> {
  const opened = await openImage(registry(), image);
  const { digest } = await opened.source.resolve(opened.selector);
  const manifest = await imageManifest(opened.source, digest);
  let entries = 0;
  for (const layer of manifest.layers) {
    const inside = hasher('sha256');
    const walker = new TarWalker(() => undefined);
    const gunzip = createGunzip({ chunkSize: 64 * 1024 });
    const feed = async (): Promise<void> => {
      // The source hashes what it delivers.
      for await (const chunk of opened.source.blob(layer)) {
        if (!gunzip.write(chunk)) await new Promise((done) => gunzip.once('drain', done));
      }
      gunzip.end();
    };
    const fed = feed();
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>) {
      inside.update(chunk);
      walker.push(chunk);
    }
    await fed;
    inside.finish();
    walker.finish();
    entries += walker.entries;
  }
  return { entries, packages: [] };
}

async function ours(image: string, threads: string, folder: string): Promise<Found> {
  const chosen = selectCataloguers([], 'image');
  const cache = folder === '' ? {} : { cache: layerCache(folder, chosen, 'bench') };
  const count = threads === '' ? {} : { threads: Number(threads) };
  const { sbom, entries } = await sbomImage(registry(), image, { version: 'bench', ...cache, ...count });
  return { entries, packages: sbom.packages.map((one) => `${one.type} ${one.name}`) };
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
