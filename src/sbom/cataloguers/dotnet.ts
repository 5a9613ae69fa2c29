/** .NET programs: the graph of `*.deps.json` that the host reads at start. */
import { own } from '#formats/json';
import type { Cataloguer, ImageFile } from '../types.ts';
import {
  entriesIn,
  integrityHashes,
  jsonObject,
  type Linked,
  namesIn,
  objectIn,
  packageIn,
  readEach,
  stringIn,
} from './common.ts';

export const dotnet: Cataloguer = {
  name: 'dotnet',
  reads: '`*.deps.json` of .NET programs',
  types: ['nuget'],
  evidence: 'installed',
  files: [{ endings: ['.json'], path: /\.deps\.json$/ }],
  catalogue: (image) => readEach(image, dotnet, readDeps),
};

function* readDeps(file: ImageFile): Generator<Linked> {
  const json = jsonObject(file.bytes, true);
  const target = stringIn(objectIn(json, 'runtimeTarget'), 'name') ?? '';
  const graph = objectIn(objectIn(json, 'targets'), target);
  for (const [key, library] of entriesIn(json, 'libraries')) {
    const { name, version } = splitKey(key);
    if (name === '' || version === '') throw new Error(`a library ${JSON.stringify(key)} without a version`);
    const needs = namesIn(objectIn(graph, key), 'dependencies');
    const isProject = own(library, 'type') === 'project';
    const hashes = isProject ? [] : integrityHashes(stringIn(library, 'sha512'));
    yield { found: packageIn(file, { type: 'nuget', name, version }, { hashes }), needs };
  }
}

const splitKey = (key: string): { name: string; version: string } => {
  const slash = key.lastIndexOf('/');
  return slash < 0
    ? { name: key, version: '' }
    : { name: key.slice(0, slash), version: key.slice(slash + 1) };
};
