/**
 * Whether a stack's folder still holds what was published of it: keys, certificates, logs and their locks, the TUF
 * repository, the registry. What is missing is refused at the next start; here it is said before.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { attempt, unwrap } from '#base/result';
import { type Checkpoint, parseCheckpoint, parseNote } from '#formats/note';
import { parseTrustedRoot, type TrustedRoot } from '#formats/trusted-root';
import { lockFileNamed, readLock, readPublishedText } from '#platform/checkpoint-lock';
import { readFileIfThere } from '#platform/files';
import { fileKeyStore } from '#platform/key-store';
import { hasTables } from '#services/registry';
import { stackTrustFiles } from '#trust';
import { folderOf, type Generation, type Rotatable, readGenerations, rotatable } from './generations.ts';
import { isInside, tufTrouble } from './kept.ts';
import { REGISTRY_FOLDER } from './layout.ts';
import { fingerprint } from './serve/record.ts';
import type { StackState } from './state.ts';

export interface StackFinding {
  /** `error`: something does not work or is not safe. `warning`: it will not for long, or should be otherwise. */
  readonly level: 'error' | 'warning';
  /** What was looked at: `keys`, `clock`, `disk`, `expiry`, … */
  readonly about: string;
  readonly message: string;
  readonly fix: string;
}

const BACK = 'bring it back from a backup before the next start, which refuses without it';
/** The key whose certificate or id the published root has; further ones may lie elsewhere, as a root's should. */
export const published: Readonly<Record<Rotatable, string>> = {
  ca: 'intermediate',
  ct: 'log',
  log: 'log',
  log2: 'log',
  tsa: 'tsa',
};
const certificates: Partial<Record<Rotatable, readonly string[]>> = {
  ca: ['root.pem', 'intermediate.pem'],
  tsa: ['root.pem', 'tsa.pem'],
};

/** Nothing is changed. `isUp`: the stack runs, so that a lock may be a moment ahead. Throws WB-1202. */
export async function lossesIn(dataDir: string, state: StackState, isUp: boolean): Promise<StackFinding[]> {
  const { stations } = await readGenerations(dataDir, state.createdAt);
  const root = await publishedRoot(dataDir);
  const found: StackFinding[] = [];
  for (const station of rotatable) {
    for (const generation of stations[station]) {
      // It was given up, and another follows.
      if (generation.lost !== undefined) continue;
      const place = { dataDir, station, generation };
      found.push(...(await keyLosses(place, root)));
      if (station !== 'ca' && station !== 'tsa') found.push(...logLosses(place, state, isUp));
      if (station === 'ct') found.push(...issuerLosses(place));
    }
  }
  const tuf = await tufTrouble(dataDir, state);
  if (tuf !== undefined) {
    found.push(error('trust', `expected ${tuf.expected}; found ${tuf.actual}`, `the folder tuf: ${BACK}`));
  }
  if (!hasTables(join(dataDir, REGISTRY_FOLDER))) {
    const fix = `${BACK} (WB-1104); when it is lost for good: stack up --empty-registry`;
    found.push(error('registry', `${REGISTRY_FOLDER} holds no registry, although there was one`, fix));
  }
  if (state.lockDir !== undefined && isInside(dataDir, state.lockDir)) {
    const message =
      'the checkpoint locks lie in the data folder: a copy of it takes them along and can fork a log';
    const fix = 'stop it, move them elsewhere, and start it with --lock-dir DIR';
    found.push({ level: 'warning', about: 'locks', message, fix });
  }
  return found;
}

/** What one generation of a log lacks, while the stack is stopped. */
export async function lossesOf(
  dataDir: string,
  state: StackState,
  station: Rotatable,
  generation: Generation,
): Promise<readonly StackFinding[]> {
  const place = { dataDir, station, generation };
  return [...(await keyLosses(place, undefined)), ...logLosses(place, state, false)];
}

interface Place {
  readonly dataDir: string;
  readonly station: Rotatable;
  readonly generation: Generation;
}

const error = (about: string, message: string, fix: string): StackFinding => ({
  level: 'error',
  about,
  message,
  fix,
});

async function publishedRoot(dataDir: string): Promise<TrustedRoot | undefined> {
  const bytes = await readFileIfThere(join(dataDir, stackTrustFiles.trustedRoot));
  const parsed = bytes === undefined ? undefined : parseTrustedRoot(bytes);
  // A root that cannot be read is said by whoever looks at it.
  return parsed?.ok === true ? parsed.value : undefined;
}

/** SHA-256 of the keys of a kind that the root names. */
function hashesIn(root: TrustedRoot, station: Rotatable): readonly string[] {
  if (station === 'ca')
    return root.certificateAuthorities.map(({ chain }) => fingerprint(chain[0].publicKey));
  if (station === 'tsa') return root.timestampAuthorities.map(({ chain }) => fingerprint(chain[0].publicKey));
  return (station === 'ct' ? root.ctlogs : root.tlogs).map(({ publicKey }) => fingerprint(publicKey));
}

