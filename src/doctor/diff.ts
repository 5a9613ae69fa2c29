/** Edits of whole lines, and the unified diff they make: `git apply` takes it as it is. */

export interface LineEdit {
  /** From 1: the first line replaced, or the line before which is inserted when `remove` is 0. */
  readonly line: number;
  readonly remove: number;
  /** Without line ends. */
  readonly insert: readonly string[];
}

const CONTEXT = 3;

/** Edits in order, without those that touch what an earlier one changed: the next run finds them again. */
export function compatible(edits: readonly LineEdit[]): readonly LineEdit[] {
  const kept: LineEdit[] = [];
  const seen = new Set<string>();
  for (const edit of edits.toSorted((a, b) => a.line - b.line || b.remove - a.remove)) {
    const key = JSON.stringify(edit);
    const last = kept.at(-1);
    const isFree = last === undefined || edit.line >= last.line + Math.max(last.remove, 1);
    if (seen.has(key) || !isFree) continue;
    seen.add(key);
    kept.push(edit);
  }
  return kept;
}

/** Lines with their ends, so that CRLF and a missing last newline stay as they are. */
const linesOf = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

export function applyEdits(text: string, edits: readonly LineEdit[]): string {
  const lines = linesOf(text);
  const end = lines[0]?.endsWith('\r\n') === true ? '\r\n' : '\n';
  for (const { line, remove, insert } of compatible(edits).toReversed()) {
    lines.splice(line - 1, remove, ...insert.map((one) => `${one}${end}`));
  }
  return lines.join('');
}

/** A unified diff of `file`; '' when nothing changes. */
export function unifiedDiff(file: string, text: string, edits: readonly LineEdit[]): string {
  const lines = linesOf(text);
  const end = lines[0]?.endsWith('\r\n') === true ? '\r\n' : '\n';
  const path = file.replace(/^(?:\.\/)+/, '');
  const groups = grouped(compatible(edits));
  if (groups.length === 0) return '';
  let shift = 0;
  const out = [`--- a/${path}\n`, `+++ b/${path}\n`];
  for (const group of groups) {
    const first = group[0] as LineEdit;
    const last = group.at(-1) as LineEdit;
    const from = Math.max(1, first.line - CONTEXT);
    const to = Math.min(lines.length, last.line + last.remove - 1 + CONTEXT);
    const body: string[] = [];
    let at = from;
    for (const edit of group) {
      for (; at < edit.line; at++) body.push(shown(' ', lines[at - 1]));
      for (; at < edit.line + edit.remove; at++) body.push(shown('-', lines[at - 1]));
      for (const one of edit.insert) body.push(shown('+', `${one}${end}`));
    }
    for (; at <= to; at++) body.push(shown(' ', lines[at - 1]));
    const grown = group.reduce((sum, { insert, remove }) => sum + insert.length - remove, 0);
    const length = to - from + 1;
    out.push(`@@ -${from},${length} +${from + shift},${length + grown} @@\n`, ...body);
    shift += grown;
  }
  return out.join('');
}

const shown = (mark: string, line = ''): string =>
  line.endsWith('\n') ? `${mark}${line}` : `${mark}${line}\n\\ No newline at end of file\n`;

/** Edits whose context touches share a hunk. */
function grouped(edits: readonly LineEdit[]): LineEdit[][] {
  const groups: LineEdit[][] = [];
  for (const edit of edits) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group !== undefined && last !== undefined && edit.line - (last.line + last.remove) <= 2 * CONTEXT) {
      group.push(edit);
    } else groups.push([edit]);
  }
  return groups;
}
