/** Python (PEP 440). Texts that are no such version sort before all that are, among themselves by their parts. */
import { compareNumbers, compareText, isNumber, type VersionOrder } from './order.ts';

const form =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/;

const phases: ReadonlyMap<string, number> = new Map([
  ['a', 0],
  ['alpha', 0],
  ['b', 1],
  ['beta', 1],
  ['c', 2],
  ['rc', 2],
  ['pre', 2],
  ['preview', 2],
]);

interface Pep440 {
  readonly epoch: string;
  readonly release: readonly string[];
  /** -1 dev release of a final, 0–2 a/b/rc, 3 final. */
  readonly phase: number;
  readonly phaseNumber: string;
  /** undefined: none, sorts first. */
  readonly post: string | undefined;
  /** undefined: none, sorts last. */
  readonly dev: string | undefined;
  readonly local: readonly string[];
}

/** Lists of affected releases are compared again for every package: what was parsed is kept, up to a bound. */
const kept = new Map<string, Pep440 | undefined>();
const KEPT_MAX = 20_000;

function parse(text: string): Pep440 | undefined {
  const known = kept.get(text);
  if (known !== undefined || kept.has(text)) return known;
  if (kept.size >= KEPT_MAX) kept.clear();
  const parsed = parseNew(text);
  kept.set(text, parsed);
  return parsed;
}

function parseNew(text: string): Pep440 | undefined {
  const match = form.exec(text.trim().toLowerCase());
  if (match === null) return undefined;
  const post = match[5] ?? (match[6] === undefined ? undefined : match[7] || '0');
  const dev = match[8] === undefined ? undefined : match[9] || '0';
  const named = match[3] === undefined ? undefined : phases.get(match[3]);
  return {
    epoch: match[1] ?? '0',
    release: (match[2] as string).split('.'),
    phase: named ?? (dev !== undefined && post === undefined ? -1 : 3),
    phaseNumber: match[4] || '0',
    post,
    dev,
    local: match[10] === undefined ? [] : match[10].split(/[-_.]/),
  };
}

export const comparePep440: VersionOrder = (a, b) => {
  const left = parse(a);
  const right = parse(b);
  if (left === undefined || right === undefined) {
    if (left !== undefined) return 1;
    if (right !== undefined) return -1;
    return compareLegacy(a, b);
  }
  return (
    compareNumbers(left.epoch, right.epoch) ||
    compareRelease(left.release, right.release) ||
    left.phase - right.phase ||
    compareNumbers(left.phaseNumber, right.phaseNumber) ||
    compareOptional(left.post, right.post, -1) ||
    compareOptional(left.dev, right.dev, 1) ||
    compareLocal(left.local, right.local)
  );
};

function compareRelease(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = compareNumbers(a[i] ?? '0', b[i] ?? '0');
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `absent` says where a missing number sorts: -1 first, 1 last. */
function compareOptional(a: string | undefined, b: string | undefined, absent: number): number {
  if (a === undefined || b === undefined) {
    if (a === b) return 0;
    return a === undefined ? absent : -absent;
  }
  return compareNumbers(a, b);
}

/** Numbers are newer than texts; a longer local version is newer. */
function compareLocal(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const left = a[i] as string;
    const right = b[i] as string;
    if (isNumber(left) !== isNumber(right)) return isNumber(left) ? 1 : -1;
    const difference = isNumber(left) ? compareNumbers(left, right) : compareText(left, right);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const legacyNames: Record<string, string> = { pre: 'c', preview: 'c', '-': 'final-', rc: 'c', dev: '@' };

/** The order setuptools had before PEP 440. */
function legacyKey(version: string): string[] {
  const parts: string[] = [];
  for (const raw of version.toLowerCase().split(/(\d+|[a-z]+|\.|-)/)) {
    const part = legacyNames[raw] ?? raw;
    if (part === '' || part === '.') continue;
    if (isNumber(part)) {
      parts.push(part.padStart(8, '0'));
      continue;
    }
    const text = `*${part}`;
    if (text < '*final') while (parts.at(-1) === '*final-') parts.pop();
    while (parts.at(-1) === '00000000') parts.pop();
    parts.push(text);
  }
  parts.push('*final');
  return parts;
}

function compareLegacy(a: string, b: string): number {
  const left = legacyKey(a);
  const right = legacyKey(b);
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = compareText(left[i] as string, right[i] as string);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
