/** Words of users → which cataloguers run and which paths are left out. */
import { fail } from '#base/reason';
import { type Scope, scopes } from './catalogue.ts';
import { cataloguers } from './cataloguers/index.ts';
import { parentOf } from './paths.ts';
import { R } from './reasons.ts';
import type { Cataloguer } from './types.ts';

/** WB-855 for a word that is none. */
export function parseScope(text: string): Scope {
  const found = scopes.find((one) => one === text);
  if (found !== undefined) return found;
  throw fail(R.scope, { expected: scopes.join(' or '), actual: JSON.stringify(text) });
}

/** WB-856 for what is no small number. */
export function parseThreads(text: string): number {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  throw fail(R.threads, { expected: 'a number of threads, 0 to 99', actual: JSON.stringify(text) });
}

export type SourceKind = 'image' | 'folder';

/** By default an image tells what is installed in it; a folder also what its lock files declare. */
const defaults = (kind: SourceKind): readonly Cataloguer[] =>
  kind === 'folder' ? cataloguers : cataloguers.filter((one) => one.evidence === 'installed');

/**
 * `name` or purl type: only those of the default set; `+name`: besides; `-name`: without; `all`, `installed` and
 * `declared` are groups. WB-850 for a word that names nothing.
 */
export function selectCataloguers(words: readonly string[], kind: SourceKind): readonly Cataloguer[] {
  const plain = words.filter((word) => !/^[+-]/.test(word));
  const start = plain.length === 0 ? defaults(kind) : plain.flatMap((word) => named(word));
  const chosen = new Set(start);
  for (const word of words) {
    if (word.startsWith('+')) for (const one of named(word.slice(1))) chosen.add(one);
    if (word.startsWith('-')) for (const one of named(word.slice(1))) chosen.delete(one);
  }
  if (chosen.size === 0) {
    throw fail(R.cataloguer, {
      expected: 'at least one cataloguer left',
      actual: JSON.stringify(words.join(',')),
    });
  }
  return cataloguers.filter((one) => chosen.has(one));
}

function named(word: string): readonly Cataloguer[] {
  if (word === 'all') return cataloguers;
  const one = cataloguers.find(({ name }) => name === word);
  if (one !== undefined) return [one];
  const found = cataloguers.filter(({ evidence, types }) => evidence === word || types.includes(word));
  if (found.length > 0) return found;
  const expected = `all, installed, declared, ${cataloguers.map((one) => one.name).join(', ')}`;
  throw fail(R.cataloguer, { expected, actual: JSON.stringify(word) });
}

/**
 * Patterns of paths: `*` within a name, `**` over folders, `?` one character. A folder that one fits is left out with
 * all in it. As for Syft they start with `./`, `/` or `**\/`, so that nobody means a path of his own machine. WB-851 for
 * others.
 */
export function excluder(patterns: readonly string[]): ((path: string) => boolean) | undefined {
  if (patterns.length === 0) return undefined;
  const rules = patterns.map((pattern) => {
    const rest = /^(?:\.?\/)(.+)$/.exec(pattern)?.[1] ?? (pattern.startsWith('**/') ? pattern : undefined);
    if (rest === undefined) {
      throw fail(R.exclude, {
        expected: 'a pattern that starts with ./, / or **/',
        actual: JSON.stringify(pattern),
      });
    }
    return new RegExp(`^${globSource(rest.replace(/\/+$/, ''))}$`);
  });
  const folders = new Map<string, boolean>([['', false]]);
  const isOut = (path: string): boolean => rules.some((rule) => rule.test(path)) || isIn(parentOf(path));
  const isIn = (folder: string): boolean => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const found = isOut(folder);
    if (folders.size < FOLDERS_KEPT) folders.set(folder, found);
    return found;
  };
  return isOut;
}

const FOLDERS_KEPT = 50_000;

function globSource(pattern: string): string {
  return pattern.replace(/\*\*\/|\/\*\*$|\*\*|\*|\?|[.+^${}()|[\]\\]/g, (part) => {
    if (part === '**/') return '(?:[^/]+/)*';
    if (part === '/**') return '(?:/.*)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    return part === '?' ? '[^/]' : `\\${part}`;
  });
}
