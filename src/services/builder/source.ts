/** From a request's source and ref to a commit in a fresh repository of ours. */
import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { parseSourceUri } from '#provenance';
import type { BuilderConfig } from './config.ts';
import { type GitPlace, git } from './git.ts';
import { R } from './reasons.ts';

export interface ResolvedSource {
  /** Canonical repository, without `git+` and ref. */
  readonly repository: string;
  /** What git fetched from, when a mirror stands in for the repository. */
  readonly fetchedFrom?: string;
  /** Full ref name; absent for a bare commit. */
  readonly ref?: string;
  /** The annotated tag object behind the ref, when there is one. */
  readonly tagObject?: string;
  readonly commit: string;
  readonly tree: string;
  /** Commit time in seconds: SOURCE_DATE_EPOCH of the build. */
  readonly epoch: number;
  /** Bare repository that holds the commit. */
  readonly gitDir: string;
  readonly place: GitPlace;
}

const commitForm = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Resolves and fetches. WB-1114 for the source, WB-1115 for the ref; nothing is checked out yet. */
export async function fetchSource(
  request: { readonly uri: string; readonly ref: string },
  config: BuilderConfig,
  folder: string,
): Promise<ResolvedSource> {
  const where = await locate(request.uri, config);
  const home = join(folder, 'git-home');
  await mkdir(home, { recursive: true });
  // Only these two settings are honoured from a file and nowhere else.
  await writeFile(join(home, 'gitconfig'), '[safe]\n\tdirectory = *\n');
  const place: GitPlace = { home, allowFile: where.isLocal };
  const gitDir = join(folder, 'source.git');
  await git(place, folder, ['init', '--quiet', '--bare', '--template=', gitDir]);
  const resolved = await resolveRef(place, folder, where.url, request.ref);
  await git(place, gitDir, [
    'fetch',
    '--quiet',
    '--no-tags',
    '--no-write-fetch-head',
    '--depth=1',
    '--end-of-options',
    where.url,
    `+${resolved.ref ?? resolved.commit}:refs/waybill/source`,
  ]);
  const got = (await git(place, gitDir, ['rev-parse', '--verify', 'refs/waybill/source^{commit}'])).trim();
  if (got !== resolved.commit) {
    throw fail(R.ref, {
      check: 'build.refMoved',
      expected: `${resolved.ref ?? 'the commit'} at ${resolved.commit}`,
      actual: `${got} when it was fetched`,
      hint: 'the ref moved between two questions to the repository; start again',
    });
  }
  const [tree = '', epoch = ''] = (
    await git(place, gitDir, ['show', '--no-patch', '--format=%T %ct', resolved.commit])
  )
    .trim()
    .split(' ');
  return { ...where.source, ...resolved, tree, epoch: Number(epoch), gitDir, place };
}

interface Located {
  readonly url: string;
  readonly isLocal: boolean;
  readonly source: Pick<ResolvedSource, 'repository' | 'fetchedFrom'>;
}

async function locate(text: string, config: BuilderConfig): Promise<Located> {
  const uri = isAbsolute(text) ? `file://${text}` : text;
  const { repository, ref } = unwrap(parseSourceUri(uri));
  if (ref !== undefined) {
    throw fail(R.source, { expected: 'a repository; its ref is a field of its own', actual: text });
  }
  const mirror = mirrorOf(repository, config.mirrors ?? {});
  const url = mirror ?? repository;
  const path = url.startsWith('file://') ? url.slice('file://'.length) : url;
  if (!isAbsolute(path)) {
    if (/^(?:https|ssh):\/\//.test(url)) return { url, isLocal: false, source: named(repository, mirror) };
    throw fail(R.source, { expected: 'an https or ssh repository', actual: url });
  }
  // A mirror is the operator's own word; a local path of a request has to be below a source root.
  const real = mirror === undefined ? await beneath(path, config.sourceRoots ?? [], 'source') : path;
  return { url: `file://${real}`, isLocal: true, source: named(repository, mirror) };
}

/** The operator may spell a repository as freely as a request. */
function mirrorOf(repository: string, mirrors: Readonly<Record<string, string>>): string | undefined {
  return Object.entries(mirrors).find(
    ([name]) => unwrap(parseSourceUri(name)).repository === repository,
  )?.[1];
}

const named = (repository: string, mirror: string | undefined): Located['source'] =>
  mirror === undefined ? { repository } : { repository, fetchedFrom: mirror };

/** The real path of `path`, which must be one of `roots` or below one. */
export async function beneath(
  path: string,
  roots: readonly string[],
  what: 'source' | 'input',
): Promise<string> {
  const spec = what === 'source' ? R.source : R.input;
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) {
    throw fail(spec, { expected: `a folder at ${path}`, actual: 'nothing there' });
  }
  for (const root of roots) {
    const base = await realpath(root).catch(() => undefined);
    if (base !== undefined && (real === base || real.startsWith(base === '/' ? '/' : `${base}/`)))
      return real;
  }
  const expected = roots.length === 0 ? `no local ${what} at all` : `a path below ${roots.join(', ')}`;
  throw fail(spec, { expected, actual: real });
}

interface ResolvedRef {
  readonly ref?: string;
  readonly tagObject?: string;
  readonly commit: string;
}

/**
 * A full ref is taken as it is; a short name must be exactly one of branch and tag; a commit stands alone.
 * The commit is what the repository said first: a later different answer is refused by the caller.
 */
async function resolveRef(place: GitPlace, cwd: string, url: string, ref: string): Promise<ResolvedRef> {
  if (commitForm.test(ref)) return { commit: ref };
  checkRefName(ref);
  const names = ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
  const patterns = names.flatMap((name) => [name, `${name}^{}`]);
  const printed = await git(place, cwd, ['ls-remote', '--quiet', '--end-of-options', url, ...patterns]);
  const found = new Map<string, string>();
  for (const line of printed.split('\n')) {
    const [object = '', name = ''] = line.split('\t');
    // Patterns match from the right; only the exact names count.
    if (commitForm.test(object) && patterns.includes(name)) found.set(name, object);
  }
  const here = names.filter((name) => found.has(name));
  const [only] = here;
  if (only === undefined || here.length > 1) {
    const actual = here.length > 1 ? `both ${here.join(' and ')}` : 'no such ref';
    throw fail(R.ref, { expected: `one ref ${names.join(' or ')}`, actual });
  }
  const object = found.get(only) as string;
  const peeled = found.get(`${only}^{}`);
  return { ref: only, commit: peeled ?? object, ...(peeled === undefined ? {} : { tagObject: object }) };
}

/** git's own rules (git check-ref-format), and no name that reads like another ref. */
function checkRefName(ref: string): void {
  const isPlain =
    ref.length > 0 &&
    ref.length <= 250 &&
    /^[A-Za-z0-9._/+@-]+$/.test(ref) &&
    !/^[-/.]|\.\.|\/\/|@\{|\/\.|\.lock(?:\/|$)|[/.]$/.test(ref);
  const isHeadOrTag = !ref.startsWith('refs/') || /^refs\/(?:heads|tags)\/(?!refs\/)/.test(ref);
  const isShort = ref.startsWith('refs/') || (!ref.startsWith('heads/') && !ref.startsWith('tags/'));
  if (isPlain && isHeadOrTag && isShort && ref !== 'HEAD' && ref !== '@') return;
  throw fail(R.ref, {
    expected: 'refs/heads/<name>, refs/tags/<name>, a name or a full commit id',
    actual: JSON.stringify(ref.slice(0, 300)),
  });
}
