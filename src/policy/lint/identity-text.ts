/** What is wrong with the text of an identity, in a policy or on a command line. */
import { regexpProgram } from '../condition/functions-text.ts';

/** Faults of a regular expression as engines that search for it, and do not match the whole, take it. */
export function regexpFaults(text: string): string[] {
  if (text === '') return [];
  if (regexpProgram(text) === undefined) return [`${text} is not an RE2 regular expression`];
  const faults: string[] = [];
  const isAnchored = text.startsWith('^') && text.endsWith('$');
  if (!isAnchored) {
    faults.push(`${text} is not anchored: it also matches inside https://evil.example/?${example(text)}`);
  }
  const dots = text.replace(/\\./g, '').match(/[a-z0-9]\.(?=[a-z0-9])/gi);
  if (dots !== null) faults.push(`${text} has unescaped dots, which match any character`);
  return faults;
}

const example = (text: string): string =>
  text
    .replace(/\\(.)/g, '$1')
    .replace(/[.][*+].*$/, '')
    .replace(/[\^$]/g, '');

/** A GitHub identity whose fixed part ends before the workflow file: any of its workflows may sign. */
export function breadthOf(text: string, isRegexp: boolean): string | undefined {
  const plain = isRegexp ? text.replace(/^\^/, '').replace(/\$$/, '').replace(/\\(.)/g, '$1') : text;
  const open = plain.search(isRegexp ? /\.[*+]|\[|\(/ : /[*?]/);
  const fixed = open < 0 ? plain : plain.slice(0, open);
  const match = /^https:\/\/github\.com\/([^/]+)(?:\/([^/]+))?(\/.*)?$/.exec(fixed);
  if (match === null || open < 0) return undefined;
  const [, owner, repository, rest = ''] = match;
  // With a reusable workflow the signer is the called workflow: the file has to be named.
  if (/\/\.?github\/workflows\/[^/]+@/.test(rest)) return undefined;
  const where =
    repository === undefined || rest === '' ? `organisation ${owner}` : `repository ${owner}/${repository}`;
  return `${text} accepts any workflow and any ref of the ${where}`;
}
