/**
 * Package URLs (package-url/purl-spec): strict parser and canonical writer. `lenient` reading lower-cases
 * qualifier keys and skips the per-type rules, for documents written by others.
 */
import { type Reason, reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { type PurlRule, purlRules } from './purl-types.ts';
import { R } from './reasons-sbom.ts';

export interface PurlParts {
  readonly type: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly version?: string | undefined;
  readonly qualifiers?: ReadonlyMap<string, string> | undefined;
  readonly subpath?: string | undefined;
}

export interface Purl {
  readonly type: string;
  /** Segments joined by `/`, decoded. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly version: string | undefined;
  /** Sorted by key; empty values are absent. */
  readonly qualifiers: ReadonlyMap<string, string>;
  readonly subpath: string | undefined;
}

export interface PurlOptions {
  readonly lenient?: boolean;
}

const PURL_MAX_CHARS = 8192;
const typeForm = /^[a-z][a-z0-9.-]*$/;
const keyForm = /^[a-z][a-z0-9._-]*$/;

/** Reads a package URL. WB-190 says which part is wrong. */
export function parsePurl(text: string, options: PurlOptions = {}): Result<Purl> {
  if (text.length > PURL_MAX_CHARS) return bad(`at most ${PURL_MAX_CHARS} characters`, text);
  const scheme = text.indexOf(':');
  if (scheme < 0 || text.slice(0, scheme).toLowerCase() !== 'pkg') return bad('the scheme pkg:', text);
  const [beforeSubpath, subpath] = splitLast(text.slice(scheme + 1), '#');
  const [path, query] = splitLast(beforeSubpath, '?');
  const trimmed = path.replace(/^\/+|\/+$/g, '');
  const slash = trimmed.indexOf('/');
  if (slash < 0) return bad('a type and a name', text);
  const rest = trimmed.slice(slash + 1);
  const at = versionAt(rest);
  const all = (at < 0 ? rest : rest.slice(0, at)).split('/');
  const name = all.pop();
  const segments = all.filter((segment) => segment !== '');
  const parts = decoded(() => ({
    type: trimmed.slice(0, slash),
    namespace: segments.map((segment) => decodeURIComponent(segment)).join('/'),
    name: decodeURIComponent(name ?? ''),
    version: at < 0 ? undefined : decodeURIComponent(rest.slice(at + 1)),
    subpath: subpath === undefined ? undefined : cleanSubpath(subpath),
  }));
  if (parts === undefined) return bad('valid percent-encoding', text);
  // Such a segment would be written as two, which is another name or place.
  if ([...segments, subpath ?? ''].some((segment) => /%2f/i.test(segment))) {
    return bad('no encoded / inside a segment of namespace or subpath', text);
  }
  const qualifiers = parseQualifiers(query, parts.type.toLowerCase(), options.lenient === true);
  if (qualifiers === undefined) return bad('qualifiers key=value with lower-case, unique keys', text);
  return normalise({ ...parts, qualifiers }, text, options);
}

/** Builds the canonical text of a package URL. WB-190 when a part breaks the rules of its type. */
export function buildPurl(parts: PurlParts): Result<string> {
  const normal = normalise(parts, JSON.stringify(parts.name ?? null), {});
  return normal.ok ? ok(purlText(normal.value)) : normal;
}

/** The canonical text of a parsed package URL. */
export function purlText(purl: Purl): string {
  let out = `pkg:${purl.type}/`;
  if (purl.namespace !== undefined) out += `${encodePath(purl.namespace)}/`;
  out += ruleOf(purl.type).pathName === true ? encodePath(purl.name) : encode(purl.name);
  if (purl.version !== undefined) out += `@${encode(purl.version)}`;
  const pairs = [...purl.qualifiers].map(([key, value]) => `${key}=${encode(value)}`);
  if (pairs.length > 0) out += `?${pairs.join('&')}`;
  if (purl.subpath !== undefined) out += `#${encodePath(purl.subpath)}`;
  return out;
}

function normalise(parts: PurlParts, shown: string, options: PurlOptions): Result<Purl> {
  const type = (parts.type ?? '').toLowerCase();
  if (!typeForm.test(type)) return bad('a type of letters, digits, dot and dash', shown);
  if (parts.name === undefined || parts.name === null || parts.name === '') return bad('a name', shown);
  const rule = ruleOf(type);
  let namespace = emptyToUndefined(parts.namespace?.replace(/^\/+|\/+$/g, ''));
  let name = parts.name.replace(/^\/+|\/+$/g, '');
  if (rule.pathName === true && namespace?.includes('/')) {
    const slash = namespace.indexOf('/');
    name = `${namespace.slice(slash + 1)}/${name}`;
    namespace = namespace.slice(0, slash);
  }
  const qualifiers = new Map<string, string>();
  for (const [key, value] of [...(parts.qualifiers ?? [])].sort(byKey)) {
    if (!keyForm.test(key)) return bad('qualifier keys of lower-case letters, digits, . _ -', shown);
    if (value !== '') qualifiers.set(key, value);
  }
  const purl: Purl = {
    type,
    namespace: rule.lowerNamespace === true ? namespace?.toLowerCase() : namespace,
    name,
    version: emptyToUndefined(parts.version),
    qualifiers,
    subpath: emptyToUndefined(parts.subpath === undefined ? undefined : (parts.subpath ?? undefined)),
  };
  const named = { ...purl, name: normaliseName(purl, rule), version: normaliseVersion(purl, rule) };
  const broken = options.lenient === true ? undefined : brokenRule(named, rule);
  return broken === undefined ? ok(named) : bad(broken, shown);
}

function normaliseName(purl: Purl, rule: PurlRule): string {
  if (rule.lowerName === true || rule.lowerNameIf?.(purl) === true) {
    const lower = purl.name.toLowerCase();
    return rule.replaceName === undefined ? lower : lower.replace(rule.replaceName[0], rule.replaceName[1]);
  }
  return purl.name;
}

function normaliseVersion(purl: Purl, rule: PurlRule): string | undefined {
  return rule.lowerVersion === true ? purl.version?.toLowerCase() : purl.version;
}

function brokenRule(purl: Purl, rule: PurlRule): string | undefined {
  if (rule.namespace === 'required' && purl.namespace === undefined)
    return `a namespace for type ${purl.type}`;
  if (rule.namespace === 'prohibited' && purl.namespace !== undefined) {
    return `no namespace for type ${purl.type}`;
  }
  if (rule.nameForm !== undefined && !rule.nameForm.test(purl.name)) return `a name as ${purl.type} has them`;
  if (rule.versionForm !== undefined && purl.version !== undefined && !rule.versionForm.test(purl.version)) {
    return `a version as ${purl.type} has them`;
  }
  for (const key of rule.requiredQualifiers ?? []) {
    if (!purl.qualifiers.has(key)) return `the qualifier ${key} for type ${purl.type}`;
  }
  return undefined;
}

function parseQualifiers(
  query: string | undefined,
  type: string,
  lenient: boolean,
): Map<string, string> | undefined {
  const found = new Map<string, string>();
  const exactKeys = !lenient && ruleOf(type).exactQualifierKeys === true;
  for (const pair of (query ?? '').split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const raw = equals < 0 ? pair : pair.slice(0, equals);
    const key = raw.toLowerCase();
    const value = equals < 0 ? '' : decoded(() => decodeURIComponent(pair.slice(equals + 1)));
    if (value === undefined || found.has(key) || !keyForm.test(key)) return undefined;
    if (exactKeys && raw !== key) return undefined;
    if (value !== '') found.set(key, value);
  }
  return found;
}

/** Where the version starts: the last `@`, unless it opens a path segment that goes on (an npm scope). */
function versionAt(rest: string): number {
  const at = rest.lastIndexOf('@');
  if (at < 0) return -1;
  const opensSegment = at === 0 || rest[at - 1] === '/';
  return opensSegment && rest.indexOf('/', at) >= 0 ? -1 : at;
}

function splitLast(text: string, separator: string): [string, string | undefined] {
  const at = text.lastIndexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function cleanSubpath(text: string): string {
  return text
    .split('/')
    .map((segment) => decodeURIComponent(segment))
    .filter((segment) => segment !== '' && segment !== '.' && segment !== '..')
    .join('/');
}

function decoded<T>(body: () => T): T | undefined {
  try {
    return body();
  } catch {
    return undefined;
  }
}

const encodePath = (path: string): string => path.split('/').map(encode).join('/');

/** Everything but letters, digits, `.-_~` and the colon is percent-encoded. */
function encode(text: string): string {
  if (/^[\w.~:-]*$/.test(text)) return text;
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%3A', ':');
}

const ruleOf = (type: string): PurlRule => purlRules.get(type) ?? {};
const emptyToUndefined = (text: string | undefined | null): string | undefined =>
  text === undefined || text === null || text === '' ? undefined : text;
const byKey = (a: readonly [string, string], b: readonly [string, string]): number =>
  a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;

function bad(expected: string, actual: string): { readonly ok: false; readonly error: Reason } {
  return err(reason(R.purl, { expected, actual: JSON.stringify(actual) }));
}
