/**
 * How close a whole SBOM comes to its floor: the same layers inflated, walked and hashed inside and outside, in one
 * stream, with nothing looked at. Each measurement is a process of its own, they take turns, ratios are those of
 * neighbours. The image: the layout in WAYBILL_BENCH_IMAGE (`oci:DIR[:tag]`), else one made of this machine's own
 * programs and packages, whose recall is printed beside each time. Then memory, of that image and of shapes that would
 * take most of it; `WAYBILL_BENCH_SHAPES=none` leaves those out. Last line: `{"bench":"sbom","ratios":{…},"pass":…}`.
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
import { makeShapes } from './lib/sbom-shapes.ts';

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

const round = (value: number): number => Number(value.toFixed(2));
const quick = (list: readonly number[]): number => quantile(list, 0.1);

/** What one contender needed, round after round, and what it found each time. */
class Series {
  readonly name: string;
  readonly ms: number[] = [];
  readonly cpu: number[] = [];
  peakMb = 0;
  packages: readonly string[] = [];
  /** Rounds whose packages were others than those of the rounds before. */
  changed = 0;

  constructor(name: string) {
    this.name = name;
  }

  add(one: Sample): void {
    if (this.ms.length > 0 && one.packages.join('\n') !== this.packages.join('\n')) this.changed++;
    this.ms.push(one.ms);
    this.cpu.push(one.cpuMs);
    this.peakMb = Math.max(this.peakMb, one.rssMb);
    this.packages = one.packages;
  }

  missed(expected: ReadonlySet<string>): string[] {
    const found = new Set(this.packages);
    return [...expected].filter((one) => !found.has(one));
  }

  print(expected: ReadonlySet<string>): void {
    const times = `${median(this.ms).toFixed(0)} ms, quickest tenth ${quick(this.ms).toFixed(0)} ms`;
    const all = expected.size;
    const recall = all === 0 ? 'not known' : `${all - this.missed(expected).length} of ${all}`;
    const found = this.name === 'floor' ? 'finds nothing' : `recall ${recall} of ${this.packages.length}`;
    console.log(`${this.name.padEnd(8)} ${times}; ${found}; peak ${this.peakMb.toFixed(0)} MB`);
  }
}

/** Memory and recall for images of extreme shapes, on threads and on one; names of those over the gate. */
async function shapes(program: string): Promise<{ readonly peakMb: number; readonly wrong: string[] }> {
  const wrong: string[] = [];
  let peakMb = 0;
  for await (const shape of makeShapes(folder)) {
    for (const threads of ['', '0']) {
      const { rssMb, ms, packages, entries } = await sample(program, ['ours', shape.image, threads]);
      const isWhole = packages.length === shape.packages && entries === shape.entries;
      console.log(
        `${shape.name}${threads === '' ? '' : ', on one thread'}: peak ${rssMb.toFixed(0)} MB; ` +
          `${(shape.bytes / 1e6).toFixed(0)} MB in ${ms.toFixed(0)} ms; ` +
          `recall ${packages.length} of ${shape.packages}, ${entries} of ${shape.entries} entries`,
      );
      if (rssMb > GATES.peakMb || !isWhole) wrong.push(shape.name);
      peakMb = Math.max(peakMb, rssMb);
    }
  }
  return { peakMb, wrong };
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
  const [floor, cold, one, shared] = ['floor', 'cold', 'one', 'shared'].map((name) => new Series(name)) as [
    Series,
    Series,
    Series,
    Series,
  ];
  await sample(program, ['floor', image.name]);
  await sample(program, ['ours', image.name, '', cache]);
  const start = performance.now();
  for (let turn = 0; turn < ROUNDS.most; turn++) {
    if (turn >= ROUNDS.least && performance.now() - start > ROUNDS.untilMs) break;
    floor.add(await sample(program, ['floor', image.name]));
    cold.add(await sample(program, ['ours', image.name]));
    one.add(await sample(program, ['ours', image.name, '0']));
    forget(cache, last);
    shared.add(await sample(program, ['ours', image.name, '', cache]));
  }
  const ours = [cold, one, shared];
  for (const series of [floor, ...ours]) series.print(image.expected);
  console.log(`found ${counts(cold.packages)}; ${floor.ms.length} rounds`);
  const missed = ours.flatMap((series) => series.missed(image.expected));
  for (const name of missed.slice(0, 5)) console.log(`  missed ${name}`);
  const isSame = ours.every(
    (series) => series.changed === 0 && series.packages.join('\n') === cold.packages.join('\n'),
  );
  console.log(
    `the packages of ${ours.map(({ name }) => name).join(', ')} are ${isSame ? '' : 'NOT '}the same`,
  );
  const isShaped = process.env['WAYBILL_BENCH_SHAPES'] !== 'none';
  const extreme = isShaped ? await shapes(program) : { peakMb: 0, wrong: [] };
  for (const name of extreme.wrong) console.log(`  over the gate or not whole: ${name}`);
  const peakMb = Math.max(...ours.map((series) => series.peakMb));
  const ratios = {
    'of floor': round(ratioOf(cold.ms, floor.ms)),
    'of floor, quickest tenth': round(quick(cold.ms) / quick(floor.ms)),
    'of floor, processor time': round(ratioOf(cold.cpu, floor.cpu)),
    'of floor, on one thread': round(ratioOf(one.ms, floor.ms)),
    'all but one layer shared, of cold': round(ratioOf(shared.ms, cold.ms)),
    'peak MB': Math.round(peakMb),
    ...(isShaped ? { 'peak MB, of extreme shapes': Math.round(extreme.peakMb) } : {}),
  };
  const isQuick =
    ratios['of floor'] <= GATES.ofFloor && ratios['all but one layer shared, of cold'] <= GATES.shared;
  const isSmall = peakMb <= GATES.peakMb && extreme.wrong.length === 0;
  report('sbom', ratios, isQuick && isSmall && isSame && missed.length === 0);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
