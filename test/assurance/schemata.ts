/**
 * All mutants of a file in one text: at each check a switch on `globalThis.mutant`, which no value but the number
 * of one of its mutants turns. So the sources are loaded once and each mutant costs only the tests. Loops count
 * their turns, since a mutant may never leave one.
 */
import { loopBodies, NOT_CALLED, type SourceMutant } from './sites.ts';

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly wrap: (original: string) => string;
}

interface Numbered {
  readonly mutant: SourceMutant;
  readonly number: number;
}

/** The text of `file` with switches for these mutants, each with its number. */
export function schemata(file: string, text: string, mutants: readonly Numbered[]): string {
  const byRange = Map.groupBy(mutants, ({ mutant }) => `${mutant.start}-${mutant.end}`);
  const edits = [...byRange.values()].map((list): Edit => {
    const [first] = list as [Numbered, ...Numbered[]];
    const { start, end } = first.mutant;
    return { start, end, wrap: (original) => switched(list, original) };
  });
  for (const { start, end } of loopBodies(file, text)) {
    edits.push({ start, end, wrap: (original) => `{globalThis.turn();${original}}` });
  }
  // Outer before inner; of one range the loop's block around the statement it holds.
  edits.sort((a, b) => a.start - b.start || b.end - a.end);
  return render(text, edits);
}

function switched(list: readonly Numbered[], original: string): string {
  const statement = list.find(({ mutant }) => mutant.how === NOT_CALLED);
  // In a block of its own: an else that follows belongs to the if around it.
  if (statement !== undefined) return `{if(globalThis.mutant!==${statement.number}){${original}}}`;
  const cases = list.map(({ mutant, number }) => `globalThis.mutant===${number}?(${mutant.text}):`);
  return `(${cases.join('')}(${original}))`;
}

function render(text: string, edits: readonly Edit[]): string {
  let position = 0;
  const between = (from: number, to: number): string => {
    let out = '';
    let at = from;
    for (let edit = edits[position]; edit !== undefined && edit.start < to; edit = edits[position]) {
      position++;
      out += text.slice(at, edit.start) + edit.wrap(between(edit.start, edit.end));
      at = edit.end;
    }
    return out + text.slice(at, to);
  };
  return between(0, text.length);
}
