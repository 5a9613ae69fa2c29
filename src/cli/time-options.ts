/** `--ntp-server HOST[:PORT]` and `--max-clock-offset` of the timestamp authority. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { StackTime } from '#stack';
import { durationOf } from './duration.ts';
import { R } from './reasons.ts';
import { collect } from './sign-options.ts';

export function addTimeOptions(command: Command): Command {
  return command
    .option(
      '--ntp-server <host[:port]>',
      'compare the clock with this server of time, stamp nothing while most of them disagree (repeatable)',
      collect,
      [],
    )
    .option('--max-clock-offset <duration>', 'how far the clock may be from them: 1s to 1m', '1s');
}

export interface TimeFlags {
  readonly ntpServer?: readonly string[];
  readonly maxClockOffset?: string;
}

const MAX_OFFSET_MS = { least: 1000, most: 60_000 };

/** Throws WB-1305. */
export function timeSettings({ ntpServer = [], maxClockOffset: text = '1s' }: TimeFlags): StackTime {
  const option = '--max-clock-offset';
  const maxClockOffsetMs = durationOf(option, text);
  if (maxClockOffsetMs < MAX_OFFSET_MS.least || maxClockOffsetMs > MAX_OFFSET_MS.most) {
    throw fail(R.optionValue, { expected: `${option} of 1s to 1m`, actual: JSON.stringify(text) });
  }
  return { ntpServers: ntpServer.map(serverOf), maxClockOffsetMs };
}

function serverOf(text: string): { readonly host: string; readonly port?: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+))(?::([1-9]\d{0,4}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (host !== undefined && (port ?? 1) <= 65_535) return { host, ...(port === undefined ? {} : { port }) };
  throw fail(R.optionValue, { expected: '--ntp-server HOST[:PORT]', actual: JSON.stringify(text) });
}
