/** PHP packages: Composer's list of what it installed, and the registry of PEAR. */
import { isJsonObject, type JsonObject, type JsonValue, own, parseJson } from '#formats/json';
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';
import {
  type Linked,
  namesIn,
  objectIn,
  objectsIn,
  type Problem,
  packageIn,
  readEach,
  splitName,
  stringIn,
  textOf,
  textsIn,
  withoutVersion,
} from './common.ts';

export const composer: Cataloguer = {
  name: 'composer',
  reads: '`vendor/composer/installed.json`',
  types: ['composer'],
  evidence: 'installed',
  files: [{ names: ['installed.json'] }],
  catalogue: (image) => readEach(image, composer, readInstalled),
};

/** Version 1 is a list, version 2 an object around it. Other tools use the file name too: they are passed over. */
function readInstalled(file: ImageFile): (Linked | Problem)[] {
  const parsed = parseJson(file.bytes, { maxBytes: file.bytes.length });
  if (!parsed.ok) throw new Error(`${parsed.error.expected} wanted, got ${parsed.error.actual}`);
  const list: readonly JsonValue[] = Array.isArray(parsed.value)
    ? parsed.value
    : isJsonObject(parsed.value)
      ? objectsIn(parsed.value, 'packages')
      : [];
  return list.filter(isJsonObject).flatMap((one) => composerPackage(file, one));
}

/** One entry of a Composer list, and what it lacks; shared with its lock file. */
export function composerPackage(file: ImageFile, one: JsonObject): (Linked | Problem)[] {
  const full = stringIn(one, 'name');
  const version = stringIn(one, 'version') ?? '';
  if (full === undefined) return [];
  const sum = stringIn(objectIn(one, 'dist'), 'shasum');
  const [author] = objectsIn(one, 'authors');
  const found = packageIn(
    file,
    { type: 'composer', ...splitName(full), version },
    {
      licenses: textsIn(own(one, 'license')),
      supplier: stringIn(author, 'name'),
      description: stringIn(one, 'description'),
      homepage: stringIn(one, 'homepage'),
      ...(sum === undefined ? {} : { hashes: [`sha1:${sum}`] }),
    },
  );
  return [{ found, needs: namesIn(one, 'require') }, ...withoutVersion(full, version)];
}

export const pear: Cataloguer = {
  name: 'pear',
  reads: 'the registry of PEAR and PECL',
  types: ['pear'],
  evidence: 'installed',
  files: [{ endings: ['.reg'], path: /(?:^|\/)php\/\.registry\/(?:.+\/)?[^/]+\.reg$/ }],
  catalogue: (image) => readEach(image, pear, readRegistry),
};

/** PHP's serialize(): only the strings that matter are taken, by their keys. */
function* readRegistry(file: ImageFile): Generator<FoundPackage> {
  const text = textOf(file);
  const field = (key: string): string | undefined =>
    new RegExp(`s:${key.length}:"${key}";s:\\d+:"([^"]*)"`).exec(text)?.[1];
  const name = field('name') ?? field('package');
  // `version` is a list with `release` in it in newer registries, a text in older ones.
  const version = field('release') ?? field('version');
  if (name === undefined || version === undefined)
    throw new Error('a registry entry without a name and a version');
  const license = field('license') ?? field('_content');
  yield packageIn(
    file,
    { type: 'pear', namespace: field('channel') ?? 'pecl.php.net', name, version, shown: name },
    { licenses: license === undefined ? [] : [license], description: field('summary') },
  );
}
