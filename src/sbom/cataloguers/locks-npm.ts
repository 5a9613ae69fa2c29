/** Lock files of the JavaScript package managers: npm, Yarn (both forms), pnpm, Bun, Deno. */
import { parseAllDocuments } from 'yaml';
import { isJsonObject, type JsonObject, type JsonValue, own } from '#formats/json';
import { joinPath, parentOf } from '../paths.ts';
import type { Cataloguer, FoundPackage, ImageFile, ImageFiles } from '../types.ts';
import {
  entriesIn,
  integrityHashes,
  jsonObject,
  type Linked,
  namesIn,
  objectIn,
  type Problem,
  packageIn,
  readEach,
  splitName,
  stringIn,
  textOf,
  textsIn,
  withoutVersion,
} from './common.ts';

const declared = 'declared' as const;

/** The last path part of a scoped or plain name stays the name; the scope is the namespace. */
function npmPackage(
  file: ImageFile,
  name: string,
  version: string,
  rest: Partial<FoundPackage> = {},
): FoundPackage {
  return packageIn(file, { type: 'npm', ...splitName(name), version, shown: name }, rest);
}

export const npmLock: Cataloguer = {
  name: 'npm-lock',
  reads: '`package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3',
  types: ['npm'],
  evidence: declared,
  files: [{ names: ['package-lock.json', 'npm-shrinkwrap.json'] }],
  catalogue: (image) => readEach(image, npmLock, (file) => readNpmLock(image, file)),
};

function readNpmLock(image: ImageFiles, file: ImageFile): (Linked | Problem)[] {
  // npm itself passes over package-lock.json where the published form is there.
  const isHidden =
    file.path.endsWith('package-lock.json') &&
    image.find(joinPath(parentOf(file.path), 'npm-shrinkwrap.json')) !== undefined;
  if (isHidden) return [];
  const json = jsonObject(file.bytes);
  const packages = entriesIn(json, 'packages');
  if (packages.length > 0) return packages.flatMap(([path, one]) => lockedPackage(file, json, path, one));
  return nestedPackages(file, json);
}

function lockedPackage(
  file: ImageFile,
  json: JsonObject,
  path: string,
  one: JsonObject,
): (Linked | Problem)[] {
  if (own(one, 'link') === true) return [];
  const installed = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const isRoot = path === '';
  const name =
    stringIn(one, 'name') ??
    (isRoot ? stringIn(json, 'name') : path.includes('node_modules/') ? installed : undefined);
  const version = stringIn(one, 'version') ?? (isRoot ? stringIn(json, 'version') : undefined) ?? '';
  // The project itself, where it has none, is what the `package.json` beside it says.
  if (name === undefined || (isRoot && version === '')) return [];
  const license = own(one, 'license');
  const rest = { licenses: textsIn(license), hashes: integrityHashes(stringIn(one, 'integrity')) };
  const needs = namesIn(one, 'dependencies', 'optionalDependencies');
  return [
    { found: npmPackage(file, name, version, rest), needs },
    ...(path.includes('node_modules/') ? withoutVersion(name, version) : []),
  ];
}

