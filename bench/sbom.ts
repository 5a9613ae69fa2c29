/**
 * How close a whole SBOM comes to its floor: the same layers inflated, walked and hashed inside and outside, in
 * one stream, with nothing looked at. Each measurement is a process of its own, the two take turns, medians are
 * compared. The image: the layout in WAYBILL_BENCH_IMAGE (`oci:DIR[:tag]`), else one made of this machine's own
 * programs and packages. Last line: `{"bench":"sbom","ratios":{…},"pass":…}`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createGunzip } from 'node:zlib';
import { hasher } from '#base/crypto';
import { digestOf } from '#base/digest';
import { sbomImage } from '#flows/sbom-image';
import { buildManifest, describe } from '#formats/oci';
import { createLayout, imageManifest, openImage, Registry } from '#oci';
import { TarWalker } from '#sbom';

const ROUNDS = 5;
const RATIO_MAX = 1.5;
const SHARED_RATIO_MAX = 0.2;
const RSS_MB_MAX = 220;

interface Sample {
  readonly ms: number;
  readonly rssMb: number;
  readonly packages: Readonly<Record<string, number>>;
}

/** One stream with both hashes and a walk over the headers. */
async function floor(image: string): Promise<Record<string, number>> {
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
  return { entries };
}

async function ours(image: string, cacheFolder: string | undefined): Promise<Record<string, number>> {
  const { layerCache, selectCataloguers } = await import('#sbom');
  const cache =
    cacheFolder === undefined
      ? {}
      : { cache: layerCache(cacheFolder, selectCataloguers([], 'image'), 'bench') };
  const { sbom } = await sbomImage(registry(), image, { version: 'bench', ...cache });
  const byType: Record<string, number> = {};
  for (const one of sbom.packages) byType[one.type] = (byType[one.type] ?? 0) + 1;
  return byType;
}

const none = (): Promise<never> => Promise.reject(new Error('no network in a benchmark'));
const registry = (): Registry => new Registry({ transport: { request: none, stream: none } });

/** Runs one contender in its own process, so that memory is its own. */
function sample(contender: string, image: string, cache?: string): Sample {
  const argv = ['--disable-warning=ExperimentalWarning', import.meta.filename, '--child', contender, image];
  const { stdout, status } = spawnSync(process.execPath, [...argv, cache ?? ''], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${contender} failed`);
  return JSON.parse(stdout) as Sample;
}

async function child(contender: string, image: string, cache: string): Promise<void> {
  const start = process.hrtime.bigint();
  const packages =
    contender === 'floor' ? await floor(image) : await ours(image, cache === '' ? undefined : cache);
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  const rssMb = process.resourceUsage().maxRSS / 1024;
  process.stdout.write(JSON.stringify({ ms, rssMb, packages } satisfies Sample));
}

/** Layers of what every machine that runs this has: programs, Python, the packages of this checkout. */
async function makeImage(folder: string): Promise<string> {
  const layout = await createLayout(folder);
  const parts = [
    [
      '/',
      'usr/lib/x86_64-linux-gnu',
      'usr/lib/aarch64-linux-gnu',
      'var/lib/dpkg',
      'etc/os-release',
      'usr/lib/os-release',
    ],
    ['/', 'usr/bin', 'usr/lib/python3', 'usr/share/doc'],
    [process.cwd(), 'node_modules'],
  ] as const;
  const layers = [];
  const diffIds: string[] = [];
  for (const [root, ...paths] of parts) {
    const there = paths.filter((path) => spawnSync('test', ['-e', join(root, path)]).status === 0);
    const file = join(folder, 'layer.tar');
    spawnSync('tar', ['-cf', file, '-C', root, '--sort=name', '--ignore-failed-read', ...there], {
      stdio: 'ignore',
    });
    const tar = readFileSync(file);
    diffIds.push(digestOf(tar));
    execFileSync('gzip', ['-6', '-f', file]);
    const gz = new Uint8Array(readFileSync(`${file}.gz`));
    const layer = describe(gz, 'application/vnd.oci.image.layer.v1.tar+gzip');
    await layout.putBlob(layer, async function* () {
      yield gz;
    });
    layers.push(layer);
    rmSync(`${file}.gz`);
  }
  const text = JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: diffIds },
  });
  const bytes = new TextEncoder().encode(text);
  const config = describe(bytes, 'application/vnd.oci.image.config.v1+json');
  await layout.putBlob(config, async function* () {
    yield bytes;
  });
  await layout.putManifest(buildManifest({ config, layers }), { tag: 'bench' });
  return `oci:${folder}:bench`;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] as number;

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-sbom-'));
  try {
    const given = process.env['WAYBILL_BENCH_IMAGE'];
    const image = given ?? (await makeImage(resolve(folder)));
    const cache = join(folder, 'cache');
    const times = { floor: [] as number[], ours: [] as number[], shared: [] as number[] };
    let peak = 0;
    let packages: Sample['packages'] = {};
    sample('ours', image, cache);
    for (let round = 0; round < ROUNDS; round++) {
      times.floor.push(sample('floor', image).ms);
      const cold = sample('ours', image);
      times.ours.push(cold.ms);
      peak = Math.max(peak, cold.rssMb);
      packages = cold.packages;
      times.shared.push(sample('ours', image, cache).ms);
    }
    const [base, mine, shared] = [times.floor, times.ours, times.shared].map(median) as [
      number,
      number,
      number,
    ];
    const recall = Object.entries(packages).map(([type, count]) => `${count} ${type}`);
    console.log(`floor ${base.toFixed(0)} ms, cold ${mine.toFixed(0)} ms, peak ${peak.toFixed(0)} MB`);
    console.log(`with every layer read before: ${shared.toFixed(0)} ms`);
    console.log(`found: ${recall.sort().join(', ')}`);
    const ratios = {
      'of floor': Number((mine / base).toFixed(2)),
      'layers read before, of cold': Number((shared / mine).toFixed(2)),
      'peak MB': Math.round(peak),
    };
    const pass = mine <= base * RATIO_MAX && shared <= mine * SHARED_RATIO_MAX && peak <= RSS_MB_MAX;
    const result = JSON.stringify({ bench: 'sbom', ratios, pass });
    const target = process.argv.indexOf('--json');
    if (target > 0 && process.argv[target + 1] !== undefined)
      writeFileSync(process.argv[target + 1] as string, result);
    console.log(result);
    process.exitCode = pass ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const at = process.argv.indexOf('--child');
if (at > 0) await child(process.argv[at + 1] ?? '', process.argv[at + 2] ?? '', process.argv[at + 3] ?? '');
else await main();
