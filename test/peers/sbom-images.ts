/** Images of real trees, made without a container engine: folders of this machine, and layouts made elsewhere. */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { digestOf } from '#base/digest';
import { buildManifest, describe } from '#formats/oci';
import { createLayout, type Layout } from '#oci';
import { run } from '#platform/process';
import { peersFolder } from './cache.ts';
import { findApk } from './sbom-truth.ts';

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
  node: [
    [process.cwd(), 'package.json', 'node_modules'],
    ['/', 'usr/{,local/}lib/node_modules'],
  ],
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
  made.push(
    ...(await rpmImage(folder)),
    ...(await rpmImages(folder)),
    ...(await apkImage(folder)),
    ...(await apkRoot(folder)),
  );
  const given = process.env['WAYBILL_IMAGES'] ?? join(peersFolder, 'images');
  if (!existsSync(given)) return made;
  const others = readdirSync(given).filter((name) => existsSync(join(given, name, 'oci-layout')));
  return [...made, ...others.sort().map((name) => ({ name, folder: join(given, name) }))];
}

/** A source that makes packages with and without an epoch, of the machine and of none. */
const spec = `Name: alpha
Epoch: 1
Version: 1.2
Release: 3
Summary: first
License: MIT
%description
first
%package -n beta
Summary: second
BuildArch: noarch
Version: 2.0~rc1
%description -n beta
second
%package devel
Summary: third
Requires: alpha = 1:1.2-3
%description devel
third
%files
%files -n beta
%files devel
`;

/** A root whose database real rpm wrote. */
async function rpmImage(folder: string): Promise<RealImage[]> {
  const built = await rpmsIn(join(folder, 'rpmbuild'));
  if (built === undefined) return [];
  const root = join(folder, 'rpm-root');
  await mkdir(join(root, 'etc'), { recursive: true });
  await writeFile(join(root, 'etc/os-release'), 'ID=rocky\nID_LIKE="rhel"\nVERSION_ID=9.4\n');
  const place = ['--root', root, '--dbpath', '/var/lib/rpm'];
  await must('rpm', [...place, '-i', '--justdb', '--nodeps', ...built]);
  const image = { name: 'rpm', folder: join(folder, 'rpm') };
  await makeLayout(image.folder, [{ root, paths: ['etc', 'var'] }]);
  return [image];
}

/** Databases of rpm out of published images, CentOS 5 to Fedora 35, that came with the modules Syft is built from. */
async function rpmImages(folder: string): Promise<RealImage[]> {
  const testdata =
    'gopath/pkg/mod/github.com/anchore/go-rpmdb@v0.2*/pkg/testdata/*/{Packages,Packages.db,rpmdb.sqlite}';
  const made: RealImage[] = [];
  for (const path of globSync(testdata, { cwd: peersFolder }).sort()) {
    const name = basename(dirname(path));
    const root = join(folder, `${name}-root`);
    await mkdir(join(root, 'var/lib/rpm'), { recursive: true });
    await mkdir(join(root, 'etc'), { recursive: true });
    const [, id, version] = /^([a-z-]+?)-?([\d.]+)?(?:-|$)/.exec(name) ?? [];
    await writeFile(join(root, 'etc/os-release'), `ID=${id}\nID_LIKE=rhel\nVERSION_ID=${version ?? 1}\n`);
    await copyFile(join(peersFolder, path), join(root, 'var/lib/rpm', basename(path)));
    const image = { name: `rpm-${name}`, folder: join(folder, `rpm-${name}`) };
    await makeLayout(image.folder, [{ root, paths: ['etc', 'var'] }]);
    made.push(image);
  }
  return made;
}

/** Undefined where this machine has no rpmbuild. */
async function rpmsIn(folder: string): Promise<string[] | undefined> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'alpha.spec'), spec);
  const args = ['-bb', '--quiet', '--define', `_topdir ${folder}`, join(folder, 'alpha.spec')];
  const ran = await run('rpmbuild', args, { timeoutMs: 60_000 }).catch(() => undefined);
  if (ran?.code !== 0) return undefined;
  return globSync('RPMS/**/*.rpm', { cwd: folder }).map((path) => join(folder, path));
}

async function must(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(program, [...args], { timeoutMs: 60_000 });
  if (code !== 0) throw new Error(`${program}: ${stderr}`);
  return stdout;
}

/** A database of apk that others published. */
async function apkImage(folder: string): Promise<RealImage[]> {
  const shared = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'vectors/packages/os/apk');
  const [database] = globSync('**/installed', { cwd: shared }).sort();
  if (database === undefined) return [];
  const root = join(folder, 'alpine-root');
  await mkdir(join(root, 'lib/apk/db'), { recursive: true });
  await copyFile(join(shared, database), join(root, 'lib/apk/db/installed'));
  return [await alpineLayout(folder, 'alpine', root)];
}

/** A root that apk itself filled, upgraded and removed from; none where it is not to be had. */
async function apkRoot(folder: string): Promise<RealImage[]> {
  const apk = findApk();
  if (apk === undefined) return [];
  const [root, work] = [join(folder, 'apk-root'), join(folder, 'apk-packages')];
  await mkdir(join(work, 'files/usr/share/p'), { recursive: true });
  await mkdir(root, { recursive: true });
  await writeFile(join(work, 'files/usr/share/p/text'), 'text\n');
  const pack = async (name: string, version: string, more: readonly string[] = []): Promise<string> => {
    const out = join(work, `${name}-${version}.apk`);
    const facts = [
      `name:${name}`,
      `version:${version}`,
      'license:MIT',
      `description:what ${name} is`,
      ...more,
    ];
    const files = name === 'p-0' ? ['-F', join(work, 'files')] : [];
    await must(apk, ['mkpkg', ...facts.flatMap((fact) => ['-I', fact]), ...files, '-o', out]);
    return out;
  };
  const place = ['--root', root, '--no-network', '--no-scripts', '--allow-untrusted', '--no-cache'];
  const first = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      pack(`p-${i}`, `${i}.2_rc1-r${i}`, [i % 2 === 0 ? 'arch:x86_64' : 'arch:noarch', 'origin:all-of-p']),
    ),
  );
  await must(apk, [...place, '--initdb', '--arch', 'x86_64', 'add', ...first]);
  const plus = await pack('lib-c++-2to3', '20240101-r0', ['arch:x86_64']);
  await must(apk, [...place, 'add', await pack('p-3', '4.0-r0', ['arch:x86_64']), plus]);
  await must(apk, [...place, 'del', 'p-4', 'p-39']);
  return [await alpineLayout(folder, 'alpine-made', root)];
}

async function alpineLayout(folder: string, name: string, root: string): Promise<RealImage> {
  await mkdir(join(root, 'etc'), { recursive: true });
  await writeFile(join(root, 'etc/os-release'), 'ID=alpine\nVERSION_ID=3.18.4\n');
  const image = { name, folder: join(folder, name) };
  await makeLayout(image.folder, [{ root, paths: readdirSync(root).sort() }]);
  return image;
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
