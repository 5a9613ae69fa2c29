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
  stringIn,
  textOf,
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

function* readTables(file: ImageFile): Generator<Linked> {
  const toml = tomlObject(file);
  const isPylock = file.path.endsWith('.toml');
  for (const one of objectsIn(toml, isPylock ? 'packages' : 'package')) {
    const name = stringIn(one, 'name');
    const version = stringIn(one, 'version');
    const source = objectIn(one, 'source');
    // The project itself stands in its own lock file.
    const isSelf = own(source ?? {}, 'virtual') === '.' || own(source ?? {}, 'editable') === '.';
    if (name === undefined || isSelf || (version === undefined && isPylock)) continue;
    if (version === undefined) throw new Error(`package ${name} without a version`);
    const needs = [
      ...namesIn(one, 'dependencies'),
      ...objectsIn(one, 'dependencies').flatMap((need) => stringIn(need, 'name') ?? []),
    ];
    yield { found: pypi(file, name, version, hashOf(one)), needs: needs.map(normalName) };
  }
}

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
        const version = /^==\s*(\S+)$/.exec(stringIn(one, 'version') ?? '')?.[1];
        if (version !== undefined) yield pypi(file, name, version);
      }
    }),
};

export const requirements: Cataloguer = {
  name: 'requirements',
  reads: '`requirements*.txt`: what is pinned with `==`',
  types: ['pypi'],
  evidence: declared,
  files: [{ endings: ['.txt'], path: /requirements[^/]*\.txt$|(?:^|\/)requirements\/[^/]+\.txt$/ }],
  catalogue: (image) => readEach(image, requirements, readRequirements),
};

/** One requirement a logical line. What is not pinned is named: another version may be what gets installed. */
function* readRequirements(file: ImageFile): Generator<FoundPackage | Problem> {
  const open: string[] = [];
  const joined = textOf(file).replace(/\\\r?\n/g, ' ');
  for (const raw of joined.split(/\r?\n/)) {
    const line = raw.replace(/(?:^|\s)#.*$/, '').trim();
    const match =
      /^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*={2,3}\s*([A-Za-z0-9][A-Za-z0-9.!+_-]*)(?:\s|;|,|$)/.exec(
        line,
      );
    if (match !== null) yield pypi(file, match[1] as string, match[2] as string);
    // Options, and other files, which are read where they lie.
    else if (line !== '' && !/^-(?!e\b|-editable\b)/.test(line)) open.push(line.split(/[\s;]/)[0] as string);
  }
  if (open.length === 0) return;
  const more = open.length > SHOWN_MAX ? ` and ${open.length - SHOWN_MAX} more` : '';
  yield { problem: `without an exact version: ${open.slice(0, SHOWN_MAX).join(', ')}${more}` };
}

const SHOWN_MAX = 10;
