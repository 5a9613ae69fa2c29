/**
 * Image names as the two dialects see them. Kyverno: `nginx` → `docker.io/nginx:latest`. policy-controller:
 * `nginx` → `index.docker.io/library/nginx:latest`. The registry is first brought to one spelling, so that
 * `GHCR.IO`, `ghcr.io.` and `ghcr.io:443` do not leave a pattern for `ghcr.io/…`.
 */
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { R } from '../reasons.ts';

export interface ImageName {
  /** As written. */
  readonly text: string;
  readonly registry: string;
  readonly path: string;
  /** Last path segment. */
  readonly name: string;
  /** Empty when only a digest was given. */
  readonly tag: string;
  /** `sha256:…` or empty. */
  readonly digest: string;
}

export interface NameOptions {
  readonly defaultRegistry?: string;
  /** False keeps the registry of an unqualified name empty. */
  readonly completeRegistry?: boolean;
}

const pathForm = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const digestForm = /^sha256:[0-9a-f]{64}$|^sha384:[0-9a-f]{96}$|^sha512:[0-9a-f]{128}$/;
const registryForm =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*\.?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?$/;

/** Text before the first `/` is a registry iff it has `.` or `:`, is localhost, or has an upper-case letter. */
function splitRegistry(text: string): { registry: string; rest: string } {
  const slash = text.indexOf('/');
  const head = slash < 0 ? '' : text.slice(0, slash);
  const isRegistry = head !== '' && (/[.:A-Z]/.test(head) || head === 'localhost');
  return isRegistry ? { registry: head, rest: text.slice(slash + 1) } : { registry: '', rest: text };
}

export function parseImageName(text: string, options: NameOptions = {}): Result<ImageName> {
  const bad = (actual: string): Result<ImageName> =>
    err(reason(R.image, { expected: 'registry/repository:tag or @sha256:…', actual }));
  const at = text.indexOf('@');
  const digest = at < 0 ? '' : text.slice(at + 1);
  if (at >= 0 && !digestForm.test(digest)) return bad(JSON.stringify(text));
  const { registry: written, rest } = splitRegistry(at < 0 ? text : text.slice(0, at));
  const colon = rest.lastIndexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? '' : rest.slice(colon + 1);
  if (!pathForm.test(path) || (colon >= 0 && !tagForm.test(tag))) return bad(JSON.stringify(text));
  if (written !== '' && !registryForm.test(written)) return bad(JSON.stringify(text));
  let registry = canonicalRegistry(written);
  let fullPath = path;
  if (registry === '' && options.completeRegistry !== false) {
    // A default registry may carry a path prefix (some private registries do).
    const [host, ...prefix] = (options.defaultRegistry ?? 'docker.io').split('/') as [string, ...string[]];
    registry = host;
    fullPath = [...prefix, path].join('/');
  }
  return ok({
    text,
    registry,
    path: fullPath,
    name: fullPath.slice(fullPath.lastIndexOf('/') + 1),
    tag: tag === '' && digest === '' ? 'latest' : tag,
    digest,
  });
}

function canonicalRegistry(written: string): string {
  return written
    .toLowerCase()
    .replace(/:443$/, '')
    .replace(/\.(?=:|$)/, '');
}

const prefixed = (name: ImageName): string =>
  name.registry === '' ? name.path : `${name.registry}/${name.path}`;

/** Repository without tag and digest. */
export const repositoryOf = prefixed;

/** Kyverno's text for matching: the tag is dropped when there is a digest. */
export function kyvernoText(name: ImageName): string {
  return name.digest === '' ? `${prefixed(name)}:${name.tag}` : `${prefixed(name)}@${name.digest}`;
}

export const kyvernoTextWithTag = (name: ImageName): string => `${prefixed(name)}:${name.tag}`;

/** policy-controller's fully qualified text. */
export function sigstoreText(name: ImageName): string {
  const isHub = /^(?:index\.)?docker\.io$/.test(name.registry);
  const registry = isHub ? 'index.docker.io' : name.registry;
  const path = isHub && !name.path.includes('/') ? `library/${name.path}` : name.path;
  return `${registry}/${path}${name.digest === '' ? `:${name.tag}` : `@${name.digest}`}`;
}

/**
 * Every text a demand on this image may be written as: the four names of Docker Hub, and with its tag although
 * there is a digest. Kyverno drops the tag then, and a pattern with a tag silently ends to apply as soon as the
 * image is pinned; a demand that applies too often is the safer mistake.
 */
export function kyvernoSpellings(name: ImageName): string[] {
  const names = hubNames(name);
  const isTaggedToo = name.digest !== '' && name.tag !== '';
  return [...names.map(kyvernoText), ...(isTaggedToo ? names.map(kyvernoTextWithTag) : [])];
}

function hubNames(name: ImageName): ImageName[] {
  if (!/^(?:index\.|registry-1\.)?docker\.io$/.test(name.registry)) return [name];
  const short = name.path.replace(/^library\/(?=[^/]+$)/, '');
  const paths = short.includes('/') ? [short] : [short, `library/${short}`];
  return ['docker.io', 'index.docker.io'].flatMap((registry) =>
    paths.map((path) => ({ ...name, registry, path })),
  );
}
