/**
 * `npm run peers [-- NAME…]`: installs pinned real peers into a cache outside the checkout. Builds what is
 * missing or of another version, one after the other, and ends with `N passed, N failed`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { binaryOf, peersFolder } from './cache.ts';
import {
  type DebPeer,
  type ModulePeer,
  type NpmPeer,
  type PackagePeer,
  type Peer,
  type PipPeer,
  peers,
  type ScratchPeer,
} from './catalogue.ts';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !peers.some((peer) => peer.name === name));
if (unknown.length > 0) {
  console.error(`unknown peer ${unknown.join(', ')}; known: ${peers.map((peer) => peer.name).join(', ')}`);
  process.exit(3);
}
const chosen = wanted.length === 0 ? peers : peers.filter((peer) => wanted.includes(peer.name));

/** The module version a Go binary was built from, as the binary itself says. */
function installedVersion(peer: PackagePeer | ScratchPeer): string | undefined {
  if (!existsSync(binaryOf(peer))) return undefined;
  const module = 'goModule' in peer ? peer.goModule : String.raw`\S+`;
  const line = new RegExp(`^\\s*(?:mod|dep)\\s+${module}\\s+v(\\S+)`, 'm');
  try {
    const out = execFileSync('go', ['version', '-m', binaryOf(peer)], { encoding: 'utf8' });
    return line.exec(out)?.[1];
  } catch {
    return undefined;
  }
}

/** What a program that is not written in Go says of itself. */
function saidVersion(peer: PipPeer | NpmPeer | DebPeer): string | undefined {
  const ran = spawnSync(binaryOf(peer), ['--version'], { encoding: 'utf8' });
  return /\d+\.\d+\.\d+/.exec(`${ran.stdout}`)?.[0];
}

/** Hash of what a binary of ours is built from; kept beside the binary. */
function sourceHash(peer: ModulePeer): string {
  const hash = createHash('sha256');
  for (const name of ['go.mod', 'go.sum', 'main.go'])
    hash.update(readFileSync(join(peer.moduleFolder, name)));
  return hash.digest('hex');
}

const stampOf = (peer: ModulePeer): string => `${binaryOf(peer)}.stamp`;

function isThere(peer: Peer): boolean {
  if ('program' in peer) return saidVersion(peer) === peer.version;
  if (!('moduleFolder' in peer)) return installedVersion(peer) === peer.version;
  if (!existsSync(binaryOf(peer)) || !existsSync(stampOf(peer))) return false;
  return readFileSync(stampOf(peer), 'utf8').trim() === sourceHash(peer);
}

const goEnvironment = {
  ...process.env,
  GOPATH: join(peersFolder, 'gopath'),
  GOCACHE: join(peersFolder, 'gocache'),
  CGO_ENABLED: '0',
  GOTOOLCHAIN: 'local',
  GOFLAGS: '-trimpath -modcacherw',
};

function go(args: readonly string[], cwd: string, more: Readonly<Record<string, string>> = {}): boolean {
  const built = spawnSync('nice', ['go', ...args], {
    cwd,
    env: { ...goEnvironment, ...more },
    stdio: 'inherit',
  });
  return built.status === 0;
}

/** Installs into a folder of its own: two versions of one program have the same file name. */
function buildPackage(peer: PackagePeer): boolean {
  const out = join(peersFolder, 'bin', `.${peer.binary}`);
  const args = ['install', '-p=2', '-ldflags=-s', `${peer.goPackage}@v${peer.version}`];
  if (!go(args, peersFolder, { GOBIN: out })) return false;
  const name = basename(peer.goPackage.replace(/\/v\d+$/, ''));
  renameSync(join(out, name), binaryOf(peer));
  return true;
}

function buildScratch(peer: ScratchPeer): boolean {
  const folder = join(peersFolder, 'scratch', peer.name);
  mkdirSync(folder, { recursive: true });
  const version = `v${peer.version}`;
  writeFileSync(join(folder, 'go.mod'), `module scratch\n\ngo 1.26\n\nrequire ${peer.goModule} ${version}\n`);
  const tools = `//go:build tools\n\npackage scratch\n\nimport _ "${peer.goPackage}"\n`;
  writeFileSync(join(folder, 'tools.go'), tools);
  const args = ['build', '-p=2', '-ldflags=-s', '-o', binaryOf(peer), peer.goPackage];
  return go(['mod', 'tidy'], folder, peer.environment) && go(args, folder, peer.environment);
}

function ran(command: string, args: readonly string[], cwd: string): boolean {
  return spawnSync('nice', [command, ...args], { cwd, stdio: 'inherit' }).status === 0;
}

function link(peer: PipPeer | NpmPeer | DebPeer, program: string): boolean {
  rmSync(binaryOf(peer), { force: true });
  symlinkSync(program, binaryOf(peer));
  return true;
}

function buildPip(peer: PipPeer): boolean {
  const folder = join(peersFolder, 'python', peer.name);
  rmSync(folder, { recursive: true, force: true });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  return (
    ran('python3', ['-m', 'venv', folder], peersFolder) &&
    ran(join(folder, 'bin', 'python'), [...pip, `${peer.pipPackage}==${peer.version}`], peersFolder) &&
    link(peer, join(folder, 'bin', peer.program))
  );
}

function buildNpm(peer: NpmPeer): boolean {
  const folder = join(peersFolder, 'npm', peer.name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund'];
  return (
    ran('npm', ['install', ...quiet, '--prefix', folder, `${peer.npmPackage}@${peer.version}`], folder) &&
    link(peer, join(folder, 'node_modules', '.bin', peer.program))
  );
}

function buildDeb(peer: DebPeer): boolean {
  const folder = join(peersFolder, 'deb', peer.name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (!ran('apt-get', ['download', '--quiet', ...peer.debPackages], folder)) {
    console.error(`apt-get does not know ${peer.debPackages.join(', ')}: run apt-get update first`);
    return false;
  }
  const archives = globSync('*.deb', { cwd: folder });
  return (
    archives.length === peer.debPackages.length &&
    archives.every((archive) => ran('dpkg-deb', ['--extract', archive, folder], folder)) &&
    link(peer, join(folder, peer.program))
  );
}

function build(peer: Peer): boolean {
  if ('pipPackage' in peer) return buildPip(peer);
  if ('npmPackage' in peer) return buildNpm(peer);
  if ('debPackages' in peer) return buildDeb(peer);
  if ('goModule' in peer) return buildScratch(peer);
  if ('goPackage' in peer) return buildPackage(peer);
  // One compiler at a time: the largest packages of Kubernetes take 2 GB each.
  const tags = peer.tags === undefined ? [] : [`-tags=${peer.tags}`];
  const args = ['build', '-p=1', '-mod=readonly', '-ldflags=-s -w', ...tags, '-o', binaryOf(peer), '.'];
  if (!go(args, resolve(peer.moduleFolder))) return false;
  writeFileSync(stampOf(peer), `${sourceHash(peer)}\n`);
  return true;
}

function install(peer: Peer): boolean {
  if (isThere(peer)) {
    console.log(`${peer.name} ${peer.version}: there`);
    return true;
  }
  console.log(`${peer.name} ${peer.version}: building (about ${peer.seconds} s on two cores)`);
  mkdirSync(join(peersFolder, 'bin'), { recursive: true });
  const started = performance.now();
  const done = build(peer) && isThere(peer);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${peer.name} ${peer.version}: ${done ? 'built' : 'FAILED'} in ${seconds} s`);
  return done;
}

const results = chosen.map(install);
const failed = results.filter((done) => !done).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
