/**
 * CVSS 4.0 (first.org specification, §8): six equivalence classes make a macro vector, whose score is looked up and
 * lowered by how far the vector lies below the worst one of its class. Severity levels are counted in steps.
 */

type Metrics = ReadonlyMap<string, string>;

/** Tenths of scores by classes 1 and 2; within a line by classes 3, 4, 5, 6, without the pair 3 = 2, 6 = 0. */
const tenths: readonly (readonly number[])[] = [
  '100 99 98 95 95 92 100 96 93 87 91 81 93 90 89 80 81 68 98 95 95 92 90 84 93 92 89 81 81 65 88 80 78 70 69 48 92 82 72 79 69 50 69 55 27',
  '99 97 95 92 92 85 95 91 90 83 84 71 92 81 82 71 72 53 95 93 92 85 85 73 92 82 80 72 70 59 84 70 71 52 50 30 86 75 52 71 52 29 63 29 17',
  '98 95 94 87 91 81 94 89 86 74 77 64 87 75 74 63 63 49 94 89 88 77 76 67 86 76 74 58 59 50 72 57 57 52 52 25 83 70 54 65 58 26 53 21 13',
  '95 90 88 76 76 70 90 77 75 62 61 53 77 66 68 59 52 30 89 78 76 67 62 58 74 59 57 57 47 23 61 52 57 29 24 16 71 59 30 58 26 15 23 13 6',
  '93 87 86 72 75 58 86 74 74 61 56 34 70 54 52 40 40 22 85 75 74 55 62 51 72 57 55 41 46 19 53 36 34 19 19 8 64 51 20 47 21 11 24 9 4',
  '88 75 73 53 60 50 73 55 59 40 41 20 54 43 45 22 20 11 75 55 58 45 40 21 61 51 48 18 20 9 46 18 17 7 8 2 53 24 14 24 12 5 10 3 1',
].map((line) => line.split(' ').map(Number));

/** Values of a metric from the most severe on. */
const levels: Readonly<Record<string, string>> = {
  AV: 'NALP',
  PR: 'NLH',
  UI: 'NPA',
  AC: 'LH',
  AT: 'NP',
  VC: 'HLN',
  VI: 'HLN',
  VA: 'HLN',
  SC: 'SHLN',
  SI: 'SHLN',
  SA: 'SHLN',
  CR: 'HML',
  IR: 'HML',
  AR: 'HML',
};

const mandatory = ['AV', 'AC', 'AT', 'PR', 'UI', 'VC', 'VI', 'VA', 'SC', 'SI', 'SA'] as const;
/** What counts where a metric is not defined. */
const worst: Readonly<Record<string, string>> = { E: 'A', CR: 'H', IR: 'H', AR: 'H' };

/** Metrics of a class, its most severe vectors by value of the class, and its depth in steps. */
interface Class {
  readonly metrics: readonly string[];
  readonly maxima: Readonly<Record<string, readonly string[]>>;
  readonly depth: Readonly<Record<string, number>>;
}

const classes: Readonly<Record<'1' | '2' | '36' | '4', Class>> = {
  '1': {
    metrics: ['AV', 'PR', 'UI'],
    maxima: { 0: ['NNN'], 1: ['ANN', 'NLN', 'NNP'], 2: ['PNN', 'ALP'] },
    depth: { 0: 1, 1: 4, 2: 5 },
  },
  '2': { metrics: ['AC', 'AT'], maxima: { 0: ['LN'], 1: ['HN', 'LP'] }, depth: { 0: 1, 1: 2 } },
  '36': {
    metrics: ['VC', 'VI', 'VA', 'CR', 'IR', 'AR'],
    maxima: {
      '00': ['HHHHHH'],
      '01': ['HHLMMH', 'HHHMMM'],
      '10': ['LHHHHH', 'HLHHHH'],
      '11': ['LHLHMH', 'LHHHMM', 'HLHMHM', 'HLLMHH', 'LLHHHM'],
      '21': ['LLLHHH'],
    },
    depth: { '00': 7, '01': 6, '10': 8, '11': 8, '21': 10 },
  },
  '4': {
    metrics: ['SC', 'SI', 'SA'],
    maxima: { 0: ['HSS'], 1: ['HHH'], 2: ['LLL'] },
    depth: { 0: 6, 1: 5, 2: 4 },
  },
};

