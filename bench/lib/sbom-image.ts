/** An image made of what this machine has: its programs, libraries, package database, and this checkout's packages. */
import { execFileSync, spawn } from 'node:child_process';
import { createWriteStream, globSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { hasher } from '#base/crypto';
import { digestFromBytes } from '#base/digest';
import { buildManifest, type Descriptor, describe } from '#formats/oci';
import { createLayout, type Layout } from '#oci';

/** Two large layers and two small ones, as images have them. */
const parts: readonly {
  readonly root: string;
  readonly most: number;
  readonly patterns: readonly string[];
}[] = [
  {
    root: '/',
    most: 120e6,
    patterns: [
      'etc/os-release',
      'usr/lib/os-release',
      'var/lib/dpkg',
      'usr/share/doc/*/copyright',
      'usr/bin/*',
    ],
  },
  { root: '/', most: 120e6, patterns: ['usr/lib/*-linux-gnu*/**'] },
  { root: process.cwd(), most: 50e6, patterns: ['node_modules/**'] },
  { root: '/', most: 20e6, patterns: ['usr/lib/python3/dist-packages/**'] },
];

export interface BenchImage {
  /** `oci:DIR:tag`. */
  readonly name: string;
  /** `type name version` of packages that must be found. */
  readonly expected: ReadonlySet<string>;
  /** Uncompressed bytes. */
  readonly bytes: number;
}

/** The first files below the root that fit into `most` bytes together; a folder stands for all in it. */
function chosen(root: string, patterns: readonly string[], most: number): string[] {
  const files: string[] = [];
  let bytes = 0;
  for (const path of patterns.flatMap((pattern) => globSync(pattern, { cwd: root }).sort())) {
    const info = lstatSync(join(root, path), { throwIfNoEntry: false });
    if (info === undefined) continue;
    if (info.isDirectory() && path !== 'var/lib/dpkg') continue;
    // One huge program must not be the layer.
    if (info.size > most / 8 || bytes + info.size > most) continue;
    bytes += info.size;
    files.push(path);
  }
  return files;
}

async function addLayer(
  layout: Layout,
  folder: string,
  root: string,
  files: readonly string[],
): Promise<{ readonly layer: Descriptor; readonly diffId: string; readonly bytes: number }> {
  const list = join(folder, 'files');
  writeFileSync(list, files.join('\0'));
  const words = ['-c', '-C', root, '--null', '-T', list, '--ignore-failed-read', '--warning=none'];
  const tar = spawn('tar', words, { stdio: ['ignore', 'pipe', 'ignore'] });
  const inside = hasher('sha256');
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      inside.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  const path = join(folder, 'layer.gz');
  await pipeline(tar.stdout, counted, createGzip({ level: 6 }), createWriteStream(path));
  const gz = new Uint8Array(readFileSync(path));
  const layer = describe(gz, 'application/vnd.oci.image.layer.v1.tar+gzip');
  await layout.putBlob(layer, async function* () {
    yield gz;
  });
  return { layer, diffId: digestFromBytes('sha256', inside.finish()), bytes };
}

/** What package managers say is in the files. */
function packagesIn(root: string, files: readonly string[]): string[] {
  const found: string[] = [];
  for (const path of files) {
    if (path === 'var/lib/dpkg') {
      const list = execFileSync('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Package} ${Version}\n'], {
        encoding: 'utf8',
      });
      for (const [, name] of list.matchAll(/^installed (.+)$/gm)) found.push(`deb ${name}`);
    } else if (/^node_modules\/(?:@[^/]+\/)?[^/@]+\/package\.json$/.test(path)) {
      const { name, version } = JSON.parse(readFileSync(join(root, path), 'utf8')) as Record<string, unknown>;
      if (name !== undefined && version !== undefined) found.push(`npm ${String(name)} ${String(version)}`);
    }
  }
  return found;
}

export async function makeImage(folder: string): Promise<BenchImage> {
  const layout = await createLayout(folder);
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  const expected = new Set<string>();
  let bytes = 0;
  for (const { root, most, patterns } of parts) {
    const files = chosen(root, patterns, most);
    if (files.length === 0) continue;
    const added = await addLayer(layout, folder, root, files);
    layers.push(added.layer);
    diffIds.push(added.diffId);
    bytes += added.bytes;
    for (const one of packagesIn(root, files)) expected.add(one);
  }
  const rootfs = { type: 'layers', diff_ids: diffIds };
  const text = new TextEncoder().encode(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }));
  const config = describe(text, 'application/vnd.oci.image.config.v1+json');
  await layout.putBlob(config, async function* () {
    yield text;
  });
  await layout.putManifest(buildManifest({ config, layers }), { tag: 'bench' });
  return { name: `oci:${folder}:bench`, expected, bytes };
}
