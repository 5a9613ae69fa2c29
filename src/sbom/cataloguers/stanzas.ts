/** Control files of the dpkg family (deb822): stanzas of `Field: value` with folded lines. */

export type Stanza = ReadonlyMap<string, string>;

export interface StanzaProblem {
  /** First line of the stanza, 1-based. */
  readonly line: number;
  readonly reason: string;
}

/**
 * Splits a control file. Field names are lower-cased; a stanza with a broken line or a field given twice is a
 * problem and is left out, the others stay. `isWhole`: a program wrote it, and ends every line.
 */
export function parseStanzas(
  text: string,
  isWhole = false,
): { stanzas: Stanza[]; problems: StanzaProblem[] } {
  const stanzas: Stanza[] = [];
  const problems: StanzaProblem[] = [];
  let fields = new Map<string, string[]>();
  let start = 1;
  let problem: string | undefined;
  let last: string[] | undefined;
  const close = (next: number): void => {
    if (problem !== undefined) problems.push({ line: start, reason: problem });
    else if (fields.size > 0)
      stanzas.push(new Map([...fields].map(([key, lines]) => [key, lines.join('\n')])));
    fields = new Map();
    problem = undefined;
    last = undefined;
    start = next;
  };
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = (lines[i] as string).replace(/\r$/, '');
    const isCut = isWhole && i === lines.length - 1 && line !== '';
    if (isCut) problem ??= `line ${i + 1}: the file ends within it`;
    else if (line.includes('\0')) problem ??= `line ${i + 1}: bytes that are no text`;
    if (line.trim() === '') {
      close(i + 2);
    } else if (line[0] === ' ' || line[0] === '\t') {
      if (last === undefined) problem ??= `line ${i + 1}: a folded line without a field`;
      else last.push(line.slice(1));
    } else if (line[0] !== '#') {
      const colon = line.indexOf(':');
      const key = line.slice(0, Math.max(colon, 0)).toLowerCase();
      if (colon <= 0 || /\s/.test(key)) problem ??= `line ${i + 1}: no field name`;
      else if (fields.has(key)) problem ??= `line ${i + 1}: field ${key} for the second time`;
      last = [line.slice(colon + 1).trim()];
      if (problem === undefined) fields.set(key, last);
    }
  }
  close(0);
  return { stanzas, problems };
}
