/** Go durations and Kubernetes quantities, exact, as Kyverno's operators and functions compare them. */

const unitNs: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** `time.ParseDuration`: nanoseconds, or undefined. */
export function parseDuration(text: string): bigint | undefined {
  const match = /^([+-]?)((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+$/.exec(text);
  if (text === '0' || text === '+0' || text === '-0') return 0n;
  if (match === null) return undefined;
  let total = 0n;
  for (const part of text.matchAll(/([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)/g)) {
    const unit = unitNs[part[3] as string] as bigint;
    total += BigInt(part[1] === '' ? 0 : (part[1] as string)) * unit;
    const fraction = part[2] ?? '';
    if (fraction !== '') total += (BigInt(fraction) * unit) / 10n ** BigInt(fraction.length);
  }
  return match[1] === '-' ? -total : total;
}

/** `time.Duration.String`. */
export function durationText(ns: bigint): string {
  if (ns === 0n) return '0s';
  const sign = ns < 0n ? '-' : '';
  const value = ns < 0n ? -ns : ns;
  if (value < 1_000n) return `${sign}${value}ns`;
  if (value < 1_000_000n) return `${sign}${scaled(value, 1_000n)}µs`;
  if (value < 1_000_000_000n) return `${sign}${scaled(value, 1_000_000n)}ms`;
  const seconds = scaled(value % 60_000_000_000n, 1_000_000_000n);
  const minutes = (value / 60_000_000_000n) % 60n;
  const hours = value / 3_600_000_000_000n;
  if (hours > 0n) return `${sign}${hours}h${minutes}m${seconds}s`;
  return minutes > 0n ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`;
}

function scaled(value: bigint, unit: bigint): string {
  const rest = value % unit;
  if (rest === 0n) return String(value / unit);
  const digits = rest
    .toString()
    .padStart(unit.toString().length - 1, '0')
    .replace(/0+$/, '');
  return `${value / unit}.${digits}`;
}

/** A Kubernetes quantity: exact value in units of 10⁻⁹, and how it is written. */
export interface Quantity {
  readonly nano: bigint;
  readonly format: 'binary' | 'decimal' | 'exponent';
}

const NANO = 1_000_000_000n;
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const decimal: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};

export function parseQuantity(text: string): Quantity | undefined {
  const match =
    /^([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?[0-9]{1,3})?$/.exec(
      text,
    );
  if (match === null) return undefined;
  const [whole = '', fraction = ''] = (match[2] as string).split('.');
  const suffix = match[3] ?? '';
  const mantissa = BigInt(`${whole}${fraction}` === '' ? '0' : `${whole}${fraction}`);
  const sign = match[1] === '-' ? -1n : 1n;
  if (suffix.endsWith('i')) {
    const scale = 1n << BigInt(10 * binary.indexOf(suffix));
    const nano = ceilDivide(mantissa * scale * NANO, 10n ** BigInt(fraction.length));
    return { nano: sign * nano, format: 'binary' };
  }
  const isExponent = /^[eE][+-]?[0-9]/.test(suffix);
  const power = (isExponent ? Number(suffix.slice(1)) : (decimal[suffix] as number)) - fraction.length + 9;
  if (power > 60) return undefined;
  const nano = power >= 0 ? mantissa * 10n ** BigInt(power) : ceilDivide(mantissa, 10n ** BigInt(-power));
  return { nano: sign * nano, format: isExponent ? 'exponent' : 'decimal' };
}

/** Quantities round away from zero at 10⁻⁹. */
function ceilDivide(value: bigint, by: bigint): bigint {
  return value % by === 0n ? value / by : value / by + 1n;
}

/** The canonical text: the largest suffix that leaves an integer. */
export function quantityText(quantity: Quantity): string {
  const { nano } = quantity;
  if (nano === 0n) return '0';
  const sign = nano < 0n ? '-' : '';
  const value = nano < 0n ? -nano : nano;
  if (quantity.format === 'binary' && value % NANO === 0n && value / NANO >= 1024n) {
    let units = value / NANO;
    let step = 0;
    while (units % 1024n === 0n && step < binary.length - 1) {
      units /= 1024n;
      step++;
    }
    return `${sign}${units}${binary[step]}`;
  }
  let units = value;
  let power = -9;
  while (units % 1000n === 0n && power < 18) {
    units /= 1000n;
    power += 3;
  }
  const suffix = Object.entries(decimal).find(([, exponent]) => exponent === power)?.[0] ?? '';
  if (quantity.format === 'exponent') return `${sign}${units}${power === 0 ? '' : `e${power}`}`;
  return `${sign}${units}${suffix}`;
}
