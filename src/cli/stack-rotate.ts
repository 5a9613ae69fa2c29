/** `waybill stack rotate`: a new key for a station of a running stack. */
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { rfc3339 } from '#base/clock';
import { fail } from '#base/reason';
import type { Rotatable, RotationStep } from '#stack';
import type { CliContext } from './context.ts';
import { parseDuration } from './duration.ts';
import { R } from './reasons.ts';

interface Flags {
  readonly stack?: string;
  /** Milliseconds. */
  readonly overlap: number;
  readonly stolenSince?: number;
  readonly now?: boolean;
  readonly lost?: boolean;
}

const DAY_MS = 86_400_000;

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('expected 30m, 24h or 7d');
  return ms;
}

function time(text: string): number {
  const at = Date.parse(text);
  if (/^\d{4}-\d{2}-\d{2}T/.test(text) && Number.isFinite(at)) return at;
  throw new InvalidArgumentError('expected a time as 2026-05-01T12:00:00Z');
}

export function registerRotate(
  stack: Command,
  context: CliContext,
  stackDir: (option: string | undefined) => string,
): void {
  stack
    .command('rotate')
    .description(
      'give a station of a running stack a new key: published first, used after the overlap, and everything ' +
        'signed before stays valid',
    )
    .addArgument(
      new Argument('<station>', 'what gets a new key').choices([
        'ca',
        'ct',
        'log',
        'log2',
        'tsa',
        'tuf',
        'tuf-root',
      ]),
    )
    .option('--stack <dir>', 'data directory of the stack (default: WAYBILL_STACK)')
    .addOption(
      new Option('--overlap <duration>', 'time between publishing and using the new key')
        .argParser(duration)
        .default(DAY_MS, '24h'),
    )
    .option('--stolen-since <time>', 'the old key is not believed from then on; switches at once', time)
    .option('--now', 'take the next step of a rotation under way without waiting for its time')
    .option(
      '--lost',
      'give up a log whose data or key is gone for good; the stack has to be stopped, and its next start makes another',
    )
    .action(async (station: Rotatable | 'tuf' | 'tuf-root', flags: Flags, command: Command) => {
      if (flags.lost === true) return giveUp(stackDir(flags.stack), station, { flags, command, context });
      if (station === 'tuf' || station === 'tuf-root') {
        const isPlain = flags.now !== true && flags.stolenSince === undefined;
        if (!isPlain || command.getOptionValueSource('overlap') !== 'default') {
          const expected = `rotate ${station} without --overlap, --stolen-since and --now: clients walk from root to root at once`;
          throw fail(R.usage, { expected, actual: 'one of them' });
        }
        return rotateTuf(stackDir(flags.stack), station, context);
      }
      const step = await request(stackDir(flags.stack), station, flags, command);
      const { unfinished } = step;
      context.result('waybill.dev/stack-rotate/v1', { ok: unfinished === undefined, ...step }, () =>
        unfinished === undefined ? text(step) : `${text(step)}\nnot finished, and tried again: ${unfinished}`,
      );
      if (unfinished !== undefined) context.exit(2);
    });
}

interface Call {
  readonly flags: Flags;
  readonly command: Command;
  readonly context: CliContext;
}

async function giveUp(
  dataDir: string,
  station: Rotatable | 'tuf' | 'tuf-root',
  { flags, command, context }: Call,
): Promise<void> {
  const isPlain = flags.now !== true && flags.stolenSince === undefined;
  const isLog = station === 'ct' || station === 'log' || station === 'log2';
  if (!isLog || !isPlain || command.getOptionValueSource('overlap') !== 'default') {
    throw fail(R.usage, {
      expected: 'rotate ct|log|log2 --lost alone',
      actual: `${station}, or further options`,
    });
  }
  const { giveUpLog } = await import('#stack');
  const lost = await giveUpLog(dataDir, station, context.clock.now());
  context.result('waybill.dev/stack-lost/v1', { ok: true, station, lost }, () =>
    [
      ...lost.map(({ generation, end, entries }) => {
        const size = entries === undefined ? '' : `, with ${entries} entries`;
        return `${station}: generation ${generation} is given up${size}; what it signed until ${rfc3339(end)} stays valid`;
      }),
      'bundles carry the proofs they need; nobody can look these entries up any more',
      'where none is left that takes entries, the next start makes one: waybill stack up',
    ].join('\n'),
  );
}

/** Clients walk from root to root: nothing has to be waited for. */
async function rotateTuf(dataDir: string, station: 'tuf' | 'tuf-root', context: CliContext): Promise<void> {
  const { requestTufRotation } = await import('#stack');
  const version = await requestTufRotation(dataDir, station === 'tuf' ? 'online' : 'root');
  const what = station === 'tuf' ? 'snapshot and timestamp' : 'root and targets';
  context.result(
    'waybill.dev/stack-rotate/v1',
    { ok: true, station, rootVersion: version },
    () => `tuf: root version ${version} gives ${what} new keys; clients follow from any earlier root`,
  );
}

async function request(
  dataDir: string,
  station: Rotatable,
  flags: Flags,
  command: Command,
): Promise<RotationStep> {
  const { requestHaste, requestRotation } = await import('#stack');
  const isDefault = command.getOptionValueSource('overlap') === 'default';
  if (flags.now === true) {
    if (isDefault && flags.stolenSince === undefined) return requestHaste(dataDir, station);
    throw fail(R.usage, { expected: '--now alone', actual: 'with other options' });
  }
  if (flags.stolenSince === undefined) {
    return requestRotation(dataDir, { station, overlapMs: flags.overlap });
  }
  if (!isDefault && flags.overlap !== 0) {
    throw fail(R.usage, { expected: 'no --overlap for a key that was stolen', actual: '--overlap' });
  }
  return requestRotation(dataDir, { station, overlapMs: 0, stolenSince: flags.stolenSince });
}

function text({ station, number, switchAt, endAt, hasSwitched, before }: RotationStep): string {
  const uses = hasSwitched ? 'signs now' : `is published now and signs from ${rfc3339(switchAt)}`;
  const made = `${station}: generation ${number} ${uses}`;
  const { start, end } = before;
  const old = `generation ${before.number}`;
  if (end === undefined || end >= endAt) {
    const kept = `${old} ends at ${rfc3339(endAt)}; what it signed until then stays valid`;
    return [made, kept, 'clients that refresh their trusted root in between notice nothing'].join('\n');
  }
  if (end >= start)
    return `${made}\n${old} is believed for what it signed until ${rfc3339(end)}, and no longer`;
  const others = before.number > 1 ? '; earlier generations had other keys and keep their times' : '';
  return `${made}\nnothing that ${old} signed is believed any more: it began at ${rfc3339(start)}${others}`;
}
