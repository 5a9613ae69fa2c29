/** Times as `30s`, `15m`, `24h`, `7d`. */
import { fail } from '#base/reason';
import { R } from './reasons.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds; undefined for another form. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (text === '0') return 0;
  return amount === undefined || unit === undefined ? undefined : Number(amount) * (UNITS[unit] as number);
}

/** Milliseconds of an option's value. Throws WB-1305. */
export function durationOf(option: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw fail(R.optionValue, { expected: `${option} as 30m, 24h or 7d`, actual: JSON.stringify(text) });
}
