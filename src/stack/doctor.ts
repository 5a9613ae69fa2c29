/**
 * What is wrong, or will be, with a stack and its folder: found from its files and by asking it. Nothing is changed.
 */
import { lstat, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#base/clock';
import { reasonText, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseTrustedRoot } from '#formats/trusted-root';
import { readFileIfThere } from '#platform/files';
import type { Transport } from '#platform/http-client';
import { stackTrustFiles } from '#trust';
import { readRestored } from './backup.ts';
import { readGenerations } from './generations.ts';
import type { StackFinding } from './in-order.ts';
import { requireState, type StackState, stackTransport } from './state.ts';
import { type StackStatus, stackStatus, WARN_DAYS } from './status.ts';

export interface DoctorDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly cacheDir: string;
}

const FREE_BYTES_MIN = 1024 * 1024 * 1024;
const SKEW_MS_MAX = 2000;
/** A rotation that should have gone on this long ago is stuck. */
const OVERDUE_MS = 60_000;

/** Throws WB-1202 where there is no stack. */
export async function examineStack(dataDir: string, given: DoctorDeps): Promise<readonly StackFinding[]> {
  const state = await requireState(dataDir);
  const deps = { ...given, transport: stackTransport(dataDir, state, given.transport) };
  const status = await stackStatus(dataDir, given);
  const parts = await Promise.all([
    privateFiles(dataDir),
    freeSpace(dataDir),
    rotations(dataDir, state, deps.clock.now()),
    restored(dataDir),
    publicTrust(dataDir, status),
    clocks(status, deps),
  ]);
  return [...stations(status), ...ending(status), ...status.losses, ...parts.flat()];
}

function stations({ stations: all }: StackStatus): StackFinding[] {
  const down = all.filter(({ isUp }) => !isUp);
  if (down.length === all.length) {
    const fix = 'start it: waybill stack up --data DIR';
    return [{ level: 'error', about: 'stations', message: 'the stack does not run', fix }];
  }
  return down.map(({ name, url }) => ({
    level: 'error',
    about: 'stations',
    message: `${name} does not answer at ${url}`,
    fix: 'see its lines on standard error; restart the stack',
  }));
}

function ending({ ending: list, isUp, trust }: StackStatus): StackFinding[] {
  const found = list.map(({ what, at, state }): StackFinding => {
    const when = new Date(at).toISOString();
    const isEnded = state === 'expired';
    return {
      level: isEnded ? 'error' : 'warning',
      about: 'expiry',
      message: isEnded ? `${what} ended at ${when}` : `${what} ends at ${when}, within ${WARN_DAYS} days`,
      fix: what.startsWith('TUF')
        ? 'let the stack run, which renews it; a root with keys elsewhere needs waybill trust root next'
        : what.startsWith('TLS')
          ? 'stop the stack and move its folder tls away: the next start makes another authority, which clients must be told'
          : 'waybill stack rotate STATION --overlap 24h',
    };
  });
  if (!isUp || trust !== undefined) return found;
  const fix = 'waybill stack test says at which step; compare the clock of this machine';
  return [
    ...found,
    {
      level: 'error',
      about: 'trust',
      message: 'the TUF repository does not verify from its first root',
      fix,
    },
  ];
}

/** Keys and what holds them must be their owner's alone. */
async function privateFiles(dataDir: string): Promise<StackFinding[]> {
  if (process.platform === 'win32') return [];
  const found: StackFinding[] = [];
  const entries = await readdir(dataDir, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.endsWith('.key')) continue;
    const path = join(entry.parentPath, entry.name);
    const mode = (await lstat(path)).mode & 0o777;
    if ((mode & 0o077) === 0) continue;
    const message = `${path} can be read by others (mode 0${mode.toString(8)})`;
    found.push({ level: 'error', about: 'keys', message, fix: `chmod 600 ${path}, and rotate that key` });
  }
  const { uid, mode } = await lstat(dataDir);
  if ((mode & 0o022) !== 0) {
    const message = `others may write to ${dataDir} (mode 0${(mode & 0o777).toString(8)})`;
    found.push({ level: 'error', about: 'keys', message, fix: `chmod 700 ${dataDir}` });
  }
  const self = process.getuid?.();
  if (self !== undefined && self !== 0 && uid !== self) {
    const message = `${dataDir} belongs to uid ${uid}, not to ${self}`;
    found.push({ level: 'warning', about: 'keys', message, fix: 'run the stack as the owner of its folder' });
  }
  return found;
}

async function freeSpace(dataDir: string): Promise<StackFinding[]> {
  const { bavail, bsize } = await statfs(dataDir);
  const free = bavail * bsize;
  if (free >= FREE_BYTES_MIN) return [];
  const message = `${Math.round(free / 1024 / 1024)} MiB are left where ${dataDir} lies`;
  return [{ level: 'warning', about: 'disk', message, fix: 'make room: a full disk stops the logs' }];
}

async function rotations(dataDir: string, { createdAt }: StackState, now: number): Promise<StackFinding[]> {
  const { pending } = await readGenerations(dataDir, createdAt);
  return pending.flatMap(({ station, switchAt, endAt, hasSwitched }): StackFinding[] => {
    const due = hasSwitched ? endAt : switchAt;
    if (now < due + OVERDUE_MS) return [];
    const message = `the rotation of ${station} should have gone on at ${new Date(due).toISOString()}`;
    const fix = 'start the stack, which goes on with it; see its lines on standard error';
    return [{ level: 'warning', about: 'rotation', message, fix }];
  });
}

async function restored(dataDir: string): Promise<StackFinding[]> {
  if ((await readRestored(dataDir))?.continueLogs !== false) return [];
  const message = 'it came from a backup, and its logs have no successors yet';
  return [
    {
      level: 'warning',
      about: 'backup',
      message,
      fix: 'start it once: its logs are then followed by new ones',
    },
  ];
}

/** What single-file clients read must be what TUF says. */
async function publicTrust(dataDir: string, { isUp }: StackStatus): Promise<StackFinding[]> {
  const path = join(dataDir, stackTrustFiles.trustedRoot);
  const bytes = await readFileIfThere(path);
  const fix = isUp ? 'restart the stack, which writes it again' : 'start the stack, which writes it again';
  if (bytes === undefined) {
    return [{ level: 'error', about: 'trust', message: `${path} is not there`, fix }];
  }
  try {
    unwrap(parseTrustedRoot(bytes));
    return [];
  } catch (error) {
    const why = error instanceof WaybillError ? reasonText(error.reason) : String(error);
    return [{ level: 'error', about: 'trust', message: `${path}: ${why}`, fix }];
  }
}

/** Stations tell time; a verifier elsewhere compares it with its own. */
async function clocks(
  { stations: all }: StackStatus,
  { transport, clock }: DoctorDeps,
): Promise<StackFinding[]> {
  const tsa = all.find(({ name, isUp }) => name === 'tsa' && isUp);
  if (tsa === undefined) return [];
  const answer = await transport.request({ url: `${tsa.url}/ping` });
  const date = Date.parse(answer.headers.get('date') ?? '');
  const skew = Math.abs(date - clock.now());
  // The header has whole seconds.
  if (Number.isNaN(date) || skew <= SKEW_MS_MAX + 1000) return [];
  const message = `the clocks of the timestamp authority and of this machine are ${Math.round(skew / 1000)} s apart`;
  return [{ level: 'error', about: 'clock', message, fix: 'set both by NTP' }];
}
