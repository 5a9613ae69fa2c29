/**
 * What real Syft finds in real images, and what we find: by type, name and version. Every difference is of a kind
 * that was looked at and has its reason here; what is left has to agree.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { unwrap } from '#base/result';
import { sbomImage } from '#flows/sbom-image';
import type { Sbom } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import { Registry } from '#oci';
import { run } from '#platform/process';
import { requirePeer } from './cache.ts';
import { type RealImage, realImages } from './sbom-images.ts';

const binary = requirePeer('syft');
const RECALL_MIN = 0.99;

interface Artifact {
  readonly name: string;
  readonly version: string;
  readonly type: string;
  readonly locations: readonly { readonly path: string }[];
}

interface Reviewed {
  readonly why: string;
  readonly isIt: (one: Artifact) => boolean;
}

/** Found by Syft and not by us. */
const reviewed: readonly Reviewed[] = [
  {
    why: 'a manifest without a version is no package',
    isIt: (one) => one.version === 'UNKNOWN' || one.version === '',
  },
  {
    why: 'versions of the Go library are those of purls: without "go"',
    isIt: (one) => one.type === 'go-module' && one.name === 'stdlib',
  },
  { why: 'a main module built from a folder has no version', isIt: (one) => one.version === '(devel)' },
  { why: 'workflows of CI are not what an image holds', isIt: (one) => one.type.startsWith('github-action') },
];

let folder: string;
let images: readonly RealImage[];
before(
  async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-syft-'));
    images = await realImages(folder);
  },
  { timeout: 600_000 },
);
after(() => rm(folder, { recursive: true, force: true }));

const none = (): Promise<never> => Promise.reject(new Error('an image on disk needs no network'));

async function ours(image: RealImage): Promise<Sbom> {
  const registry = new Registry({ transport: { request: none, stream: none } });
  return (await sbomImage(registry, `oci:${image.folder}`, { version: 'test' })).sbom;
}

async function theirs(image: RealImage): Promise<readonly Artifact[]> {
  const file = join(folder, `${image.name}.json`);
  const result = await run(binary, [`oci-dir:${image.folder}`, '-q', '-o', `syft-json=${file}`], {
    timeoutMs: 600_000,
  });
  assert.equal(result.code, 0, result.stderr);
  const text = readFileSync(file);
  // What it writes is read by our own reader as well.
  assert.ok(unwrap(parseSbom(new Uint8Array(text))).packages.length >= 0);
  return (JSON.parse(text.toString()) as { artifacts: Artifact[] }).artifacts;
}

/** Names as both say them: Maven without the group. */
function keyOf(type: string, name: string, version: string): string {
  const bare = type === 'java-archive' ? name.slice(name.indexOf(':') + 1) : name;
  return `${bare.toLowerCase()} ${version}`;
}

const syftTypes: Readonly<Record<string, string>> = {
  golang: 'go-module',
  pypi: 'python',
  maven: 'java-archive',
  cargo: 'rust-crate',
  composer: 'php-composer',
  pear: 'php-pear',
  nuget: 'dotnet',
  generic: 'binary',
  cran: 'R-package',
};

test('at least five real images are there', () =>
  assert.ok(images.length >= 5, images.map((one) => one.name).join(', ')));

test('of what Syft finds in each image, 99 % is found here, and the rest is explained', {
  timeout: 3_000_000,
}, async () => {
  const unexplained: string[] = [];
  for (const image of images) {
    const found = await ours(image);
    const keys = new Set(
      found.packages.map((one) => {
        const type = syftTypes[one.type] ?? one.type;
        return `${type} ${keyOf(type, one.name, one.version)}`;
      }),
    );
    const byType = Map.groupBy(await theirs(image), (one) => one.type);
    for (const [type, list] of byType) {
      const all = new Map(list.map((one) => [keyOf(type, one.name, one.version), one]));
      const missing = [...all].filter(([key]) => !keys.has(`${type} ${key}`));
      const open = missing.filter(([, one]) => !reviewed.some((rule) => rule.isIt(one)));
      const recall = (all.size - open.length) / all.size;
      const explained = missing.length - open.length;
      console.log(
        `${image.name} ${type}: ${all.size - missing.length} of ${all.size}` +
          `${explained === 0 ? '' : `, ${explained} explained`}${open.length === 0 ? '' : `, ${open.length} open`}`,
      );
      if (recall >= RECALL_MIN && open.length <= 3) continue;
      const shown = open
        .slice(0, 20)
        .map(([key, one]) => `${image.name} ${type} ${key} in ${one.locations[0]?.path}`);
      unexplained.push(...shown);
    }
  }
  assert.deepEqual(unexplained, []);
});

test('package managers and we agree on what is installed here', async () => {
  const debian = images.find((one) => one.name === 'debian');
  if (debian !== undefined) {
    const format = '${db:Status-Status} ${Package} ${Version}\n';
    const { stdout } = await run('dpkg-query', ['-W', `-f=${format}`], { timeoutMs: 60_000 });
    const listed = stdout.split('\n').filter((line) => line.startsWith('installed '));
    const found = (await ours(debian)).packages.filter((one) => one.type === 'deb');
    const keys = found.map((one) => `installed ${one.name} ${one.version}`);
    assert.deepEqual([...new Set(keys)].sort(), [...new Set(listed)].sort());
  }
  const node = images.find((one) => one.name === 'node');
  if (node !== undefined) {
    const { stdout } = await run('npm', ['ls', '--all', '--json', '--long=false'], { timeoutMs: 120_000 });
    const listed = new Set<string>();
    const walk = (of: { readonly dependencies?: Record<string, { readonly version?: string }> }): void => {
      for (const [name, one] of Object.entries(of.dependencies ?? {})) {
        if (one.version !== undefined) listed.add(`${name} ${one.version}`);
        walk(one as typeof of);
      }
    };
    walk(JSON.parse(stdout) as Parameters<typeof walk>[0]);
    const keys = new Set((await ours(node)).packages.map((one) => `${one.name} ${one.version}`));
    const missing = [...listed].filter((key) => !keys.has(key));
    console.log(`npm ls: ${listed.size - missing.length} of ${listed.size}`);
    assert.deepEqual(missing, []);
  }
});
