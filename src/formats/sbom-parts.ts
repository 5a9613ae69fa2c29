/** What the readers of all SBOM formats share: careful field access, and what a package URL alone can say. */
import type { Digest } from '#base/brand';
import { parseDigest } from '#base/digest';
import { fail } from '#base/reason';
import { isJsonObject, type JsonObject, type JsonValue, own, parseJson } from './json.ts';
import { type Purl, parsePurl } from './purl.ts';
import { R } from './reasons-sbom.ts';
import type { Distro, SbomPackage, Unknown } from './sbom.ts';

export const text = (json: JsonObject | undefined, key: string): string | undefined => {
  const value = json === undefined ? undefined : own(json, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
};

export const object = (json: JsonObject | undefined, key: string): JsonObject | undefined => {
  const value = json === undefined ? undefined : own(json, key);
  return isJsonObject(value) ? value : undefined;
};

export const objects = (json: JsonObject | undefined, key: string): readonly JsonObject[] => {
  const value = json === undefined ? undefined : own(json, key);
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
};

/**
 * The list a document is about; empty where it is absent. Throws WB-192 for anything else than a list of objects: what
 * cannot be read there would make the document say less.
 */
export function listed(json: JsonObject, key: string): readonly JsonObject[] {
  const value = own(json, key) ?? [];
  const at = Array.isArray(value) ? value.findIndex((one) => !isJsonObject(one)) : -1;
  if (!Array.isArray(value) || at >= 0) {
    const actual = at < 0 ? 'another value' : `another value at ${at}`;
    throw fail(R.sbom, { expected: `${key} as a list of objects`, actual });
  }
  return value as readonly JsonObject[];
}

/** What could not be read, as one text; `readUnknown` takes it back. */
export const unknownText = ({ path, wantedBy, reason }: Unknown): string =>
  JSON.stringify([path, wantedBy, reason]);

/** Never throws: what is no such text is still something that could not be read. */
export function readUnknown(from: string): Unknown {
  const parsed = parseJson(from);
  const list: JsonValue = parsed.ok ? parsed.value : null;
  const [path, wantedBy, reason] = Array.isArray(list) ? list : [];
  return { path: String(path ?? ''), wantedBy: String(wantedBy ?? 'sbom'), reason: String(reason ?? '') };
}

/** What a document itself says it does not know all parts or needs of; `refs` empty: of everything. */
export function incompleteBy(refs: readonly string[], word: string): Unknown {
  const more = refs.length > 3 ? ` and ${refs.length - 3} more` : '';
  const of = refs.length === 0 ? '' : ` of ${JSON.stringify(refs.slice(0, 3).join(', '))}${more}`;
  return { path: '', wantedBy: 'sbom', reason: `the document says that its list${of} is ${word}` };
}

/** Purposes of SPDX that stand for what holds packages; such need no version. */
export const isHolder = (purpose: string | undefined): boolean =>
  /^(?:application|container|file|source|device|operating[-_]?system)$/i.test(purpose ?? '');

export const texts = (json: JsonObject | undefined, key: string): readonly string[] => {
  const value = json === undefined ? undefined : own(json, key);
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
};

/** `{key: value}`, or nothing for what is absent. */
export const given = <K extends string, V>(key: K, value: V | undefined): { readonly [name in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { readonly [name in K]?: V });

export function digestOrNone(value: string | undefined): Digest | undefined {
  const parsed = parseDigest(value ?? '');
  return parsed.ok ? parsed.value : undefined;
}

/** `SHA-256` or `sha256` with hex → `sha256:hex`; undefined for algorithms we do not keep. */
export function hashText(algorithm: string | undefined, hex: string | undefined): string | undefined {
  const name = (algorithm ?? '').toLowerCase().replace(/[-_]/g, '');
  const isKnown = /^(?:sha1|sha256|sha384|sha512)$/.test(name);
  return isKnown && hex !== undefined && /^[0-9a-f]+$/i.test(hex)
    ? `${name}:${hex.toLowerCase()}`
    : undefined;
}

/** The source package a `upstream` qualifier names. */
export function sourceOfPurl(purl: Purl | undefined): Pick<SbomPackage, 'source'> {
  const upstream = purl?.qualifiers.get('upstream');
  if (upstream === undefined) return {};
  const rpm = sourceOfRpm(upstream);
  if (rpm !== undefined) return { source: rpm };
  const at = upstream.indexOf('@');
  if (at < 0) return { source: { name: upstream } };
  return { source: { name: upstream.slice(0, at), version: upstream.slice(at + 1) } };
}

/** `NAME-VERSION-RELEASE.src.rpm`. */
export function sourceOfRpm(file: string): { readonly name: string; readonly version: string } | undefined {
  const rpm = /^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/.exec(file);
  return rpm === null ? undefined : { name: rpm[1] as string, version: rpm[2] as string };
}

/** Tools that write no operating system component still write the `distro` qualifier. */
export function distroOfPurls(packages: readonly SbomPackage[]): Distro | undefined {
  for (const { purl } of packages) {
    const parsed = purl === undefined ? undefined : parsePurl(purl, { lenient: true });
    const value = parsed?.ok === true ? parsed.value.qualifiers.get('distro') : undefined;
    const found = distroOfText(value ?? '');
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `debian-12`, `opensuse-leap-15.5`: the value of the qualifier `distro`, where it names a release. */
export function distroOfText(value: string): Distro | undefined {
  const match = /^([a-z0-9._]+(?:-[a-z][a-z0-9]*)*)-(\d[^/]*)$/.exec(value);
  return match === null ? undefined : { id: match[1] as string, versionId: match[2] as string, idLike: [] };
}

/** Adds to the list of a key, in place: a document may name one key a million times. */
export function addTo<T>(lists: Map<string, T[]>, key: string, values: readonly T[]): void {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  for (const value of values) list.push(value);
}

/** References of a document → ids of packages; edges to, and owners that are, no package are left out. */
export function linkPackages(
  packages: readonly { readonly ref: string; readonly found: SbomPackage }[],
  edges: ReadonlyMap<string, readonly string[]>,
  owners: ReadonlyMap<string, string> = new Map(),
): SbomPackage[] {
  const ids = new Map(packages.map(({ ref, found }) => [ref, found.id]));
  return packages.map(({ ref, found }) => {
    const needs = (edges.get(ref) ?? []).map((target) => ids.get(target));
    const dependsOn = needs.filter((id): id is string => id !== undefined && id !== found.id);
    const owner = ids.get(owners.get(ref) ?? '');
    const owned = owner === undefined || owner === found.id ? {} : { ownedBy: owner };
    return { ...found, dependsOn: [...new Set(dependsOn)].sort(), ...owned };
  });
}
