/**
 * An SBOM of the same image by waybill as published, by Trivy and by Syft, whole processes in turns, all cold: nobody
 * has a cache of layers. What each finds is compared by type: of packages with a version ours may not be fewer.
 * Recall is printed beside each time: of what the package managers say is in an image that is made here, of what both
 * others list in one that is given. Gates: 1.2 of Trivy's time, 0.35 of Syft's, 220 MB, recall whole. The image: the
 * layout in WAYBILL_BENCH_IMAGE (`oci:DIR[:tag]`; one of a single image), else one made of this machine's own programs
 * and packages.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unwrap } from '#base/result';
import { parsePurl } from '#formats/purl';
import { commandLine } from '../../build/command-line.ts';
import { requirePeer } from '../../test/peers/cache.ts';
import { type Program, peakMemory, ratioOf, run } from '../lib/processes.ts';
import { median, quantile, report } from '../lib/report.ts';
import { makeImage } from '../lib/sbom-image.ts';

const ROUNDS = { least: 3, most: 12, untilMs: 60_000 };
const GATES = { trivy: 1.2, syft: 0.35, peakMb: 220 };
const tools = ['waybill', 'trivy', 'syft'] as const;
type Tool = (typeof tools)[number];

const peers = { trivy: requirePeer('trivy'), syft: requirePeer('syft') };
const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-sbom-'));
const document = (tool: Tool): string => join(folder, `${tool}.json`);

function programs(image: string, layout: string): Record<Tool, Program> {
  const home = join(folder, 'home');
  mkdirSync(join(home, '.cache'), { recursive: true, mode: 0o700 });
  const env = { HOME: home, PATH: process.env['PATH'] ?? '', SYFT_CHECK_FOR_APP_UPDATE: 'false' };
  const program = (command: string, args: readonly string[]): Program => ({
    command,
    args,
    cwd: folder,
    env,
  });
  const offline = ['--skip-db-update', '--skip-java-db-update', '--offline-scan', '--skip-version-check'];
  const trivy = ['image', '--input', layout, '--cache-dir', join(folder, 'trivy'), ...offline, '--quiet'];
  const waybill = [join(folder, 'dist', 'bin', 'waybill'), 'sbom', image, '--quiet'];
  return {
    waybill: program(process.execPath, [...waybill, '-o', `cyclonedx-json=${document('waybill')}`]),
    trivy: program(peers.trivy, [...trivy, '--format', 'cyclonedx', '--output', document('trivy')]),
    syft: program(peers.syft, [
      'scan',
      `oci-dir:${layout}`,
      '-q',
      '-o',
      `cyclonedx-json=${document('syft')}`,
    ]),
  };
}

/** `name version` of each package that has a version, by purl type. */
function packagesIn(tool: Tool): ReadonlyMap<string, ReadonlySet<string>> {
  const { components } = JSON.parse(readFileSync(document(tool), 'utf8')) as {
    readonly components: readonly { readonly purl?: string }[];
  };
  const found = new Map<string, Set<string>>();
  for (const { purl } of components) {
    if (purl === undefined) continue;
    const { type, namespace, name, version, qualifiers } = unwrap(parsePurl(purl, { lenient: true }));
    if (version === undefined || version === '') continue;
    // Trivy writes the epoch of a Debian version beside it.
    const epoch = type === 'deb' ? qualifiers.get('epoch') : undefined;
    const whole = epoch === undefined ? version : `${epoch}:${version}`;
    const list = found.get(type) ?? new Set();
    found.set(type, list.add(`${namespace ?? ''}/${name} ${whole}`));
  }
  return found;
}

/** `type name version` of each package the tool lists. */
function namesIn(tool: Tool): ReadonlySet<string> {
  const bare = (type: string, one: string): string =>
    type === 'deb' ? one.slice(one.indexOf('/') + 1) : one.replace(/^\//, '');
  return new Set(
    [...packagesIn(tool)].flatMap(([type, list]) => [...list].map((one) => `${type} ${bare(type, one)}`)),
  );
}

/** What has to be found where no package manager was asked: what both others list. */
const agreed = (): ReadonlySet<string> => namesIn('trivy').intersection(namesIn('syft'));

/** Prints what each finds of a type; the types of which ours are fewer. */
function compared(): string[] {
  const [ours, ...theirs] = tools.map((tool) => [tool, packagesIn(tool)] as const);
  const fewer: string[] = [];
  for (const [tool, found] of theirs) {
    for (const [type, list] of found) {
      const mine = ours?.[1].get(type) ?? new Set();
      const both = [...list].filter((one) => mine.has(one)).length;
      console.log(`${type}: ${mine.size}, ${tool} ${list.size}, of which we have ${both}`);
      if (mine.size < list.size) fewer.push(`${type} of ${tool}`);
    }
  }
  return fewer;
}

try {
  const given = process.env['WAYBILL_BENCH_IMAGE'];
  const { name: image, expected: managed } =
    given === undefined ? await makeImage(join(folder, 'image')) : { name: given, expected: undefined };
  const layout = /^oci:(.+?)(?::[\w.-]+)?$/.exec(image)?.[1];
  if (layout === undefined) throw new Error(`WAYBILL_BENCH_IMAGE must be oci:DIR[:tag], not ${image}`);
  await commandLine(join(folder, 'dist'), '0.0.0');
  const all = programs(image, layout);
  const ms: Record<Tool, number[]> = { waybill: [], trivy: [], syft: [] };
  const start = performance.now();
  for (let round = -1; round < ROUNDS.most; round++) {
    if (round >= ROUNDS.least && performance.now() - start > ROUNDS.untilMs) break;
    for (const tool of tools) {
      rmSync(join(folder, 'trivy'), { recursive: true, force: true });
      const ran = await run(all[tool]);
      // The first turn fills the file cache, and keeps compiled code.
      if (round >= 0) ms[tool].push(ran.ms);
    }
  }
  const expected = managed ?? agreed();
  const recall = new Map(tools.map((tool) => [tool, expected.intersection(namesIn(tool)).size]));
  for (const tool of tools) {
    const quick = quantile(ms[tool], 0.1).toFixed(0);
    const times = `${median(ms[tool]).toFixed(0)} ms, quickest tenth ${quick} ms`;
    console.log(`${tool.padEnd(8)} ${times}; recall ${recall.get(tool)} of ${expected.size}`);
  }
  const fewer = compared();
  for (const one of fewer) console.log(`  fewer than ${one}`);
  const peak = await peakMemory(all.waybill, folder);
  const round = (value: number): number => Number(value.toFixed(2));
  const quick = (tool: Tool): number => quantile(ms[tool], 0.1);
  const ratios = {
    'of Trivy': round(ratioOf(ms.waybill, ms.trivy)),
    'of Trivy, quickest tenth': round(quick('waybill') / quick('trivy')),
    'of Syft': round(ratioOf(ms.waybill, ms.syft)),
    'of Syft, quickest tenth': round(quick('waybill') / quick('syft')),
    'peak MB': Math.round(peak),
  };
  const isQuick = ratios['of Trivy'] <= GATES.trivy && ratios['of Syft'] <= GATES.syft;
  const isWhole = fewer.length === 0 && recall.get('waybill') === expected.size;
  report('sbom', ratios, isQuick && isWhole && peak <= GATES.peakMb);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