/** Version 1: packages lie inside each other as their folders do. */
function nestedPackages(file: ImageFile, json: JsonObject): (Linked | Problem)[] {
  return entriesIn(json, 'dependencies').flatMap(([key, one]) => {
    const stated = stringIn(one, 'version') ?? '';
    const alias = /^npm:(@?[^@]+)@(.+)$/.exec(stated);
    const name = alias?.[1] ?? key.replace(/^(?:.*\/)?node_modules\//, '');
    const place = alias?.[2] ?? stated;
    // An address or a folder is no version.
    const version = /^(?:[a-z+]+:|[\w-]+\/)/.test(place) ? '' : place;
    const inner = nestedPackages(file, one);
    const hashes = integrityHashes(stringIn(one, 'integrity'));
    return [
      { found: npmPackage(file, name, version, { hashes }), needs: namesIn(one, 'requires') },
      ...withoutVersion(name, place),
      ...inner,
    ];
  });
}

export const yarnLock: Cataloguer = {
  name: 'yarn-lock',
  reads: '`yarn.lock` of Yarn 1 and of later versions',
  types: ['npm'],
  evidence: declared,
  files: [{ names: ['yarn.lock'] }],
  catalogue: (image) => readEach(image, yarnLock, readYarnLock),
};

/** Blocks of a heading without indentation and fields below it; both forms are that much alike. */
function* readYarnLock(file: ImageFile): Generator<FoundPackage> {
  const isBerry = /^__metadata:/m.test(textOf(file));
  for (const block of textOf(file).split(/\r?\n(?=\S)/)) {
    const [heading = '', ...lines] = block.split(/\r?\n/);
    if (heading === '' || heading.startsWith('#') || heading.startsWith('__metadata')) continue;
    const field = (name: string): string | undefined =>
      lines
        .map((line) => new RegExp(`^  "?${name}"?:? "?([^"]*)"?\\s*$`).exec(line)?.[1])
        .find((one) => one !== undefined);
    const version = field('version');
    const resolution = field('resolution');
    const first = (heading.replace(/:\s*$/, '').split(/,\s*/)[0] ?? '').replace(/^"|"$/g, '');
    const place = /\/((?:@[^/]+\/)?[^/@]+)\/-\//.exec(field('resolved') ?? '')?.[1];
    const name = place ?? nameOfRange(isBerry && resolution !== undefined ? resolution : first, isBerry);
    const isWorkspace = resolution?.includes('@workspace:.') === true || version === '0.0.0-use.local';
    if (version === undefined || name === undefined)
      throw new Error(`a block ${JSON.stringify(first)} without a version`);
    if (isWorkspace && /@workspace:\.$/.test(resolution ?? '')) continue;
    yield npmPackage(file, name, version, { hashes: integrityHashes(field('integrity')) });
  }
}

/** `@scope/name@npm:^1.0.0`, `alias@npm:name@1`. */
function nameOfRange(range: string, isBerry: boolean): string | undefined {
  const alias = /@npm:(@?[^@/]+(?:\/[^@]+)?)@/.exec(range)?.[1];
  if (alias !== undefined && !isBerry) return alias;
  return /^(@?[^@]+)@?/.exec(range)?.[1];
}

export const pnpmLock: Cataloguer = {
  name: 'pnpm-lock',
  reads: '`pnpm-lock.yaml`, versions 5 to 9',
  types: ['npm'],
  evidence: declared,
  files: [{ names: ['pnpm-lock.yaml'] }],
  catalogue: (image) => readEach(image, pnpmLock, readPnpmLock),
};

const YAML_BYTES_MAX = 8 * 1024 * 1024;

/** Every document of a YAML file as JSON values; aliases are not followed without end. */
export function yamlDocuments(file: ImageFile): JsonObject[] {
  if (file.bytes.length > YAML_BYTES_MAX) throw new Error(`more than ${YAML_BYTES_MAX} bytes of YAML`);
  const documents = parseAllDocuments(textOf(file), {
    logLevel: 'silent',
    uniqueKeys: false,
    prettyErrors: false,
  });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((one) => {
    const [error] = one.errors;
    if (error !== undefined) throw new Error(error.message.split('\n')[0]);
    const value = one.toJS({ maxAliasCount: 100 }) as JsonValue;
    return isJsonObject(value) ? [value] : [];
  });
}

function* readPnpmLock(file: ImageFile): Generator<Linked> {
  const seen = new Set<string>();
  const isNew = (name: string, version: string): boolean => seen.size < seen.add(`${name}@${version}`).size;
  for (const json of yamlDocuments(file)) {
    const form = Number.parseFloat(String(own(json, 'lockfileVersion') ?? ''));
    for (const [key, one] of entriesIn(json, 'packages')) {
      const { name, version } = pnpmKey(key, one, form);
      // A folder beside the project need not have a name and a version.
      if (/^(?:file|link):/.test(key) && (name === undefined || version === undefined)) continue;
      if (name === undefined || version === undefined) {
        throw new Error(`a package ${JSON.stringify(key)} without a version`);
      }
      if (!isNew(name, version)) continue;
      const snapshot = objectIn(objectIn(json, 'snapshots'), key);
      const hashes = integrityHashes(stringIn(objectIn(one, 'resolution'), 'integrity'));
      const needs = namesIn(snapshot ?? one, 'dependencies', 'optionalDependencies');
      yield { found: npmPackage(file, name, version, { hashes }), needs };
    }
  }
}

/** `/name/1.0.0_peer` (5), `/name@1.0.0(peer)` (6), `name@1.0.0` (9); elsewhere the entry says itself. */
function pnpmKey(
  key: string,
  one: JsonObject,
  version: number,
): { name?: string | undefined; version?: string | undefined } {
  const stated = { name: stringIn(one, 'name'), version: stringIn(one, 'version') };
  const bare = key.replace(/\(.*$/, '').replace(/^\//, '');
  const match =
    version < 6
      ? /^((?:@[^/]+\/)?[^/]+)\/(\d[^_/]*)(?:_.*)?$/.exec(bare)
      : /^((?:@[^/]+\/)?[^@]+)@(.+)$/.exec(bare);
  const name = stated.name ?? match?.[1];
  const pinned = stated.version ?? match?.[2];
  return { name, version: pinned };
}

export const bunLock: Cataloguer = {
  name: 'bun-lock',
  reads: '`bun.lock`',
  types: ['npm'],
  evidence: declared,
  files: [{ names: ['bun.lock'] }],
  catalogue: (image) =>
    readEach(image, bunLock, function* (file) {
      if (file.bytes.length === 0) return;
      const json = jsonObject(file.bytes, true);
      for (const [key, one] of Object.entries(objectIn(json, 'packages') ?? {})) {
        const resolved = Array.isArray(one) ? one[0] : undefined;
        const match = typeof resolved === 'string' ? /^(@?[^@]+)@(.*)$/.exec(resolved) : null;
        if (match === null) throw new Error(`a package ${JSON.stringify(key)} without a name and a version`);
        const [, name = '', place = ''] = match;
        // Projects of the same workspace; of others a folder, an address or a commit is no version.
        if (/^(?:workspace|link|root):/.test(place)) continue;
        const version = /^[a-z+]+:/.test(place) ? '' : place;
        const hash = (one as readonly JsonValue[]).find(
          (part) => typeof part === 'string' && part.startsWith('sha'),
        );
        yield npmPackage(file, name, version, {
          hashes: integrityHashes(typeof hash === 'string' ? hash : ''),
        });
      }
    }),
};

export const denoLock: Cataloguer = {
  name: 'deno-lock',
  reads: '`deno.lock`: the npm and JSR packages in it',
  types: ['npm'],
  evidence: declared,
  files: [{ names: ['deno.lock'] }],
  catalogue: (image) =>
    readEach(image, denoLock, function* (file) {
      const json = jsonObject(file.bytes);
      const nested = objectIn(json, 'packages');
      for (const kind of ['npm', 'jsr'] as const) {
        for (const [key, one] of [...entriesIn(json, kind), ...entriesIn(nested, kind)]) {
          const match = /^((?:@[^/]+\/)?[^@]+)@([^_]+)/.exec(key);
          if (match === null) throw new Error(`a package ${JSON.stringify(key)} without a version`);
          const [, name = '', version = ''] = match;
          const qualifiers = { repository_url: kind === 'jsr' ? 'https://jsr.io' : undefined };
          const parts = { type: 'npm', ...splitName(name), version, shown: name, qualifiers };
          yield packageIn(file, parts, { hashes: integrityHashes(stringIn(one, 'integrity')) });
        }
      }
    }),
};
