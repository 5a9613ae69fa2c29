/** policy-controller's globs: `**` is any run, `*` any run without `/`; the whole name must match. */
import { RE2JS } from 're2js';
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { R } from '../reasons.ts';
import { parseImageName, sigstoreText } from './name.ts';

const allowed = /^[a-zA-Z0-9\-_:/*.@]+$/;
const compiled = new Map<string, RE2JS>();
const COMPILED_MAX = 1000;

export function checkGlob(glob: string): Result<string> {
  if (allowed.test(glob)) return ok(glob);
  const expected = 'a glob of letters, digits and - _ : / * . @';
  return err(reason(R.expression, { expected, actual: JSON.stringify(glob) }));
}

/** `*` and `*` over `*` mean the official and the user images of Docker Hub. */
function expanded(glob: string): string {
  if (glob === '*') return 'index.docker.io/library/*';
  return glob === '*/*' ? 'index.docker.io/*/*' : glob;
}

function programFor(glob: string): RE2JS {
  const known = compiled.get(glob);
  if (known !== undefined) return known;
  const body = expanded(glob)
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? '.*' : part === '*' ? '[^/]*' : RE2JS.quote(part)))
    .join('');
  const program = RE2JS.compile(body);
  if (compiled.size >= COMPILED_MAX) compiled.clear();
  compiled.set(glob, program);
  return program;
}

/**
 * Matches the fully qualified name, then (as policy-controller still does) the text as written, which decides
 * for unqualified names only.
 */
export function globMatch(glob: string, image: string): Result<boolean> {
  const checked = checkGlob(glob);
  if (!checked.ok) return checked;
  const name = parseImageName(image);
  if (!name.ok) return name;
  const program = programFor(glob);
  return ok(program.matches(sigstoreText(name.value)) || program.matches(image));
}
