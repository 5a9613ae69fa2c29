/** `--ntp-server HOST[:PORT]` and `--max-clock-offset` of the timestamp authority. */
import { fail } from '#base/reason';
import type { TsaSettings } from '#stack';
import { durationOf } from './duration.ts';
import { R } from './reasons.ts';
import { type Flags, plain } from './serve-station-flags.ts';

const MAX_OFFSET_MS = { least: 1000, most: 60_000 };

/** Throws WB-1305. */
export function timeSettings(flags: Flags): Pick<TsaSettings, 'ntpServers' | 'maxClockOffsetMs'> {
  const option = '--max-clock-offset';
  const text = plain(flags, 'maxClockOffset') ?? '1s';
  const maxClockOffsetMs = durationOf(option, text);
  if (maxClockOffsetMs < MAX_OFFSET_MS.least || maxClockOffsetMs > MAX_OFFSET_MS.most) {
    throw fail(R.optionValue, { expected: `${option} of 1s to 1m`, actual: JSON.stringify(text) });
  }
  const servers = flags['ntpServer'] as readonly string[] | undefined;
  return { ntpServers: (servers ?? []).map(serverOf), maxClockOffsetMs };
}

function serverOf(text: string): { readonly host: string; readonly port?: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+))(?::([1-9]\d{0,4}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (host !== undefined && (port ?? 1) <= 65_535) return { host, ...(port === undefined ? {} : { port }) };
  throw fail(R.optionValue, { expected: '--ntp-server HOST[:PORT]', actual: JSON.stringify(text) });
}
