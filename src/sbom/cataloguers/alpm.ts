/** Packages of Arch Linux and its family: `var/lib/pacman/local/NAME-VERSION/desc`. */

import type { Unknown } from '#formats/sbom';
import { type Distro, distroText } from '#formats/sbom';
import { filesFor } from '../match.ts';
import { ownedPaths } from '../owned.ts';
import { joinPath, parentOf } from '../paths.ts';
import type { Cataloguer, FoundPackage, ImageFile, ImageFiles } from '../types.ts';
import { packageIn, textOf } from './common.ts';

const inDatabase = /(?:^|\/)var\/lib\/pacman\/local\/[^/]+\/[^/]+$/;

export const alpm: Cataloguer = {
  name: 'alpm',
  reads: 'the local database of pacman',
  types: ['alpm'],
  evidence: 'installed',
  isSystem: true,
  files: [{ names: ['desc', 'files'], path: inDatabase }],
  catalogue(image, { distro }) {
    const packages: FoundPackage[] = [];
    const unknowns: Unknown[] = [];
    const needs: string[][] = [];
    const providers = new Map<string, number>();
    for (const file of filesFor(image, [{ names: ['desc'], path: inDatabase }])) {
      const fields = parseDesc(textOf(file));
      const [name = ''] = fields.get('NAME') ?? [];
      const [version = ''] = fields.get('VERSION') ?? [];
      if (name === '' || version === '') {
        const reason = `a package without ${name === '' ? 'a name' : 'a version'}`;
        unknowns.push({ path: file.path, wantedBy: 'alpm', reason });
        continue;
      }
      const bare = (list: readonly string[] = []): string[] =>
        list.map((one) => one.replace(/[<>=:].*$/, ''));
      for (const one of [...bare(fields.get('PROVIDES')), name]) providers.set(one, packages.length);
      needs.push(bare(fields.get('DEPENDS')));
      packages.push(alpmPackage(file, name, version, fields, image, distro));
    }
    const linked = packages.map((one, i) => {
      const indexes = (needs[i] ?? []).map((name) => providers.get(name)).filter((at) => at !== undefined);
      return { ...one, needs: [...new Set(indexes)] };
    });
    return { packages: linked, unknowns };
  },
};

/** Blocks of a `%KEY%` line and value lines, an empty line between. */
function parseDesc(text: string): ReadonlyMap<string, readonly string[]> {
  const fields = new Map<string, string[]>();
  let values: string[] | undefined;
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    const key = /^%([A-Z0-9]+)%$/.exec(line)?.[1];
    if (key !== undefined) {
      values = fields.get(key) ?? [];
      fields.set(key, values);
    } else if (line === '') values = undefined;
    else values?.push(line);
  }
  return fields;
}

function alpmPackage(
  file: ImageFile,
  name: string,
  version: string,
  fields: ReadonlyMap<string, readonly string[]>,
  image: ImageFiles,
  distro: Distro | undefined,
): FoundPackage {
  const first = (key: string): string | undefined => fields.get(key)?.[0];
  const list = image.find(joinPath(parentOf(file.path), 'files'));
  const base = first('BASE');
  const owned = list === undefined ? [] : (parseDesc(textOf(list)).get('FILES') ?? []);
  const qualifiers = {
    arch: first('ARCH'),
    distro: distro === undefined ? undefined : distroText(distro),
    upstream: base === name ? undefined : base,
  };
  const namespace = distro?.id ?? 'arch';
  return packageIn(
    file,
    { type: 'alpm', namespace, name, version, qualifiers, shown: name },
    {
      licenses: fields.get('LICENSE') ?? [],
      supplier: first('PACKAGER'),
      description: first('DESC'),
      homepage: first('URL'),
      architecture: first('ARCH'),
      source: { name: base ?? name, version },
      owns: ownedPaths(owned.filter((path) => !path.endsWith('/'))),
    },
  );
}
