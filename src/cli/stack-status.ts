/** What `waybill stack status` says to people. */
import type { StackStatus, StationStatus } from '#stack';

const DAY_MS = 86_400_000;

export function statusText(found: StackStatus, dataDir: string, now: number): string {
  const { stations, expiries, ending, losses, state, trust } = found;
  const days = (ms: number): string => `${((ms - now) / DAY_MS).toFixed(1)} days`;
  const width = Math.max(0, ...expiries.map(({ what }) => what.length));
  const ends = expiries.map(({ what, at, renewsItself }) => {
    const own = renewsItself ? ', renews itself' : '';
    return `  ${what.padEnd(width)} ${new Date(at).toISOString()} (in ${days(at)}${own})`;
  });
  return [
    `stack in ${dataDir} (${state.simulate === undefined ? 'development' : 'SIMULATED, development'})`,
    ...stations.flatMap((station) => stationLines(station, now)),
    'what ends when:',
    ...(trust === undefined ? ['  trust metadata: no answer'] : []),
    ...ends,
    ...(state.lockDir === undefined ? [] : [`checkpoint locks in ${state.lockDir}`]),
    ...ending.map(({ what, at, state: how }) =>
      how === 'expired' ? `ENDED: ${what}` : `ENDS SOON: ${what}, in ${days(at)}`,
    ),
    ...losses.map(({ level, message, fix }) =>
      level === 'error' ? `LOST: ${message}\n  ${fix}` : `WARNING: ${message}\n  ${fix}`,
    ),
  ].join('\n');
}

function stationLines(station: StationStatus, now: number): string[] {
  const { name, url, isUp, generations = [], pending } = station;
  const lost = generations.filter((one) => one.lost !== undefined).map(({ number }) => number);
  const gone = lost.length === 0 ? '' : `, ${lost.join(', ')} LOST`;
  const keys = generations.length > 1 ? `  key ${generations.length}${gone}` : '';
  const line = `  ${name.padEnd(9)} ${isUp ? 'up  ' : 'DOWN'}  ${url}${logText(station, now)}${keys}`;
  return [line, ...(pending === undefined ? [] : [`            ${pendingText(pending)}`])];
}

function logText({ entries, checkpointAt, witnesses = [], isFrozen }: StationStatus, now: number): string {
  if (entries === undefined) return '';
  const age = checkpointAt === undefined ? '' : `, checkpoint ${ageText(now - checkpointAt)} old`;
  const cosigned = witnesses.length === 0 ? 'no witness' : `cosigned by ${witnesses.join(', ')}`;
  const end = isFrozen === true ? ', FROZEN: it takes no entries; waybill stack rotate makes the next' : '';
  return `  ${entries} entries${age}, ${cosigned}${end}`;
}

function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function pendingText({ switchAt, endAt, hasSwitched }: NonNullable<StationStatus['pending']>): string {
  const when = (ms: number): string => new Date(ms).toISOString();
  return hasSwitched
    ? `rotation: the new key signs, the one before ends ${when(endAt)}`
    : `rotation: the new key is published and signs from ${when(switchAt)}`;
}
