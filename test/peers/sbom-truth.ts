/**
 * What the package managers themselves say of an image: it is unpacked by umoci, and every manager whose files are
 * there is asked about that tree.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import type { SbomPackage } from '#formats/sbom';
import { type RunResult, run } from '#platform/process';
import { peersFolder, requirePeer } from './cache.ts';
import type { RealImage } from './sbom-images.ts';

export interface Truth {
  /** The command that was asked, and where: `npm ls --all in srv/app`. */
  readonly manager: string;
  /** purl type. */
  readonly type: string;
  /** `name version`, of packages of a system `name version architecture`. */
  readonly packages: ReadonlySet<string>;
  /** Every package of the type is one the manager knows: what it does not list must not be found. */
  readonly isWhole: boolean;
}

const system = new Set(['deb', 'apk', 'rpm']);

/** As truths name packages. */
export function truthKey({ type, name, version, architecture }: SbomPackage): string {
  if (system.has(type)) return `${name} ${version} ${architecture ?? '(none)'}`;
  if (type === 'pypi') return `${name.toLowerCase().replace(/[-_.]+/g, '-')} ${version}`;
  return `${name} ${version}`;
}

async function asked(program: string, args: readonly string[], cwd?: string): Promise<RunResult> {
  return run(program, args, {
    timeoutMs: 120_000,
    maxBytes: 1 << 28,
    ...(cwd === undefined ? {} : { cwd }),
  });
}

async function must(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const { code, stdout, stderr } = await asked(program, args, cwd);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Unpacks the image as a container runtime would, whiteouts and all. */
export async function unpack(image: RealImage, to: string): Promise<string> {
  const { manifests } = JSON.parse(readFileSync(join(image.folder, 'index.json'), 'utf8')) as {
    manifests: { annotations?: Record<string, string> }[];
  };
  const tag = manifests[0]?.annotations?.['org.opencontainers.image.ref.name'] ?? 'latest';
  const rootless = process.getuid?.() === 0 ? [] : ['--rootless'];
  const args = ['raw', 'unpack', ...rootless, '--image', `${image.folder}:${tag}`, to];
  await must(requirePeer('umoci'), args);
  return to;
}

/** Folders of these names and in none of these names, wherever they lie, hidden ones too. */
function foldersNamed(root: string, names: ReadonlySet<string>, below = ''): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((one) => {
    const path = join(below, one.name);
    if (!one.isDirectory()) return [];
    return names.has(one.name) ? [path] : foldersNamed(root, names, path);
  });
}

/** `WAYBILL_APK`, the folder of peers, or the PATH. Alpine publishes it for Alpine alone: no Debian package, no wheel. */
export function findApk(): string | undefined {
  const folders = [join(peersFolder, 'bin'), ...(process.env['PATH'] ?? '').split(delimiter)];
  const places = [process.env['WAYBILL_APK'] ?? '', ...folders.map((one) => join(one, 'apk'))];
  return places.find((path) => path !== '' && existsSync(path));
}

async function dpkg(root: string): Promise<Truth[]> {
  const folder = join(root, 'var/lib/dpkg');
  if (!existsSync(join(folder, 'status'))) return [];
  const format = '${db:Status-Status} ${Package} ${Version} ${Architecture}\n';
  const listed = lines(await must('dpkg-query', [`--admindir=${folder}`, '-W', `-f=${format}`]));
  const installed = listed.filter((line) => line.startsWith('installed '));
  const packages = new Set(installed.map((line) => line.slice('installed '.length)));
  return [{ manager: 'dpkg-query', type: 'deb', packages, isWhole: true }];
}

