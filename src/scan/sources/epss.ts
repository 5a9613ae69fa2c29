/** EPSS scores as published: a comment with the day of the model, a header, one CVE a line. */
import type { Epss } from '../database/index.ts';

/** Undefined for a text that has no such header. */
export function readEpss(text: string): ReadonlyMap<string, Epss> | undefined {
  const date = /^#.*score_date:(\d{4}-\d{2}-\d{2})/m.exec(text)?.[1];
  const start = /^cve,epss,percentile\s*$/m.exec(text);
  if (start === null) return undefined;
  const found = new Map<string, Epss>();
  for (const line of text.slice(start.index + start[0].length).split('\n')) {
    const match = /^(CVE-\d+-\d+),([0-9.eE+-]+),([0-9.eE+-]+)\s*$/.exec(line);
    if (match === null) continue;
    const [, id = '', probability, percentile] = match;
    const numbers = { probability: Number(probability), percentile: Number(percentile) };
    if (Object.values(numbers).some((one) => !(one >= 0 && one <= 1))) continue;
    found.set(id, { ...numbers, ...(date === undefined ? {} : { date }) });
  }
  return found;
}
