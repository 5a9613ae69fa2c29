/** CVSS scores of versions 2, 3.0, 3.1 (base) and 4.0 (first.org specifications). */
import { scoreV4 } from './cvss4.ts';

type Weights = Record<string, Record<string, number>>;

const v3: Weights = {
  AV: { N: 0.85, A: 0.62, L: 0.55, P: 0.2 },
  AC: { L: 0.77, H: 0.44 },
  UI: { N: 0.85, R: 0.62 },
  C: { H: 0.56, L: 0.22, N: 0 },
  I: { H: 0.56, L: 0.22, N: 0 },
  A: { H: 0.56, L: 0.22, N: 0 },
};
const privileges: Weights = { U: { N: 0.85, L: 0.62, H: 0.27 }, C: { N: 0.85, L: 0.68, H: 0.5 } };

const v2: Weights = {
  AV: { L: 0.395, A: 0.646, N: 1 },
  AC: { H: 0.35, M: 0.61, L: 0.71 },
  Au: { M: 0.45, S: 0.56, N: 0.704 },
  C: { N: 0, P: 0.275, C: 0.66 },
  I: { N: 0, P: 0.275, C: 0.66 },
  A: { N: 0, P: 0.275, C: 0.66 },
};

/** `2.0`, `3.0`, `3.1`, `4.0`; undefined for what is no vector. */
export function cvssVersion(vector: string): string | undefined {
  const named = /^CVSS:(3\.[01]|4\.0)\//.exec(vector.trim())?.[1];
  return named ?? (/^\(?AV:[LAN]\//.test(vector.trim()) ? '2.0' : undefined);
}

/** The base score of a vector; undefined for what is no complete vector of a version that is scored. */
export function cvssBaseScore(vector: string): number | undefined {
  const metrics = new Map<string, string>();
  for (const part of vector.trim().split('/')) {
    const [key, value] = part.split(':');
    if (key === undefined || value === undefined || metrics.has(key)) return undefined;
    metrics.set(key, value);
  }
  const version = metrics.get('CVSS');
  if (version === '4.0') return scoreV4(metrics);
  if (version === '3.0' || version === '3.1') return scoreV3(metrics, version);
  return version === undefined && metrics.has('Au') ? scoreV2(metrics) : undefined;
}

function weigh(table: Weights, metrics: ReadonlyMap<string, string>): Record<string, number> | undefined {
  const found: Record<string, number> = {};
  for (const [key, values] of Object.entries(table)) {
    const weight = values[metrics.get(key) ?? ''];
    if (weight === undefined) return undefined;
    found[key] = weight;
  }
  return found;
}

function scoreV3(metrics: ReadonlyMap<string, string>, version: string): number | undefined {
  const w = weigh(v3, metrics);
  const scope = metrics.get('S') ?? '';
  const privilege = privileges[scope]?.[metrics.get('PR') ?? ''];
  if (w === undefined || privilege === undefined) return undefined;
  const { AV = 0, AC = 0, UI = 0, C = 0, I = 0, A = 0 } = w;
  const base = 1 - (1 - C) * (1 - I) * (1 - A);
  const isChanged = scope === 'C';
  const impact = isChanged ? 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 : 6.42 * base;
  if (impact <= 0) return 0;
  const exploitability = 8.22 * AV * AC * privilege * UI;
  const sum = Math.min((isChanged ? 1.08 : 1) * (impact + exploitability), 10);
  return version === '3.1' ? roundUp31(sum) : Math.ceil(sum * 10) / 10;
}

/** Appendix A of 3.1: immune to the last bit of a floating-point sum. */
function roundUp31(value: number): number {
  const whole = Math.round(value * 100_000);
  return whole % 10_000 === 0 ? whole / 100_000 : (Math.floor(whole / 10_000) + 1) / 10;
}

function scoreV2(metrics: ReadonlyMap<string, string>): number | undefined {
  const w = weigh(v2, metrics);
  if (w === undefined) return undefined;
  const { AV = 0, AC = 0, Au = 0, C = 0, I = 0, A = 0 } = w;
  const impact = 10.41 * (1 - (1 - C) * (1 - I) * (1 - A));
  const exploitability = 20 * AV * AC * Au;
  const score = (0.6 * impact + 0.4 * exploitability - 1.5) * (impact === 0 ? 0 : 1.176);
  return Math.round(score * 10) / 10;
}
