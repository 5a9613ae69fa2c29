/** Lock files of one manager each: Cargo, Composer, Bundler, Go, NuGet, Conan, Hex, Pub, Swift, CocoaPods. */
import { isJsonObject, own } from '#formats/json';
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';
import {
  entriesIn,
  integrityHashes,
  jsonObject,
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
import { conanPackage, conanReference } from './conan.ts';
import { yamlDocuments } from './locks-npm.ts';
import { tomlObject } from './locks-python.ts';
import { composerPackage } from './php.ts';

function lock(
  name: string,
  type: string,
  file: string,
  read: (file: ImageFile) => Iterable<Linked | FoundPackage | Problem>,
): Cataloguer {
  const one: Cataloguer = {
    name,
    reads: `\`${file}\``,
    types: [type],
    evidence: 'declared',
    files: [{ names: [file] }],
    catalogue: (image) => readEach(image, one, read),
  };
  return one;
}

export const cargoLock = lock('cargo-lock', 'cargo', 'Cargo.lock', function* (file) {
  for (const one of objectsIn(tomlObject(file), 'package')) {
    const name = stringIn(one, 'name');
    const version = stringIn(one, 'version');
    if (name === undefined || version === undefined)
      throw new Error('a package without a name and a version');
    const sum = stringIn(one, 'checksum');
    const rest = sum === undefined ? {} : { hashes: [`sha256:${sum}`] };
    const needs = textsIn(own(one, 'dependencies')).map((need) => need.split(' ')[0] ?? '');
    yield { found: packageIn(file, { type: 'cargo', name, version }, rest), needs };
  }
});

export const composerLock = lock('composer-lock', 'composer', 'composer.lock', (file) => {
  const json = jsonObject(file.bytes);
  const list = [...objectsIn(json, 'packages'), ...objectsIn(json, 'packages-dev')];
  return list.flatMap((one) => composerPackage(file, one));
});

/** Sections GEM, GIT, PATH with `specs:`; a gem is indented by four spaces, what it needs by six. */
export const gemfileLock = lock('gemfile-lock', 'gem', 'Gemfile.lock', function* (file) {
  let isSpecs = false;
  let hasSection = false;
  let current: { found: FoundPackage; needs: string[] } | undefined;
  for (const line of textOf(file).split(/\r?\n/)) {
    if (/^\S/.test(line)) isSpecs = false;
    if (/^[A-Z][A-Z ]+$/.test(line)) hasSection = true;
    if (line === '  specs:') isSpecs = true;
    if (!isSpecs) continue;
    const need = /^ {6}(\S+)/.exec(line);
    const gem = /^ {4}(\S+) \(([^)]+)\)$/.exec(line);
    if (need !== null) current?.needs.push(need[1] as string);
    if (gem === null) {
      if (/^ {4}\S/.test(line)) yield { problem: `a gem ${JSON.stringify(line.trim())} without a version` };
      continue;
    }
    if (current !== undefined) yield current;
    const [, name = '', full = ''] = gem;
    // `1.2.3-x86_64-linux`: the platform is no part of the version.
    const version = full.replace(/-(?:x86|x64|arm|aarch|java|universal|mingw|ruby|mswin).*$/, '');
    const platform = full.length > version.length ? full.slice(version.length + 1) : undefined;
    current = { found: packageIn(file, { type: 'gem', name, version, qualifiers: { platform } }), needs: [] };
  }
  if (current !== undefined) yield current;
  if (!hasSection && textOf(file).trim() !== '') throw new Error('no section of a lock file');
});

export const goMod = lock('go-mod', 'golang', 'go.mod', function* (file) {
  const text = textOf(file).replace(/\/\/[^\n]*/g, '');
  const modules = new Map<string, string>();
  let block: string | undefined;
  for (const line of text.split('\n')) {
    const parts = line.split(/[\s()]+/).filter((part) => part !== '');
    const [first = ''] = parts;
    const word = block ?? (['require', 'replace', 'exclude'].includes(first) ? parts.shift() : undefined);
    if (word !== undefined && block === undefined && line.includes('(')) block = word;
    if (word !== undefined && parts.length >= 2) applyDirective(modules, word, parts);
    if (line.includes(')')) block = undefined;
  }
  if (modules.size === 0 && !/^[ \t]*(?:module|go)\s/m.test(text) && text.trim() !== '') {
    throw new Error('no module directive');
  }
  for (const [path, version] of modules)
    yield packageIn(file, { type: 'golang', ...splitName(path), version });
});

