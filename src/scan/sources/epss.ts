/** EPSS scores as published: a comment with the day of the model, a header, one CVE a line. */
import type { Epss } from '../database/index.ts';
import type { Listed } from './listed.ts';

/** Undefined for a text that has no such header. */
export function readEpss(text: string): Listed<Epss> | undefined {
  const date = /^#.*score_date:(\d{4}-\d{2}-\d{2})/m.exec(text)?.[1];
  const lines = text.split('\n');
  const header = lines.findIndex((line) => /^cve,epss,percentile\s*$/.test(line));
  if (header < 0) return undefined;
  const found = new Map<string, Epss>();
  const unread: number[] = [];
  for (const [at, line] of lines.entries()) {
    if (at <= header || line.trim() === '') continue;
    const match = /^(CVE-\d+-\d+),([0-9.eE+-]+),([0-9.eE+-]+)\s*$/.exec(line);
    const [, id = '', probability, percentile] = match ?? [];
    const numbers = { probability: Number(probability), percentile: Number(percentile) };
    const areChances = Object.values(numbers).every((one) => one >= 0 && one <= 1);
    if (match === null || !areChances) unread.push(at + 1);
    else found.set(id, { ...numbers, ...(date === undefined ? {} : { date }) });
  }
  return { found, unread };
}
