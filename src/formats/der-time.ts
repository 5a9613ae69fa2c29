/** Times of certificates and timestamps. */
import { type DerNode, ia5Text, malformed, tags } from './der.ts';

const utcForm = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const generalizedForm = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d*[1-9]))?Z$/;

/**
 * UTCTime or GeneralizedTime as milliseconds since the epoch; seconds and `Z` are compulsory (RFC 5280 §4.1.2.5).
 * A fraction of a second is read only where `fraction` allows it (RFC 3161 genTime). Throws WB-121.
 */
export function timeMs(node: DerNode, options: { readonly fraction?: boolean } = {}): number {
  const plain = plainTimeMs(node);
  if (plain !== undefined) return plain;
  const text = ia5Text(node.body);
  const isUtc = node.tag === tags.utcTime;
  const parts = (isUtc ? utcForm : generalizedForm).exec(text);
  const fraction = parts?.[7];
  const isKnown = isUtc || node.tag === tags.generalizedTime;
  if (!isKnown || parts === null || (fraction !== undefined && options.fraction !== true)) {
    throw malformed('a UTC time with seconds', JSON.stringify(text));
  }
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  // RFC 5280: two-digit years 50–99 are 19xx.
  const fullYear = isUtc ? year + (year >= 50 ? 1900 : 2000) : year;
  const date = new Date(0);
  date.setUTCFullYear(fullYear, month - 1, day);
  date.setUTCHours(hour, minute, second);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || date.getUTCSeconds() !== second) {
    throw malformed('a date that exists', JSON.stringify(text));
  }
  if (hour > 23 || minute > 59) throw malformed('a time that exists', JSON.stringify(text));
  return date.getTime() + (fraction === undefined ? 0 : Number(fraction.slice(0, 3).padEnd(3, '0')));
}

/** The usual form, whole seconds on a day that every month has; undefined sends the rest through the full reader. */
function plainTimeMs(node: DerNode): number | undefined {
  const { source, bodyStart: at, end } = node;
  const isUtc = node.tag === tags.utcTime;
  if (!isUtc && node.tag !== tags.generalizedTime) return undefined;
  const rest = at + (isUtc ? 2 : 4);
  if (end - rest !== 11 || source[end - 1] !== ZULU) return undefined;
  const short = digitPair(source, rest - 2);
  const year = isUtc ? short + (short >= 50 ? 1900 : 2000) : digitPair(source, at) * 100 + short;
  const month = digitPair(source, rest);
  const day = digitPair(source, rest + 2);
  const hour = digitPair(source, rest + 4);
  const minute = digitPair(source, rest + 6);
  const second = digitPair(source, rest + 8);
  const isPlain = year >= 100 && month >= 1 && month <= 12 && day >= 1 && day <= 28;
  // Comparisons with NaN, which stands for a character that is no digit, are false.
  if (!isPlain || !(hour <= 23 && minute <= 59 && second <= 59)) return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

const ZULU = 0x5a;

function digitPair(source: Uint8Array, at: number): number {
  const tens = (source[at] as number) - 0x30;
  const ones = (source[at + 1] as number) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}
