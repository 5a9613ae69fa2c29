/**
 * How close a whole SBOM comes to its floor: the same layers inflated, walked and hashed inside and outside, in one
 * stream, with nothing looked at. Each measurement is a process of its own, they take turns, ratios are those of
 * neighbours. The image: the layout in WAYBILL_BENCH_IMAGE (`oci:DIR[:tag]`), else one made of this machine's own
 * programs and packages, whose recall is printed. Last line: `{"bench":"sbom","ratios":{…},"pass":…}`.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestHex } from '#base/digest';
import { imageConfig, imageManifest, openImage, Registry } from '#oci';
import { bundleProgram } from './lib/bundle.ts';
import { ratioOf, run } from './lib/processes.ts';
import { median, quantile, report } from './lib/report.ts';
import type { Sample } from './lib/sbom-contender.ts';
import { makeImage } from './lib/sbom-image.ts';

const ROUNDS = { least: 5, most: 25, untilMs: 60_000 };
const GATES = { ofFloor: 1.5, shared: 0.2, peakMb: 220 };

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-sbom-'));

/** Runs one contender in its own process, so that memory is its own. */
async function sample(program: string, words: readonly string[]): Promise<Sample> {
  const env = { PATH: process.env['PATH'] ?? '' };
  const { stdout } = await run({ command: process.execPath, args: [program, ...words], cwd: folder, env });
  return JSON.parse(stdout) as Sample;
}

const none = (): Promise<never> => Promise.reject(new Error('no network in a benchmark'));

/** The diffID of the last layer, in hex: the one an image does not share. */
async function lastLayer(image: string): Promise<string> {
  const registry = new Registry({ transport: { request: none, stream: none } });
  const { source, selector } = await openImage(registry, image);
  const { digest } = await source.resolve(selector);
  const { diffIds } = await imageConfig(source, await imageManifest(source, digest));
  return digestHex(diffIds.at(-1) as (typeof diffIds)[number]);
}

function forget(cache: string, layer: string): void {
  for (const name of readdirSync(cache)) if (name.startsWith(layer)) rmSync(join(cache, name));
}

function counts(packages: readonly string[]): string {
  const byType = Map.groupBy(packages, (one) => one.split(' ')[0] ?? '');
  return [...byType]
    .map(([type, list]) => `${list.length} ${type}`)
    .sort()
    .join(', ');
}

try {
  const given = process.env['WAYBILL_BENCH_IMAGE'];
  const image =
    given === undefined
      ? await makeImage(join(folder, 'image'))
      : { name: given, expected: new Set<string>(), bytes: 0 };
  const program = await bundleProgram('bench/lib/sbom-contender.ts', folder);
  const cache = join(folder, 'cache');
  const last = await lastLayer(image.name);
  const ms = { floor: [] as number[], cold: [] as number[], one: [] as number[], shared: [] as number[] };
  const cpu = { floor: [] as number[], cold: [] as number[] };
  let peakMb = 0;
  let peakOfOne = 0;
  await sample(program, ['floor', image.name]);
  let { packages } = await sample(program, ['ours', image.name, '', cache]);
  const start = performance.now();
  for (let round = 0; round < ROUNDS.most; round++) {
    if (round >= ROUNDS.least && performance.now() - start > ROUNDS.untilMs) break;
    const floor = await sample(program, ['floor', image.name]);
    const cold = await sample(program, ['ours', image.name]);
    const one = await sample(program, ['ours', image.name, '0']);
    forget(cache, last);
    const shared = await sample(program, ['ours', image.name, '', cache]);
    ms.floor.push(floor.ms);
    ms.cold.push(cold.ms);
    ms.one.push(one.ms);
    ms.shared.push(shared.ms);
    cpu.floor.push(floor.cpuMs);
    cpu.cold.push(cold.cpuMs);
    peakMb = Math.max(peakMb, cold.rssMb, shared.rssMb);
    peakOfOne = Math.max(peakOfOne, one.rssMb);
    packages = cold.packages;
  }
  const found = new Set(packages);
  const missed = [...image.expected].filter((one) => !found.has(one));
  const recall =
    image.expected.size === 0
      ? 'not known'
      : `${image.expected.size - missed.length} of ${image.expected.size}`;
  const quick = (list: readonly number[]): number => quantile(list, 0.1);
  for (const [name, list] of Object.entries(ms)) {
    console.log(
      `${name.padEnd(8)} ${median(list).toFixed(0)} ms, quickest tenth ${quick(list).toFixed(0)} ms`,
    );
  }
  console.log(
    `found ${counts(packages)}; recall ${recall}; ${ms.floor.length} rounds, peak ${peakMb.toFixed(0)} MB`,
  );
  for (const one of missed.slice(0, 5)) console.log(`  missed ${one}`);
  const round = (value: number): number => Number(value.toFixed(2));
  const ratios = {
    'of floor': round(ratioOf(ms.cold, ms.floor)),
    'of floor, quickest tenth': round(quick(ms.cold) / quick(ms.floor)),
    'of floor, processor time': round(ratioOf(cpu.cold, cpu.floor)),
    'of floor, on one thread': round(ratioOf(ms.one, ms.floor)),
    'all but one layer shared, of cold': round(ratioOf(ms.shared, ms.cold)),
    'peak MB': Math.round(peakMb),
    'peak MB, on one thread': Math.round(peakOfOne),
  };
  const isQuick =
    ratios['of floor'] <= GATES.ofFloor && ratios['all but one layer shared, of cold'] <= GATES.shared;
  const isSmall = Math.max(peakMb, peakOfOne) <= GATES.peakMb;
  report('sbom', ratios, isQuick && isSmall && missed.length === 0);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
