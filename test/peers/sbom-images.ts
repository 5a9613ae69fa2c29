/** Images of real trees, made without a container engine: folders of this machine, and layouts made elsewhere. */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { digestOf } from '#base/digest';
import { buildManifest, describe } from '#formats/oci';
import { createLayout, type Layout } from '#oci';
import { run } from '#platform/process';
import { peersFolder } from './cache.ts';

export interface RealImage {
  readonly name: string;
  /** OCI layout. */
  readonly folder: string;
}

/** Root → what is taken from below it; an image has one layer for each. Patterns that match nothing are left out. */
type Parts = readonly (readonly [root: string, ...patterns: string[]])[];

const trees: Readonly<Record<string, Parts>> = {
  debian: [['/', 'etc/os-release', 'usr/lib/os-release', 'var/lib/dpkg', 'usr/share/doc/*/copyright']],
  python: [
    ['/', 'etc/os-release', 'usr/lib/python3/dist-packages'],
    ['/', 'root/.pyenv/versions/*/lib/python3*/site-packages/*-info'],
  ],
  node: [[process.cwd(), 'package.json', 'node_modules']],
  java: [
    [
      '/',
      'usr/share/java/*.jar',
      'usr/share/maven/lib/*.jar',
      'opt/maven/lib/*.jar',
      'usr/share/apache-maven*/lib/*.jar',
    ],
  ],
  ruby: [['/', 'usr/lib/ruby/gems', 'usr/share/rubygems-integration', 'var/lib/gems']],
  go: [[join(peersFolder, 'bin'), 'crane', 'syft']],
  php: [['/', 'usr/share/php']],
};

/** Layouts under `WAYBILL_IMAGES`, and one for each tree this machine has. */
export async function realImages(folder: string): Promise<RealImage[]> {
  const made: RealImage[] = [];
  for (const [name, parts] of Object.entries(trees)) {
    const layers = parts.flatMap(([root, ...patterns]) => {
      const paths = patterns.flatMap((pattern) => globSync(pattern, { cwd: root }));
      return paths.length === 0 ? [] : [{ root, paths: paths.sort() }];
    });
    if (layers.length === 0) continue;
    const image = { name, folder: join(folder, name) };
    await makeLayout(image.folder, layers);
    made.push(image);
  }
  const given = process.env['WAYBILL_IMAGES'] ?? join(peersFolder, 'images');
  if (!existsSync(given)) return made;
  const others = readdirSync(given).filter((name) => existsSync(join(given, name, 'oci-layout')));
  return [...made, ...others.sort().map((name) => ({ name, folder: join(given, name) }))];
}

async function makeLayout(
  folder: string,
  layers: readonly { readonly root: string; readonly paths: readonly string[] }[],
): Promise<void> {
  const layout = await createLayout(folder);
  const descriptors = [];
  const diffIds: string[] = [];
  for (const { root, paths } of layers) {
    const file = join(folder, 'layer.tar');
    const argv = [
      '-cf',
      file,
      '--sort=name',
      '--exclude=*.pyc',
      '--ignore-failed-read',
      '-C',
      root,
      ...paths,
    ];
    const { code, stderr } = await run('tar', argv, { timeoutMs: 300_000 });
    if (code !== 0) throw new Error(`tar: ${stderr}`);
    const tar = readFileSync(file);
    diffIds.push(digestOf(tar));
    descriptors.push(
      await put(layout, gzipSync(tar, { level: 1 }), 'application/vnd.oci.image.layer.v1.tar+gzip'),
    );
    await rm(file);
  }
  const text = JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: diffIds },
  });
  const config = await put(
    layout,
    new TextEncoder().encode(text),
    'application/vnd.oci.image.config.v1+json',
  );
  await layout.putManifest(buildManifest({ config, layers: descriptors }), { tag: 'v1' });
}

async function put(layout: Layout, bytes: Uint8Array, type: string): Promise<ReturnType<typeof describe>> {
  const content = describe(bytes, type);
  await layout.putBlob(content, async function* () {
    yield bytes;
  });
  return content;
}
