/** Where the peers live: outside the checkout, so that a clean clone finds them again. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Peer, peers } from './catalogue.ts';

export const peersFolder =
  process.env['WAYBILL_PEERS'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'waybill', 'peers');

export const binaryOf = (peer: Pick<Peer, 'binary'>): string => join(peersFolder, 'bin', peer.binary);

/** The path of an installed peer; throws with the command that installs it. */
export function requirePeer(name: string): string {
  const path = binaryOf({ binary: peers.find((peer) => peer.name === name)?.binary ?? name });
  if (!existsSync(path)) throw new Error(`peer ${name} is not installed; run: npm run peers -- ${name}`);
  return path;
}
