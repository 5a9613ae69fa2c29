/** How bad: ratings from CVSS vectors, the words of databases, Debian's urgency; malicious is critical. */
import { fail } from '#base/reason';
import type { JsonObject, JsonValue } from '#formats/json';
import type { OsvAffected, OsvRecord, OsvSeverity } from '#formats/osv';
import { cvssBaseScore, cvssVersion } from './cvss.ts';
import { R } from './reasons.ts';

export const severities = ['unknown', 'none', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof severities)[number];

export interface CvssScore {
  /** `2.0`, `3.0`, `3.1`, `4.0`. */
  readonly version: string;
  readonly vector: string;
  /** 0.0–10.0. */
  readonly score: number;
}

export interface Rating {
  readonly severity: Severity;
  /** CVSS score of the newest version that is stated, 0.0–10.0. */
  readonly score?: number;
  readonly vector?: string;
  /** Every scored vector, newest version first. */
  readonly cvss?: readonly CvssScore[];
}

export const severityRank = (severity: Severity): number => severities.indexOf(severity);

/** `negligible`, `low`, `medium`, `high`, `critical`: the thresholds of `--fail-on`. WB-876 otherwise. */
export function parseThreshold(text: string): Severity {
  const found = parseSeverity(text);
  if (found !== undefined && found !== 'unknown') return found;
  throw fail(R.severity, {
    expected: 'negligible, low, medium, high or critical',
    actual: JSON.stringify(text),
  });
}

/** A severity by its name; `negligible` is what CVSS calls none. */
export function parseSeverity(text: string): Severity | undefined {
  const word = text.trim().toLowerCase();
  return word === 'negligible' ? 'none' : severities.find((one) => one === word);
}

const words: ReadonlyMap<string, Severity> = new Map<string, Severity>([
  ['none', 'none'],
  ['negligible', 'low'],
  ['unimportant', 'low'],
  ['low', 'low'],
  ['medium', 'medium'],
  ['moderate', 'medium'],
  ['important', 'high'],
  ['high', 'high'],
  ['critical', 'critical'],
]);

const word = (value: JsonValue | undefined): Severity | undefined =>
  typeof value === 'string' ? words.get(value.toLowerCase()) : undefined;

export const isMalicious = (record: Pick<OsvRecord, 'id' | 'aliases'>): boolean =>
  record.id.startsWith('MAL-') || record.aliases.some((alias) => alias.startsWith('MAL-'));

/** The rating of an advisory for one affected package. Its own statement wins over that of the record. */
export function rate(record: OsvRecord, affected: OsvAffected): Rating {
  if (isMalicious(record)) return { severity: 'critical' };
  const own = ratingOf(affected.severity, affected.databaseSpecific, affected.ecosystemSpecific);
  const whole = ratingOf(record.severity, record.databaseSpecific, {});
  // A distribution says how bad it is for it; the scores are those of the problem.
  if (own.severity !== 'unknown') return own.cvss === undefined ? { ...whole, severity: own.severity } : own;
  return whole.severity === 'unknown' && own.vector !== undefined ? own : whole;
}

function ratingOf(scores: readonly OsvSeverity[], database: JsonObject, ecosystem: JsonObject): Rating {
  const stated = word(ecosystem['urgency']) ?? word(ecosystem['severity']) ?? word(database['severity']);
  const vectors = [...scores.map((one) => one.score), database['cvss']].filter(
    (one) => typeof one === 'string',
  );
  const scored = vectors.flatMap(scoreOf).sort((a, b) => compareScores(a, b));
  const [best] = scored;
  const byWord = scores.map((one) => word(one.score)).find((one) => one !== undefined);
  const severity = stated ?? byWord ?? (best === undefined ? 'unknown' : ofScore(best.score));
  const unscored = vectors.find((vector) => /^(?:CVSS|AV):/.test(vector));
  const vector = best?.vector ?? unscored;
  return {
    severity,
    ...(best === undefined ? {} : { score: best.score }),
    ...(vector === undefined ? {} : { vector }),
    ...(scored.length === 0 ? {} : { cvss: scored }),
  };
}

function scoreOf(vector: string): CvssScore[] {
  const version = cvssVersion(vector);
  const score = cvssBaseScore(vector);
  return version === undefined || score === undefined ? [] : [{ version, vector, score }];
}

/** Newest version first, then the higher score. */
const compareScores = (a: CvssScore, b: CvssScore): number =>
  Number(b.version) - Number(a.version) || b.score - a.score || (a.vector < b.vector ? -1 : 1);

/** CVSS v3.1 §5, qualitative severity rating scale. */
function ofScore(score: number): Severity {
  if (score === 0) return 'none';
  if (score < 4) return 'low';
  if (score < 7) return 'medium';
  return score < 9 ? 'high' : 'critical';
}
