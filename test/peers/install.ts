/**
 * `npm run peers [-- NAME…]`: installs pinned real peers into a cache outside the checkout. Builds what is
 * missing or of another version, one after the other, and ends with `N passed, N failed`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { binaryOf, peersFolder } from './cache.ts';
import { type Peer, peers } from './catalogue.ts';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !peers.some((peer) => peer.name === name));
if (unknown.length > 0) {
  console.error(`unknown peer ${unknown.join(', ')}; known: ${peers.map((peer) => peer.name).join(', ')}`);
  process.exit(3);
}
const chosen = wanted.length === 0 ? peers : peers.filter((peer) => wanted.includes(peer.name));

/** The module version a Go binary was built from, as the binary itself says. */
function installedVersion(peer: Peer): string | undefined {
  if (!existsSync(binaryOf(peer))) return undefined;
  try {
    const out = execFileSync('go', ['version', '-m', binaryOf(peer)], { encoding: 'utf8' });
    return /^\s*mod\s+\S+\s+v(\S+)/m.exec(out)?.[1];
  } catch {
    return undefined;
  }
}

function install(peer: Peer): boolean {
  const have = installedVersion(peer);
  if (have === peer.version) {
    console.log(`${peer.name} ${peer.version}: there`);
    return true;
  }
  console.log(`${peer.name} ${peer.version}: building (about ${peer.seconds} s on two cores)`);
  mkdirSync(join(peersFolder, 'bin'), { recursive: true });
  const started = performance.now();
  const built = spawnSync('go', ['install', '-ldflags=-s', `${peer.goPackage}@v${peer.version}`], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      GOPATH: join(peersFolder, 'gopath'),
      GOCACHE: join(peersFolder, 'gocache'),
      GOBIN: join(peersFolder, 'bin'),
      CGO_ENABLED: '0',
      GOTOOLCHAIN: 'local',
      GOFLAGS: '-p=2 -trimpath -modcacherw',
    },
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const done = built.status === 0 && installedVersion(peer) === peer.version;
  console.log(`${peer.name} ${peer.version}: ${done ? 'built' : 'FAILED'} in ${seconds} s`);
  return done;
}

const results = chosen.map(install);
const failed = results.filter((done) => !done).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
