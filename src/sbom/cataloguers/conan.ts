/** Packages of Conan: its cache of either version, and what it deployed. */
import type { Cataloguer, FoundPackage, ImageFile, ImageFiles } from '../types.ts';
import { type Problem, packageIn, readEach, textOf } from './common.ts';
import { sqliteRows } from './sqlite.ts';
import { hasPages, packLog, unreadLog, WAL_ENDING, withLog } from './wal.ts';

const DATABASE = 'cache.sqlite3';

export const conan: Cataloguer = {
  name: 'conan',
  reads: 'the cache of Conan 2 with its log, `conaninfo.txt` of Conan 1 and of deployed packages',
  types: ['conan'],
  evidence: 'installed',
  files: [
    { names: ['conaninfo.txt'] },
    { names: [DATABASE, DATABASE + WAL_ENDING], path: /(?:^|\/)p\/cache\.sqlite3(?:-wal)?$/ },
  ],
  catalogue: (image) =>
    readEach(image, conan, (file) => {
      if (file.path.endsWith(DATABASE)) return readCache(file, logOf(image, file));
      if (!file.path.endsWith(WAL_ENDING)) return readConanInfo(image, file);
      const log = packLog(file.bytes);
      return log === undefined || hasPages(log) ? [] : unreadLog(image, file.path, log);
    }),
};

export interface ConanReference {
  readonly name: string;
  readonly version: string;
  readonly user?: string;
  readonly channel?: string;
}

/** `name/version[@user/channel][#revision][:package…][%time]`. */
export function conanReference(text: string): ConanReference | undefined {
  const match = /^([^/@#:%\s]+)\/([^@#:%\s]+)(?:@([^/#:%\s]+)\/([^#:%\s]+))?/.exec(text.trim());
  if (match === null) return undefined;
  const [, name = '', version = '', user, channel] = match;
  return { name, version, ...(user === undefined || channel === undefined ? {} : { user, channel }) };
}

export function conanPackage(file: ImageFile, one: ConanReference): FoundPackage {
  const { name, version, user, channel } = one;
  return packageIn(file, {
    type: 'conan',
    namespace: user,
    name,
    version,
    shown: name,
    qualifiers: { channel },
  });
}

/** A table without anything that runs what the image wrote: a view, a computed column. */
const plainTable =
  /^CREATE TABLE (?:recipes|packages) \(reference text NOT NULL,[\w\s,]*(?:UNIQUE ?\([\w\s,]*\))?\s*\)$/i;

/** The pages of the log beside the database, where it has any. */
function logOf(image: ImageFiles, file: ImageFile): Uint8Array | undefined {
  const beside = image.find(file.path + WAL_ENDING);
  const log = beside === undefined ? undefined : packLog(beside.bytes);
  return log !== undefined && hasPages(log) ? log : undefined;
}

/** What `conan list` shows: the folders of the cache have no names that say it. */
function* readCache(file: ImageFile, log: Uint8Array | undefined): Generator<FoundPackage | Problem> {
  const bytes = log === undefined ? file.bytes : withLog(file.bytes, log);
  const references = new Set<string>();
  let held = 0;
  for (const table of ['recipes', 'packages']) {
    const rows = sqliteRows(bytes, { table, plain: plainTable, columns: 'reference' });
    for (const { reference } of rows) {
      const text = typeof reference === 'string' ? reference : '';
      // Pages that lead to each other would give without end.
      held += text.length + 1;
      if (held > bytes.length) throw new Error('references that are longer together than the database');
      references.add(text);
    }
  }
  for (const text of [...references].sort()) {
    const one = conanReference(text);
    if (one === undefined) yield { problem: `a package ${JSON.stringify(text)} without a version` };
    else yield conanPackage(file, one);
  }
}

/** `1.Y.Z`, `1.2.Z`: what a package was built against up to the letters, not what it has. */
const isVersionMode = (version: string): boolean => /(?:^|\.)[XYZ](?:\.|$)/.test(version);

/** `[settings]`, `[requires]` …; which package it is only its place says. */
function* readConanInfo(image: ImageFiles, file: ImageFile): Generator<FoundPackage | Problem> {
  let section = '';
  for (const raw of textOf(file).split('\n')) {
    const line = raw.trim();
    const heading = /^\[(.+)\]$/.exec(line)?.[1];
    if (heading !== undefined) section = heading;
    else if (line !== '' && (section === 'full_requires' || section === 'requires')) {
      const one = conanReference(line);
      if (one === undefined) yield { problem: `a requirement ${JSON.stringify(line)} without a version` };
      else if (!isVersionMode(one.version)) yield conanPackage(file, one);
    }
  }
  const own = ownReference(file.path);
  if (own !== undefined) yield conanPackage(file, own);
  // In the cache of Conan 2: what the database beside it lists.
  const cache = /^(.*\/)?p\/b\/[^/]+\/p\/conaninfo\.txt$/.exec(file.path);
  if (cache !== null && image.find(`${cache[1] ?? ''}p/${DATABASE}`) === undefined)
    yield { problem: 'a package of a cache whose database is not there' };
}

/** `data/NAME/VERSION/USER/CHANNEL/package/ID/` of Conan 1, `full_deploy/host/NAME/VERSION/…` of Conan 2. */
function ownReference(path: string): ConanReference | undefined {
  const cached = /\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)\/package\/[0-9a-f]{32,40}\/conaninfo\.txt$/.exec(
    `/${path}`,
  );
  const deployed = /(?:^|\/)full_deploy\/(?:host|build)\/([^/]+)\/([^/]+)\/(?:.+\/)?conaninfo\.txt$/.exec(
    path,
  );
  const match = cached ?? deployed;
  if (match === null) return undefined;
  const [, name = '', version = '', user = '_', channel = '_'] = match;
  return { name, version, ...(user === '_' ? {} : { user, channel }) };
}