/** Asks apk about a copy: it wants the files that only a system it installed itself has. */
async function apk(root: string): Promise<Truth[]> {
  const program = findApk();
  const database = ['lib/apk/db', 'usr/lib/apk/db'].find((path) => existsSync(join(root, path, 'installed')));
  if (database === undefined || program === undefined) return [];
  const copy = `${root}.apk`;
  for (const path of ['etc/apk', database]) mkdirSync(join(copy, path), { recursive: true });
  copyFileSync(join(root, database, 'installed'), join(copy, database, 'installed'));
  const text = readFileSync(join(root, database, 'installed'), 'utf8');
  const machine = [...text.matchAll(/^A:(.+)$/gm)].find(([, name]) => name !== 'noarch')?.[1] ?? 'x86_64';
  writeFileSync(join(copy, 'etc/apk/arch'), `${machine}\n`);
  for (const name of ['etc/apk/world', `${database}/triggers`, `${database}/scripts.tar`])
    writeFileSync(join(copy, name), '');
  const place = ['--root', copy, '--no-network'];
  // `alpha-1.2-r3 x86_64 {alpha} (MIT) [installed]`
  const listed = lines(await must(program, [...place, 'list', '--installed']));
  const packages = new Set(
    listed.map((line) => {
      const match = /^(.+)-(\d[^-\s]*-r\d+) (\S+) \{/.exec(line);
      if (match === null) throw new Error(`apk list: ${line}`);
      return `${match[1]} ${match[2]} ${match[3]}`;
    }),
  );
  const named = lines(await must(program, [...place, 'info', '-v']));
  if (named.length !== packages.size) throw new Error(`apk info says ${named.length}, list ${packages.size}`);
  return [{ manager: 'apk list --installed', type: 'apk', packages, isWhole: true }];
}

const rpmFiles: Readonly<Record<string, string>> = { 'rpmdb.sqlite': 'sqlite', Packages: 'bdb_ro' };

async function rpm(root: string): Promise<Truth[]> {
  const [file] = Object.keys(rpmFiles).flatMap((name) =>
    ['var/lib/rpm', 'usr/lib/sysimage/rpm', 'usr/share/rpm']
      .map((folder) => join(root, folder, name))
      .filter((path) => existsSync(path)),
  );
  if (file === undefined) return [];
  const format = '%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE} %{ARCH}\\n';
  const backend = rpmFiles[file.slice(file.lastIndexOf('/') + 1)] ?? '';
  const args = ['--define', `_db_backend ${backend}`, '--dbpath', dirname(file), '-qa', '--qf', format];
  // Keys of signatures are entries of the database and no packages.
  const listed = lines(await must('rpm', args)).filter((line) => !line.startsWith('gpg-pubkey '));
  return [{ manager: 'rpm -qa', type: 'rpm', packages: new Set(listed), isWhole: true }];
}

interface NpmTree {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, NpmTree>>;
}

async function npm(root: string): Promise<Truth[]> {
  const outer = foldersNamed(root, new Set(['node_modules']));
  const truths: Truth[] = [];
  for (const path of outer) {
    const folder = dirname(join(root, path));
    const isGlobal = !existsSync(join(folder, 'package.json'));
    if (isGlobal && !folder.endsWith('/lib')) continue;
    const where = isGlobal ? ['--global', '--prefix', dirname(folder)] : [];
    // It fails for trees with something missing or too much, and prints them all the same.
    const { stdout, stderr } = await asked('npm', ['ls', '--all', '--json', ...where], folder);
    if (!stdout.startsWith('{')) throw new Error(`npm ls in ${path}: ${stderr}`);
    const packages = new Set<string>();
    const walk = ({ dependencies = {} }: NpmTree): void => {
      for (const [name, one] of Object.entries(dependencies)) {
        if (one.version !== undefined) packages.add(`${name} ${one.version}`);
        walk(one);
      }
    };
    walk(JSON.parse(stdout) as NpmTree);
    const at = relative(root, folder) || '/';
    if (packages.size > 0)
      truths.push({ manager: `npm ls --all in ${at}`, type: 'npm', packages, isWhole: false });
  }
  return truths;
}

async function pip(root: string): Promise<Truth[]> {
  const truths: Truth[] = [];
  for (const path of foldersNamed(root, new Set(['site-packages', 'dist-packages']))) {
    const args = ['-m', 'pip', 'list', '--format', 'json', '--disable-pip-version-check'];
    const listed = await must('python3', [...args, '--path', join(root, path)]);
    const list = JSON.parse(listed) as { name: string; version: string }[];
    const packages = new Set(
      list.map(({ name, version }) => `${name.toLowerCase().replace(/[-_.]+/g, '-')} ${version}`),
    );
    if (packages.size > 0)
      truths.push({ manager: `pip list in ${path}`, type: 'pypi', packages, isWhole: false });
  }
  return truths;
}

async function gem(root: string): Promise<Truth[]> {
  const homes = foldersNamed(root, new Set(['specifications'])).map(dirname);
  const truths: Truth[] = [];
  for (const home of homes) {
    const env = { ...process.env, GEM_HOME: join(root, home), GEM_PATH: join(root, home), HOME: homedir() };
    const { code, stdout, stderr } = await run('gem', ['list', '--local'], { env, timeoutMs: 60_000 });
    if (code !== 0) throw new Error(`gem list in ${home}: ${stderr}`);
    const packages = new Set<string>();
    for (const [, name = '', versions = ''] of stdout.matchAll(/^(\S+) \((.+)\)$/gm)) {
      for (const version of versions.split(', ')) {
        // Those that come with the interpreter lie elsewhere and are the interpreter of this machine's.
        if (!version.startsWith('default: ')) packages.add(`${name} ${version.split(' ')[0]}`);
      }
    }
    if (packages.size > 0)
      truths.push({ manager: `gem list in ${home}`, type: 'gem', packages, isWhole: false });
  }
  return truths;
}

async function go(root: string): Promise<Truth[]> {
  const { stdout } = await asked('go', ['version', '-m', root]);
  const packages = new Set<string>();
  for (const [, dep = '', replaced] of stdout.matchAll(/^\tdep\t(.+)(?:\n\t=>\t(.+))?$/gm)) {
    // A folder of the builder, named or replacing another module: what was built in has no version anybody knows.
    const isFolder = /^\.{0,2}\//.test(replaced ?? '');
    const [path, version] = (isFolder ? dep : (replaced ?? dep)).split('\t');
    packages.add(`${path} ${isFolder || version === '(devel)' ? '' : version}`);
  }
  return packages.size === 0 ? [] : [{ manager: 'go version -m', type: 'golang', packages, isWhole: false }];
}

/** Everything anybody knows of the tree. */
export async function truthsOf(root: string): Promise<Truth[]> {
  const truths: Truth[] = [];
  for (const ask of [dpkg, apk, rpm, npm, pip, gem, go]) truths.push(...(await ask(root)));
  return truths;
}