function applyDirective(modules: Map<string, string>, word: string, parts: readonly string[]): void {
  const [path = '', version = ''] = parts;
  if (word === 'require') modules.set(path, version);
  else if (word === 'replace') replaceModule(modules, parts);
  else if (modules.get(path) === version) modules.delete(path);
}

/** `old [v1] => new v2`; a folder in place of a module has no version. */
function replaceModule(modules: Map<string, string>, parts: readonly string[]): void {
  const arrow = parts.indexOf('=>');
  const [old = ''] = parts;
  const from = arrow === 2 ? parts[1] : undefined;
  const [path = '', version] = parts.slice(arrow + 1);
  if (arrow < 0 || !modules.has(old) || (from !== undefined && modules.get(old) !== from)) return;
  modules.delete(old);
  if (version === undefined) modules.set(old, '');
  else modules.set(path, version);
}

export const nugetLock = lock('nuget-lock', 'nuget', 'packages.lock.json', function* (file) {
  const seen = new Set<string>();
  for (const [, framework] of entriesIn(jsonObject(file.bytes, true), 'dependencies')) {
    for (const [name, one] of Object.entries(framework)) {
      const version = (isJsonObject(one) ? stringIn(one, 'resolved') : undefined) ?? '';
      if (!isJsonObject(one) || seen.has(`${name} ${version}`)) continue;
      seen.add(`${name} ${version}`);
      const sum = stringIn(one, 'contentHash');
      const hashes = integrityHashes(sum === undefined ? '' : `sha512-${sum}`);
      yield {
        found: packageIn(file, { type: 'nuget', name, version }, { hashes }),
        needs: namesIn(one, 'dependencies'),
      };
      // Projects of the same solution are built, not resolved.
      if (own(one, 'type') !== 'Project') yield* withoutVersion(name, version);
    }
  }
});

/** Version 2 is a list of references, version 1 a graph of nodes with one each. */
export const conanLock = lock('conan-lock', 'conan', 'conan.lock', function* (file) {
  const json = jsonObject(file.bytes);
  const lists = ['requires', 'build_requires', 'python_requires'].flatMap((key) => textsIn(own(json, key)));
  const nodes = entriesIn(objectIn(json, 'graph_lock'), 'nodes').map(([, one]) => stringIn(one, 'ref') ?? '');
  for (const text of [...lists, ...nodes]) {
    if (text === '') continue;
    const one = conanReference(text);
    if (one === undefined) yield { problem: `a requirement ${JSON.stringify(text)} without a version` };
    else yield conanPackage(file, one);
  }
});

