/** Installed Python packages: `*.dist-info/METADATA`, `*.egg-info/PKG-INFO` and single `*.egg-info` files. */
import { buildPurl } from '#formats/purl';
import type { Unknown } from '#formats/sbom';
import { parentOf } from '../paths.ts';
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';

const metadataPath = /(?:dist-info\/METADATA|egg-info\/PKG-INFO|[^/]\.egg-info)$/i;

export const python: Cataloguer = {
  name: 'python',
  reads: 'metadata of installed distributions: `dist-info`, `egg-info`',
  types: ['pypi'],
  evidence: 'installed',
  files: [
    { names: ['METADATA', 'metadata', 'PKG-INFO', 'pkg-info'], path: metadataPath },
    { endings: ['.egg-info', '.EGG-INFO'], path: metadataPath },
  ],
  catalogue(image) {
    const packages: FoundPackage[] = [];
    const unknowns: Unknown[] = [];
    const needs: string[][] = [];
    const places = new Map<string, number>();
    for (const file of image.files) {
      if (!metadataPath.test(file.path)) continue;
      const headers = parseHeaders(new TextDecoder().decode(file.bytes));
      const found = readPackage(headers, file);
      if (found === undefined) {
        unknowns.push({ path: file.path, wantedBy: 'python', reason: 'no Name and Version in the metadata' });
        continue;
      }
      const place = `${siteFolder(file.path)}\0${found.name}`;
      // dist-info sorts before egg-info and wins where both describe one installed package.
      if (places.has(place) && packages[places.get(place) as number]?.version === found.version) continue;
      places.set(place, packages.length);
      packages.push(found);
      needs.push(headers.filter(([key]) => key === 'requires-dist').map(([, value]) => required(value)));
    }
    const resolved = packages.map((one, i) => {
      const site = siteFolder(one.path);
      const indexes = (needs[i] ?? []).map((name) => places.get(`${site}\0${name}`));
      return { ...one, needs: [...new Set(indexes.filter((at) => at !== undefined))] };
    });
    return { packages: resolved, unknowns };
  },
};

type Headers = readonly (readonly [string, string])[];

/** The header part of an RFC 822 message, keys in lower case, folded lines joined. */
function parseHeaders(text: string): Headers {
  const headers: [string, string][] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line === '') break;
    const last = headers.at(-1);
    if (/^[ \t]/.test(line)) {
      if (last !== undefined) last[1] += `\n${line.trim()}`;
      continue;
    }
    const colon = line.indexOf(':');
    if (colon > 0) headers.push([line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]);
  }
  return headers;
}

function readPackage(headers: Headers, file: ImageFile): FoundPackage | undefined {
  const first = (key: string): string | undefined => {
    const value = headers.find(([name]) => name === key)?.[1];
    return value === undefined || value === '' || value === 'UNKNOWN' ? undefined : value;
  };
  const name = first('name');
  const version = first('version');
  if (name === undefined || version === undefined) return undefined;
  const normal = normalName(name);
  const purl = buildPurl({ type: 'pypi', name: normal, version });
  const license = first('license-expression') ?? first('license')?.split('\n')[0];
  return {
    type: 'pypi',
    name: normal,
    version,
    purl: purl.ok ? purl.value : undefined,
    path: file.path,
    layer: file.layer,
    licenses: license === undefined ? [] : [license],
    supplier: first('author-email') ?? first('author'),
    description: first('summary'),
    homepage: first('home-page'),
  };
}

/** PEP 503: lower case, runs of `-_.` are one dash. */
export const normalName = (name: string): string => name.toLowerCase().replace(/[-_.]+/g, '-');

/** The normalised name in `Requires-Dist: Name[extra] (>=1) ; marker`. */
const required = (text: string): string => normalName(/^[A-Za-z0-9._-]+/.exec(text)?.[0] ?? '');

/** The folder that holds the metadata folder or file. */
const siteFolder = (path: string): string =>
  path.toLowerCase().endsWith('.egg-info') ? parentOf(path) : parentOf(parentOf(path));
