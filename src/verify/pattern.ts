/**
 * How a text is required to look. A plain string means exactly that text; patterns say so, match the whole text
 * and run in linear time (RE2).
 */

import { RE2JS } from 're2js';
import { limits } from '#base/limits';
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { R } from './reasons.ts';

export type Pattern =
  | string
  | {
      /** RE2; must match the whole text. */
      readonly regexp: string;
    }
  | {
      /** RE2; may match anywhere, as cosign's flags do: `github.com/acme` also accepts `evil/github.com/acme`. */
      readonly regexpUnanchoredUnsafe: string;
      /** Takes a pattern that demands nothing, as cosign does; the caller has said so to the user. */
      readonly mayAdmitEverybody?: boolean;
    }
  | {
      /** `*` any text without `/`, `**` any text, `?` one character that is not `/`. */
      readonly glob: string;
      /** `*` crosses `/` too, as in Kyverno. Default false. */
      readonly starCrossesSlash?: boolean;
    };

export interface Matcher {
  readonly pattern: Pattern;
  /** For people: the text, or the pattern with its kind. */
  readonly text: string;
  readonly isExact: boolean;
  matches(text: string): boolean;
}

/**
 * Names of nobody, two of each kind a certificate carries: a pattern that takes both of a kind takes everybody of that
 * kind, wherever they come from, and demands nothing.
 */
const strangers: readonly (readonly [string, string])[] = [
  ['q@zz.qq', 'w7.k+v@u4-k.vv.qq'],
  ['https://zz.qq/w/k/v.z@q', 'https://u4-k.vv.qq:8443/7/q9/z'],
];

/** Compiles a pattern. Fails with WB-361: too long, not RE2, or it accepts anything. */
export function matcher(pattern: Pattern): Result<Matcher> {
  const source = sourceOf(pattern);
  if (source.length === 0 || source.length > limits.identityChars) {
    return refuse(`1–${limits.identityChars} characters`, `${source.length}`);
  }
  if (typeof pattern === 'string') {
    return ok({ pattern, text: JSON.stringify(pattern), isExact: true, matches: (text) => text === pattern });
  }
  if (source.length > limits.regexpChars) {
    return refuse(`a pattern of at most ${limits.regexpChars} characters`, `${source.length}`);
  }
  const compiled = compile(pattern);
  if (!compiled.ok) return compiled;
  const matches = compiled.value;
  const { mayAdmitEverybody = false } = pattern as { readonly mayAdmitEverybody?: boolean };
  const everybody = mayAdmitEverybody ? undefined : strangers.find((pair) => pair.every(matches));
  if (everybody !== undefined) {
    return refuse(
      'a pattern that excludes somebody',
      `${JSON.stringify(source)}, which also takes ${everybody[1]}`,
    );
  }
  const kind = 'glob' in pattern ? 'glob' : 'regexp';
  return ok({ pattern, text: `${kind} ${JSON.stringify(source)}`, isExact: false, matches });
}

function sourceOf(pattern: Pattern): string {
  if (typeof pattern === 'string') return pattern;
  if ('glob' in pattern) return pattern.glob;
  return 'regexp' in pattern ? pattern.regexp : pattern.regexpUnanchoredUnsafe;
}

function compile(pattern: Exclude<Pattern, string>): Result<(text: string) => boolean> {
  const source =
    'glob' in pattern ? globSource(pattern.glob, pattern.starCrossesSlash ?? false) : sourceOf(pattern);
  try {
    const flags = 'glob' in pattern ? RE2JS.DOTALL : 0;
    const compiled = RE2JS.compile(source, flags);
    if ('regexpUnanchoredUnsafe' in pattern) return ok((text) => fits(text) && compiled.matcher(text).find());
    return ok((text) => fits(text) && compiled.matches(text));
  } catch (error) {
    return refuse('an RE2 regular expression', `${JSON.stringify(source)}: ${(error as Error).message}`);
  }
}

const fits = (text: string): boolean => text.length <= limits.identityChars;

function globSource(glob: string, starCrossesSlash: boolean): string {
  return glob.replace(/\*+|\?|[^*?]+/g, (part) => {
    if (part === '?') return '[^/]';
    if (part === '*') return starCrossesSlash ? '.*' : '[^/]*';
    if (part.startsWith('*')) return '.*';
    return RE2JS.quote(part);
  });
}

function refuse(expected: string, actual: string): Result<never> {
  return err(reason(R.pattern, { expected, actual }));
}
