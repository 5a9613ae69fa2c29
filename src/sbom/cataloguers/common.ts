/** What most cataloguers need: text of a file, a package with its purl, one file's failure kept to that file. */
import { isJsonObject, type JsonObject, type JsonValue, own, parseJson } from '#formats/json';
import { buildPurl } from '#formats/purl';
import type { Unknown } from '#formats/sbom';
import { filesFor } from '../match.ts';
import type { Cataloguer, Findings, FoundPackage, ImageFile, ImageFiles } from '../types.ts';

const decoder = new TextDecoder();

/** UTF-8, without a byte order mark; broken sequences become replacement characters. */
export const textOf = (file: { readonly bytes: Uint8Array }): string => decoder.decode(file.bytes);

export interface PackageParts {
  /** purl type. */
  readonly type: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly version: string;
  readonly qualifiers?: Readonly<Record<string, string | undefined>>;
  readonly subpath?: string;
  /** The name people know it by, where it is not namespace and name with a slash between. */
  readonly shown?: string;
}

/** A package found in `file`, with the purl its parts make. */
export function packageIn(
  file: Pick<ImageFile, 'path' | 'layer'>,
  parts: PackageParts,
  rest: Partial<FoundPackage> = {},
): FoundPackage {
  const { type, namespace, name, version, subpath } = parts;
  const qualifiers = new Map<string, string>();
  for (const [key, value] of Object.entries(parts.qualifiers ?? {})) {
    if (value !== undefined && value !== '') qualifiers.set(key, value);
  }
  const purl = buildPurl({ type, namespace, name, version, qualifiers, subpath });
  return {
    type,
    name: parts.shown ?? (namespace === undefined || namespace === '' ? name : `${namespace}/${name}`),
    version,
    purl: purl.ok ? purl.value : undefined,
    path: file.path,
    layer: file.layer,
    ...rest,
  };
}

/** Splits `a/b/c` into namespace `a/b` and name `c`. */
export function splitName(text: string): { namespace?: string; name: string } {
  const slash = text.lastIndexOf('/');
  return slash < 0 ? { name: text } : { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

/** A package and the names of those it needs. */
export interface Linked {
  readonly found: FoundPackage;
  readonly needs?: readonly string[];
}

/** A part of a file that could not be read; the rest of the file counts. */
export interface Problem {
  readonly problem: string;
}

/** Says that a package of a list is there without its version; nothing where it has one. */
export const withoutVersion = (name: string, version: string): Problem[] =>
  version === '' ? [{ problem: `a package ${JSON.stringify(name)} without a version` }] : [];

/** Up to ten of a list of names, and how many more. */
export const someOf = (names: readonly string[]): string =>
  names.length <= SHOWN_MAX
    ? names.join(', ')
    : `${names.slice(0, SHOWN_MAX).join(', ')} and ${names.length - SHOWN_MAX} more`;
const SHOWN_MAX = 10;

/**
 * Reads every file a cataloguer names. What `read` throws becomes an unknown of that file, as a problem does; needs
 * are resolved by name among the packages of the same file.
 */
export function readEach(
  image: ImageFiles,
  { name, files }: Pick<Cataloguer, 'name' | 'files'>,
  read: (file: ImageFile) => Iterable<Linked | FoundPackage | Problem>,
): Findings {
  const packages: FoundPackage[] = [];
  const unknowns: Unknown[] = [];
  for (const file of filesFor(image, files)) {
    try {
      const linked: Linked[] = [];
      for (const one of read(file)) {
        if ('problem' in one) unknowns.push({ path: file.path, wantedBy: name, reason: one.problem });
        else linked.push('found' in one ? one : { found: one });
      }
      const offset = packages.length;
      const indexes = new Map<string, number>();
      for (const [i, { found }] of linked.entries()) indexes.set(found.name, offset + i);
      for (const { found, needs } of linked) packages.push(linkedTo(found, needs, indexes));
    } catch (error) {
      unknowns.push({ path: file.path, wantedBy: name, reason: reasonOf(error) });
    }
  }
  return { packages, unknowns };
}

function linkedTo(
  found: FoundPackage,
  names: readonly string[] | undefined,
  indexes: ReadonlyMap<string, number>,
): FoundPackage {
  if (names === undefined) return found;
  const needs = names.map((name) => indexes.get(name)).filter((at) => at !== undefined);
  return { ...found, needs: [...new Set([...(found.needs ?? []), ...needs])] };
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A JSON object with room for comments and trailing commas where `isLoose`. Throws with the reason. */
export function jsonObject(bytes: Uint8Array | string, isLoose = false): JsonObject {
  const text = typeof bytes === 'string' ? bytes : decoder.decode(bytes);
  const parsed = parseJson(isLoose ? strictJson(text) : text, { maxBytes: text.length * 4 + 4 });
  if (!parsed.ok) throw new Error(`${parsed.error.expected} wanted, got ${parsed.error.actual}`);
  if (!isJsonObject(parsed.value)) throw new Error('not a JSON object');
  return parsed.value;
}

/** Takes comments and trailing commas out of JSON with comments. */
function strictJson(text: string): string {
  const token =
    /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\/|,(?=\s*(?:(?:\/\/[^\n]*\n|\/\*[\s\S]*?\*\/)\s*)*[}\]])/g;
  return text.replace(token, (found) => (found.startsWith('"') ? found : ''));
}

export const stringIn = (json: JsonObject | undefined, key: string): string | undefined => {
  const value = json === undefined ? undefined : own(json, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
};

export const objectIn = (json: JsonObject | undefined, key: string): JsonObject | undefined => {
  const value = json === undefined ? undefined : own(json, key);
  return isJsonObject(value) ? value : undefined;
};

export const listIn = (json: JsonObject | undefined, key: string): readonly JsonValue[] => {
  const value = json === undefined ? undefined : own(json, key);
  return Array.isArray(value) ? value : [];
};

export const objectsIn = (json: JsonObject | undefined, key: string): readonly JsonObject[] =>
  listIn(json, key).filter(isJsonObject);

/** Name → value of an object whose values are objects. */
export const entriesIn = (json: JsonObject | undefined, key: string): [string, JsonObject][] =>
  Object.entries(objectIn(json, key) ?? {}).filter((one): one is [string, JsonObject] =>
    isJsonObject(one[1]),
  );

export const namesIn = (json: JsonObject | undefined, ...keys: readonly string[]): string[] =>
  keys.flatMap((key) => Object.keys(objectIn(json, key) ?? {}));

/** Texts of a list, or the one text. */
export function textsIn(value: JsonValue | undefined): string[] {
  const list: readonly (JsonValue | undefined)[] = Array.isArray(value) ? value : [value];
  return list.filter((one): one is string => typeof one === 'string' && one !== '');
}

/** `sha512-BASE64 sha1-…` (subresource integrity) as `sha512:hex`. */
export function integrityHashes(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).flatMap((word) => {
    const match = /^(sha1|sha256|sha384|sha512)-([A-Za-z0-9+/]+={0,2})$/.exec(word);
    return match === null ? [] : [`${match[1]}:${Buffer.from(match[2] as string, 'base64').toString('hex')}`];
  });
}
