/** Lock files of the Python package managers: pip, Poetry, uv, PDM, pylock, Pipenv. */
import { parse as parseToml } from 'smol-toml';
import { isJsonObject, type JsonObject, type JsonValue, own } from '#formats/json';
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';
import {
  entriesIn,
  jsonObject,
  type Linked,
  namesIn,
  objectIn,
  objectsIn,
  type Problem,
  packageIn,
  readEach,
  someOf,
  stringIn,
  textOf,
  withoutVersion,
} from './common.ts';
import { normalName } from './python.ts';

const declared = 'declared' as const;

const pypi = (
  file: ImageFile,
  name: string,
  version: string,
  rest: Partial<FoundPackage> = {},
): FoundPackage => packageIn(file, { type: 'pypi', name: normalName(name), version }, rest);

/** TOML as JSON values: dates become their text. Throws with the reason. */
export function tomlObject(file: ImageFile): JsonObject {
  const value = JSON.parse(JSON.stringify(parseToml(textOf(file)), bigToText)) as JsonValue;
  return isJsonObject(value) ? value : {};
}

const bigToText = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? String(value) : value;

export const pythonLock: Cataloguer = {
  name: 'python-lock',
  reads: '`poetry.lock`, `uv.lock`, `pdm.lock`, `pylock.toml`',
  types: ['pypi'],
  evidence: declared,
  files: [
    { names: ['poetry.lock', 'uv.lock', 'pdm.lock'] },
    { endings: ['.toml'], path: /(?:^|\/)pylock(?:\.[^/]+)?\.toml$/ },
  ],
  catalogue: (image) => readEach(image, pythonLock, readTables),
};

function* readTables(file: ImageFile): Generator<Linked | Problem> {
  const toml = tomlObject(file);
  const isPylock = file.path.endsWith('.toml');
  for (const one of objectsIn(toml, isPylock ? 'packages' : 'package')) {
    const name = stringIn(one, 'name');
    const version = stringIn(one, 'version') ?? '';
    const source = objectIn(one, 'source');
    // The project itself stands in its own lock file.
    const isSelf =
      own(source ?? {}, 'virtual') === '.' ||
      own(source ?? {}, 'editable') === '.' ||
      stringIn(objectIn(one, 'directory'), 'path') === '.';
    if (name === undefined || isSelf) continue;
    const needs = [
      ...namesIn(one, 'dependencies'),
      ...objectsIn(one, 'dependencies').flatMap((need) => stringIn(need, 'name') ?? []),
    ];
    yield { found: pypi(file, name, version, hashOf(one)), needs: needs.map(normalName) };
    // What lies in a folder or a repository has none in `pylock.toml` and `uv.lock`.
    if (isPinned(one)) yield* withoutVersion(name, version);
  }
}

/** From an index, as far as the entry says. */
const isPinned = (one: JsonObject): boolean => {
  const source = objectIn(one, 'source') ?? {};
  return ![one, source].some((at) =>
    ['vcs', 'directory', 'git', 'editable', 'path'].some((key) => own(at, key) !== undefined),
  );
};

/** The hash of a source distribution or of the only file. */
function hashOf(one: JsonObject): Partial<FoundPackage> {
  const files = [...objectsIn(one, 'files'), ...objectsIn(one, 'wheels')];
  const sdist = stringIn(objectIn(one, 'sdist'), 'hash');
  const only = files.length === 1 ? stringIn(files[0], 'hash') : undefined;
  const hash = sdist ?? only;
  return hash === undefined || !/^sha\d+:[0-9a-f]+$/.test(hash) ? {} : { hashes: [hash] };
}

export const pipfileLock: Cataloguer = {
  name: 'pipfile-lock',
  reads: '`Pipfile.lock`',
  types: ['pypi'],
  evidence: declared,
  files: [{ names: ['Pipfile.lock'] }],
  catalogue: (image) =>
    readEach(image, pipfileLock, function* (file) {
      if (file.bytes.length === 0) return;
      const json = jsonObject(file.bytes);
      for (const [name, one] of [...entriesIn(json, 'default'), ...entriesIn(json, 'develop')]) {
        const version =
          /^==\s*(\S+)$/.exec(stringIn(one, 'version') ?? '')?.[1] ?? stringIn(one, 'ref') ?? '';
        yield pypi(file, name, version);
        if (own(one, 'path') === undefined) yield* withoutVersion(name, version);
      }
    }),
};

export const requirements: Cataloguer = {
  name: 'requirements',
  reads: '`requirements*.txt`; only what is pinned with `==` has a version',
  types: ['pypi'],
  evidence: declared,
  files: [{ endings: ['.txt'], path: /requirements[^/]*\.txt$|(?:^|\/)requirements\/[^/]+\.txt$/ }],
  catalogue: (image) => readEach(image, requirements, readRequirements),
};

/** One requirement a logical line. What is not pinned is named: nobody knows which version gets installed. */
function* readRequirements(file: ImageFile): Generator<FoundPackage | Problem> {
  const open: string[] = [];
  const joined = textOf(file).replace(/\\\r?\n/g, ' ');
  for (const raw of joined.split(/\r?\n/)) {
    const line = raw
      .replace(/(?:^|\s)#.*$/, '')
      .replace(/\s+/g, ' ')
      .trim();
    // Options, and other files, which are read where they lie.
    if (line === '' || /^-(?!e\b|-editable\b)/.test(line)) continue;
    const [, name = '', rest = ''] = /^([A-Za-z0-9][A-Za-z0-9._-]*) ?(?:\[[^\]]*\] ?)?(.*)$/.exec(line) ?? [];
    const pinned = /^={2,3} ?([A-Za-z0-9][A-Za-z0-9.!+_-]*)(?:[ ;,]|$)/.exec(rest)?.[1];
    const isNamed = name !== '' && (pinned !== undefined || openForm.test(rest));
    if (isNamed) yield pypi(file, name, pinned ?? '');
    if (pinned === undefined) open.push(isNamed ? name : line);
  }
  if (open.length === 0) return;
  yield { problem: `without an exact version: ${someOf(open)}` };
}

/** Nothing, a condition, an address, or ranges: what may follow a name that is not pinned. */
const openForm = /^(?:$|[;@]|\(?(?:(?:===?|[<>!~]=|[<>]) ?[\w.*+!-]+ ?,? ?)+\)? ?(?:;|--|$))/;
