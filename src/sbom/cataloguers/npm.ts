/** npm packages: every `package.json` that names a package and a version, installed or the application's own. */
import { utf8 } from '#base/bytes';
import type { Result } from '#base/result';
import { isJsonObject, type JsonObject, type JsonValue, own, parseJson } from '#formats/json';
import { buildPurl } from '#formats/purl';
import type { Unknown } from '#formats/sbom';
import { baseOf, joinPath, parentOf } from '../paths.ts';
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';

interface Manifest {
  readonly found: FoundPackage;
  readonly dependencies: readonly string[];
}

export const npm: Cataloguer = {
  name: 'npm',
  reads: 'every `package.json` that names a package',
  types: ['npm'],
  evidence: 'installed',
  files: [{ names: ['package.json'] }],
  condense: condensed,
  catalogue(image) {
    const unknowns: Unknown[] = [];
    const manifests: Manifest[] = [];
    for (const file of image.files) {
      if (baseOf(file.path) !== 'package.json') continue;
      const read = readManifest(file);
      if (typeof read === 'string') unknowns.push({ path: file.path, wantedBy: 'npm', reason: read });
      else if (read !== undefined) {
        manifests.push(read);
        // Of a folder that nobody published it need not have one.
        if (read.found.version === '' && isInstalled(file.path)) {
          unknowns.push({
            path: file.path,
            wantedBy: 'npm',
            reason: 'an installed package without a version',
          });
        }
      }
    }
    const folders = new Map(manifests.map(({ found }, i) => [parentOf(found.path), i]));
    const packages = manifests.map(({ found, dependencies }) => ({
      ...found,
      needs: resolveAll(parentOf(found.path), dependencies, folders),
    }));
    return { packages, unknowns };
  },
};

/** A manifest, a reason why it cannot be read, or undefined for one that describes no package. */
function readManifest(file: ImageFile): Manifest | string | undefined {
  const parsed = parse(file.bytes);
  if (!parsed.ok) return `${parsed.error.expected} wanted, got ${parsed.error.actual}`;
  if (!isJsonObject(parsed.value)) return 'not a JSON object';
  const json = parsed.value;
  const name = own(json, 'name');
  const stated = own(json, 'version');
  const version = typeof stated === 'string' ? stated.trim() : '';
  if (typeof name !== 'string' || name === '') {
    return isInstalled(file.path) ? 'an installed package without a name' : undefined;
  }
  // A name with a space or a dot-separated company prefix belongs to other tools that use this file name.
  if (
    !isInstalled(file.path) &&
    (own(json, 'unity') !== undefined || !/^(?:@[^/\s]+\/)?[^/\s]+$/.test(name))
  ) {
    return undefined;
  }
  const scope = name.startsWith('@') && name.includes('/') ? name.slice(0, name.indexOf('/')) : undefined;
  const purl = buildPurl({
    type: 'npm',
    namespace: scope,
    name: scope === undefined ? name : name.slice(scope.length + 1),
    version,
  });
  const found: FoundPackage = {
    type: 'npm',
    name,
    version,
    purl: purl.ok ? purl.value : undefined,
    path: file.path,
    layer: file.layer,
    licenses: licensesOf(json),
    supplier: personName(own(json, 'author')),
    description: stringField(json, 'description'),
    homepage: stringField(json, 'homepage'),
  };
  const dependencies = needing.flatMap((key) => {
    const list = own(json, key);
    return isJsonObject(list) ? Object.keys(list) : [];
  });
  return { found, dependencies };
}

/** Fields whose keys are packages that are needed. */
const needing = ['dependencies', 'optionalDependencies', 'peerDependencies'];
/** Fields that are read as they are. */
const fields = ['name', 'version', 'license', 'licenses', 'author', 'description', 'homepage'];

/** A manifest with what is read of it; one that cannot be read is kept, to be named as what it is. */
function condensed(bytes: Uint8Array): Uint8Array | undefined {
  const parsed = parse(bytes);
  if (!parsed.ok || !isJsonObject(parsed.value)) return undefined;
  const json = parsed.value;
  const kept: [string, JsonValue][] = [];
  for (const key of fields) {
    const value = own(json, key);
    if (value !== undefined) kept.push([key, value]);
  }
  for (const key of needing) {
    const list = own(json, key);
    if (isJsonObject(list)) kept.push([key, Object.fromEntries(Object.keys(list).map((name) => [name, '']))]);
  }
  if (own(json, 'unity') !== undefined) kept.push(['unity', '']);
  return utf8(JSON.stringify(Object.fromEntries(kept)));
}

function parse(file: Uint8Array): Result<JsonValue> {
  const bytes = hasByteOrderMark(file) ? file.subarray(3) : file;
  return parseJson(bytes, { maxBytes: bytes.length });
}

const hasByteOrderMark = (bytes: Uint8Array): boolean =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;

/** `…/node_modules/NAME/package.json` or with a scope: a place where npm puts packages, nothing below one. */
const isInstalled = (path: string): boolean =>
  /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@.][^/]*\/package\.json$/.test(path);

function licensesOf(json: JsonObject): string[] {
  const fields = [own(json, 'license'), own(json, 'licenses')];
  const found = fields.flatMap((field) => (Array.isArray(field) ? field : [field])).map(licenseName);
  return [...new Set(found.filter((name) => name !== ''))];
}

function licenseName(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value.trim();
  if (!isJsonObject(value)) return '';
  const name = own(value, 'type') ?? own(value, 'name');
  return typeof name === 'string' ? name.trim() : '';
}

/** `Name <mail> (url)` or an object with these fields, as one text. */
function personName(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (!isJsonObject(value)) return undefined;
  const name = own(value, 'name');
  const email = own(value, 'email');
  if (typeof name !== 'string' || name === '') return undefined;
  return typeof email === 'string' && email !== '' ? `${name} <${email}>` : name;
}

function stringField(json: JsonObject, key: string): string | undefined {
  const value = own(json, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Where Node would find each dependency: in `node_modules` of the folder itself or of one above. */
function resolveAll(
  folder: string,
  names: readonly string[],
  folders: ReadonlyMap<string, number>,
): readonly number[] {
  const found = new Set<number>();
  for (const name of names) {
    for (let at = folder; ; at = parentOf(at)) {
      const index = folders.get(joinPath(at, `node_modules/${name}`));
      if (index !== undefined) found.add(index);
      if (index !== undefined || at === '') break;
    }
  }
  return [...found];
}