/** Elixir terms, one a line: `"name": {:hex, :name, "1.0.0", "sum", …}` or `{:git, "address", "commit", …}`. */
export const mixLock = lock('mix-lock', 'hex', 'mix.lock', function* (file) {
  const text = textOf(file);
  if (text.trim() !== '' && !/^\s*%\{/.test(text)) throw new Error('no map of Elixir');
  for (const [, app = '', term = ''] of text.matchAll(/^[ \t]*"([^"]+)":\s*(.*)$/gm)) {
    const hex = /^\{:hex,\s*:"?([^",\s]+)"?,\s*"([^"]+)",\s*"([0-9a-f]*)"/.exec(term);
    const git = /^\{:git,\s*"[^"]*",\s*"([^"]+)"/.exec(term);
    if (hex !== null) {
      const [, name = '', version = '', sum = ''] = hex;
      const rest = sum.length === 64 ? { hashes: [`sha256:${sum}`] } : {};
      yield packageIn(file, { type: 'hex', name, version }, rest);
    } else if (git !== null) yield packageIn(file, { type: 'hex', name: app, version: git[1] as string });
    else yield { problem: `a package ${JSON.stringify(app)} without a version` };
  }
});

/** Erlang terms: `{<<"name">>,{pkg,<<"name">>,<<"1.0.0">>},0}` or `{git,"address",{ref,"commit"}}`. */
export const rebarLock = lock('rebar-lock', 'hex', 'rebar.lock', function* (file) {
  const text = textOf(file);
  if (text.trim() !== '' && !/^\s*[{[]/.test(text)) throw new Error('no term of Erlang');
  for (const [, app = '', term = ''] of text.matchAll(/\{<<"([^"]+)">>,\s*(\{[^}]*\}?)/g)) {
    const hex = /^\{pkg,\s*<<"([^"]+)">>,\s*<<"([^"]+)">>/.exec(term);
    const git = /^\{git(?:_subdir)?,\s*"[^"]*",\s*\{ref,\s*"([^"]+)"/.exec(term);
    const name = hex?.[1] ?? app;
    const version = hex?.[2] ?? git?.[1];
    if (version === undefined) yield { problem: `a package ${JSON.stringify(app)} without a version` };
    else yield packageIn(file, { type: 'hex', name, version });
  }
});

export const pubLock = lock('pub-lock', 'pub', 'pubspec.lock', function* (file) {
  for (const json of yamlDocuments(file)) {
    for (const [name, one] of entriesIn(json, 'packages')) {
      const version = stringIn(one, 'version');
      if (version === undefined) throw new Error(`package ${name} without a version`);
      const about = objectIn(one, 'description');
      const sum = stringIn(about, 'sha256');
      const url = stringIn(about, 'url')?.replace(/^https?:\/\//, '');
      const isDefault = url === undefined || url === 'pub.dev' || url === 'pub.dartlang.org';
      const qualifiers = { hosted_url: stringIn(one, 'source') === 'hosted' && !isDefault ? url : undefined };
      const rest = sum === undefined ? {} : { hashes: [`sha256:${sum}`] };
      yield packageIn(file, { type: 'pub', name, version, qualifiers, shown: name }, rest);
    }
  }
});

/** Versions 2 and later list pins at the top, version 1 below `object`. */
export const swiftLock = lock('swift-lock', 'swift', 'Package.resolved', function* (file) {
  const json = jsonObject(file.bytes);
  for (const one of [...objectsIn(json, 'pins'), ...objectsIn(objectIn(json, 'object'), 'pins')]) {
    const place = stringIn(one, 'location') ?? stringIn(one, 'repositoryURL') ?? '';
    const state = objectIn(one, 'state');
    const version = stringIn(state, 'version') ?? stringIn(state, 'revision');
    const path = place.replace(/^[a-z+]+:\/\/(?:[^@/]+@)?/, '').replace(/\.git$/, '');
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (version === undefined || name === '')
      throw new Error(`a pin ${JSON.stringify(place)} without a version`);
    yield packageIn(file, { type: 'swift', ...splitName(path), version, shown: path });
  }
});

/** `PODS:` lists `Name/Subspec (1.0.0)`, with what it needs below. */
export const podLock = lock('pod-lock', 'cocoapods', 'Podfile.lock', function* (file) {
  for (const json of yamlDocuments(file)) {
    const pods = own(json, 'PODS');
    for (const one of Array.isArray(pods) ? pods : []) {
      const text = typeof one === 'string' ? one : (Object.keys(isJsonObject(one) ? one : {})[0] ?? '');
      const match = /^(\S+) \(([^)]+)\)$/.exec(text);
      if (match === null) throw new Error(`a pod ${JSON.stringify(text)} without a version`);
      const [, full = '', version = ''] = match;
      const [name = '', ...rest] = full.split('/');
      const subpath = rest.length === 0 ? {} : { subpath: rest.join('/') };
      yield packageIn(file, { type: 'cocoapods', name, version, shown: full, ...subpath });
    }
  }
});