/** The score of a vector of version 4.0; undefined when a base metric is missing or a value is unknown. */
export function scoreV4(given: Metrics): number | undefined {
  const value = (name: string): string => {
    const modified = given.get(`M${name}`);
    if (modified !== undefined && modified !== 'X') return modified;
    const own = given.get(name) ?? 'X';
    return own === 'X' ? (worst[name] ?? 'X') : own;
  };
  if (!mandatory.every((name) => given.has(name))) return undefined;
  for (const [name, known] of Object.entries(levels)) if (!known.includes(value(name))) return undefined;
  if (!'APU'.includes(value('E'))) return undefined;
  if (['VC', 'VI', 'VA', 'SC', 'SI', 'SA'].every((name) => value(name) === 'N')) return 0;
  const macro = macroVector(value);
  const score = lookUp(macro) as number;
  const lowered = lowerings(macro, score, value);
  const mean = lowered.length === 0 ? 0 : lowered.reduce((sum, one) => sum + one, 0) / lowered.length;
  // The smallest nudge keeps halves from falling to the wrong side of binary fractions.
  return Math.round(Math.min(100, Math.max(0, score - mean)) + 1e-5) / 10;
}

type Macro = readonly [number, number, number, number, number, number];

function macroVector(value: (name: string) => string): Macro {
  const is = (text: string): boolean =>
    text.split(' ').every((one) => value(one.slice(0, -1)) === one.at(-1));
  const any = (...texts: readonly string[]): boolean => texts.some(is);
  const open = any('AVN', 'PRN', 'UIN') && !is('AVP');
  const isHigh = any('VCH', 'VIH', 'VAH');
  return [
    is('AVN PRN UIN') ? 0 : open ? 1 : 2,
    is('ACL ATN') ? 0 : 1,
    is('VCH VIH') ? 0 : isHigh ? 1 : 2,
    any('SIS', 'SAS') ? 0 : any('SCH', 'SIH', 'SAH') ? 1 : 2,
    'APU'.indexOf(value('E')),
    any('CRH VCH', 'IRH VIH', 'ARH VAH') ? 0 : 1,
  ];
}

/** In tenths; undefined for a macro vector that does not exist. */
function lookUp([one, two, three, four, five, six]: Macro): number | undefined {
  if (one > 2 || two > 1 || three > 2 || four > 2 || five > 2 || six > 1) return undefined;
  if (three === 2 && six === 0) return undefined;
  const within = three === 2 ? 36 + four * 3 + five : three * 18 + four * 6 + five * 2 + six;
  return tenths[one * 2 + two]?.[within];
}

/** For each class that has a lower neighbour: its share of the way there. */
function lowerings(macro: Macro, score: number, value: (name: string) => string): number[] {
  const [one, two, three, four, five, six] = macro;
  const neighbours: readonly (readonly [keyof typeof classes | undefined, string, readonly Macro[]])[] = [
    ['1', String(one), [[one + 1, two, three, four, five, six]]],
    ['2', String(two), [[one, two + 1, three, four, five, six]]],
    ['36', `${three}${six}`, lowerThreeSix(macro)],
    ['4', String(four), [[one, two, three, four + 1, five, six]]],
    // Nothing lies between the values of exploit maturity: its share is 0, but it counts in the mean.
    [undefined, '', [[one, two, three, four, five + 1, six]]],
  ];
  const distances = stepsBelowWorst(macro, value);
  return neighbours.flatMap(([name, at, lower]) => {
    const scores = lower.map(lookUp).filter((found) => found !== undefined);
    if (scores.length === 0) return [];
    if (name === undefined) return [0];
    const share = (distances[name] ?? 0) / (classes[name].depth[at] as number);
    return [(score - Math.max(...scores)) * share];
  });
}

function lowerThreeSix([one, two, three, four, five, six]: Macro): Macro[] {
  const lower = (a: number, b: number): Macro => [one, two, a, four, five, b];
  if (three === 1 && six === 0) return [lower(1, 1)];
  if (three === 0 && six === 0) return [lower(0, 1), lower(1, 0)];
  return six === 1 && three < 2 ? [lower(three + 1, 1)] : [];
}

/** Steps from the first most severe vector of the class that is nowhere less severe than the one given. */
function stepsBelowWorst(
  [one, two, three, four, , six]: Macro,
  value: (name: string) => string,
): Record<string, number> {
  const at: Readonly<Record<string, string>> = {
    '1': String(one),
    '2': String(two),
    '36': `${three}${six}`,
    '4': String(four),
  };
  const out: Record<string, number> = {};
  for (const [name, { metrics, maxima }] of Object.entries(classes)) {
    for (const maximum of maxima[at[name] as string] ?? []) {
      const steps = metrics.map((metric, i) => {
        const known = levels[metric] as string;
        return known.indexOf(value(metric)) - known.indexOf(maximum[i] as string);
      });
      if (steps.some((step) => step < 0)) continue;
      out[name] = steps.reduce((sum, step) => sum + step, 0);
      break;
    }
  }
  return out;
}