async function keyLosses(
  { dataDir, station, generation }: Place,
  root: TrustedRoot | undefined,
): Promise<StackFinding[]> {
  const folder = join(folderOf(station, generation.number), 'keys');
  const name = published[station];
  const known = generation.keys?.[name];
  const losses: StackFinding[] = [];
  const file = `${folder}/${name}.key`;
  const isThere = existsSync(join(dataDir, file));
  const isHeld = generation.elsewhere?.includes(name) === true;
  if (
    !isThere &&
    !isHeld &&
    (known !== undefined || station === 'ct' || station === 'log' || station === 'log2')
  ) {
    const held =
      station === 'ca' || station === 'tsa' ? '; or start with --signer, where a program holds it' : '';
    losses.push(error('keys', `${file}, which was published, is not there`, `${BACK} (WB-1213)${held}`));
  }
  const found = isThere ? await hashOf(join(dataDir, folder), name) : undefined;
  const other = `${file} is not the key that was published`;
  if (found !== undefined && known !== undefined && found !== known) losses.push(error('keys', other, BACK));
  const hash = found ?? known;
  if (root !== undefined && hash !== undefined && !hashesIn(root, station).includes(hash)) {
    const message = `${stackTrustFiles.trustedRoot} does not name the key in ${file}`;
    losses.push(error('keys', message, 'bring back what belongs together from one backup, the folder whole'));
  }
  for (const certificate of certificates[station] ?? []) {
    if (existsSync(join(dataDir, folder, certificate))) continue;
    losses.push(error('keys', `${folder}/${certificate}, which was published, is not there`, BACK));
  }
  return losses;
}

/** Undefined for a key that does not open without its passphrase, or that others may read, which is said elsewhere. */
async function hashOf(folder: string, name: string): Promise<string | undefined> {
  const key = await fileKeyStore(folder)
    .findKey(name)
    .catch(() => undefined);
  return key === undefined ? undefined : fingerprint(key.publicKey);
}

function logLosses(
  { dataDir, station, generation }: Place,
  state: StackState,
  isUp: boolean,
): StackFinding[] {
  const { number, keys, isClosed } = generation;
  const tree = join(folderOf(station, number), 'tree');
  const text = readPublishedText(join(dataDir, tree));
  if (text === undefined) {
    const fix = `${BACK} (WB-409, WB-411): an empty log under this key would contradict what it signed`;
    return [error('logs', `${tree} holds no log, although there was one`, fix)];
  }
  const hash = keys?.['log'];
  if (state.lockDir === undefined || hash === undefined || isClosed === true) return [];
  const file = lockFileNamed(state.lockDir, hash);
  const read = attempt(() => readLock(file));
  if (!read.ok) {
    const message = `the checkpoint lock of ${tree} cannot be read: ${read.error.actual}`;
    return [error('locks', message, `look at ${file} and its permissions`)];
  }
  const lock = read.value;
  if (lock === undefined) {
    const fix =
      'bring it back; only when it is lost and nothing was signed after this data: stack up --adopt-locks';
    return [error('locks', `the checkpoint lock of ${tree}, ${file}, is not there`, fix)];
  }
  const [copy, head] = [headOf(text), headOf(lock)];
  if (copy === undefined || head === undefined || copy.size === head.size) return [];
  // Between a commit and its publication the lock of a running log is ahead.
  if (isUp && head.size > copy.size) return [];
  const message = `${tree} is at ${copy.size} entries, its checkpoint lock at ${head.size}`;
  return [error('logs', message, 'bring the newest data back, or restore a backup: waybill stack restore')];
}

/** Made again from the entries: no reason to give a log up. Whether each is there, a check of the whole log says. */
function issuerLosses({ dataDir, station, generation }: Place): StackFinding[] {
  const tree = join(folderOf(station, generation.number), 'tree');
  const text = readPublishedText(join(dataDir, tree));
  if (text === undefined || (headOf(text)?.size ?? 0) === 0) return [];
  const issuers = join(dataDir, tree, 'issuer');
  if (existsSync(issuers) && readdirSync(issuers).length > 0) return [];
  const message = `${tree}/issuer holds no certificate, although entries name some`;
  const fix = `restart the stack, which makes those of its first and newest entries again; waybill log fsck ${tree} names any other`;
  return [error('logs', message, fix)];
}

function headOf(text: string): Checkpoint | undefined {
  const head = attempt(() => unwrap(parseCheckpoint(unwrap(parseNote(text)).text)));
  return head.ok ? head.value : undefined;
}
