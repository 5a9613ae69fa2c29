/** Installed packages of smaller ecosystems, each by the one file its manager writes. */
import { own } from '#formats/json';
import { ownedPaths } from '../owned.ts';
import type { Cataloguer } from '../types.ts';
import { jsonObject, packageIn, readEach, stringIn, textOf } from './common.ts';

const installed = 'installed' as const;

/** R packages keep a `DESCRIPTION` of `Field: value` lines; `Built` is there only once one is installed. */
export const cran: Cataloguer = {
  name: 'r',
  reads: '`DESCRIPTION` of installed R packages',
  types: ['cran'],
  evidence: installed,
  files: [{ names: ['DESCRIPTION'], path: /(?:^|\/)(?:library|site-library)\/[^/]+\/DESCRIPTION$/ }],
  catalogue: (image) =>
    readEach(image, cran, (file) => {
      const fields = new Map<string, string>();
      for (const line of textOf(file).split('\n')) {
        const match = /^([A-Za-z@/]+):\s*(.*)$/.exec(line);
        if (match !== null) fields.set(match[1] as string, (match[2] as string).trim());
      }
      const name = fields.get('Package') ?? '';
      const version = fields.get('Version') ?? '';
      if (name === '' || version === '') throw new Error('no Package and Version in the description');
      const license = fields.get('License');
      const rest = {
        licenses: license === undefined ? [] : [license],
        supplier: fields.get('Maintainer') ?? fields.get('Author'),
        description: fields.get('Title'),
        homepage: fields.get('URL')?.split(/[,\s]/)[0],
      };
      return [packageIn(file, { type: 'cran', name, version }, rest)];
    }),
};

/** The header comment that WordPress itself reads. */
export const wordpress: Cataloguer = {
  name: 'wordpress',
  reads: 'header comments of WordPress plugins',
  types: ['wordpress'],
  evidence: installed,
  files: [{ endings: ['.php'], path: /(?:^|\/)wp-content\/plugins\/[^/]+\/[^/]+\.php$/ }],
  catalogue: (image) =>
    readEach(image, wordpress, (file) => {
      const head = textOf({ bytes: file.bytes.subarray(0, 8192) });
      const field = (name: string): string | undefined =>
        new RegExp(String.raw`^[ \t/*#@]*${name}:[ \t]*(.+?)\s*(?:\*/)?\s*$`, 'im').exec(head)?.[1];
      const version = field('Version');
      // A folder has many files; the one that says the plugin's name is the plugin.
      if (field('Plugin Name') === undefined) return [];
      if (version === undefined) throw new Error('a plugin without a version');
      const name = file.path.split('/').at(-2) ?? '';
      const license = field('License');
      const rest = { licenses: license === undefined ? [] : [license], supplier: field('Author') };
      return [packageIn(file, { type: 'generic', name, version }, { ...rest, type: 'wordpress' })];
    }),
};

/** `conda-forge` of `https://conda.example/conda-forge/linux-64` or `…/conda-forge/`. */
function channelOf(address: string, subdir: string | undefined): string {
  const path = address.replace(/^[a-z]+:\/\/[^/]*\//, '').replace(/\/$/, '');
  return subdir !== undefined && path.endsWith(`/${subdir}`) ? path.slice(0, -subdir.length - 1) : path;
}

/** What conda put into an environment. */
export const conda: Cataloguer = {
  name: 'conda',
  reads: '`conda-meta/*.json`',
  types: ['conda'],
  evidence: installed,
  files: [{ endings: ['.json'], path: /(?:^|\/)conda-meta\/[^/]+\.json$/ }],
  catalogue: (image) =>
    readEach(image, conda, (file) => {
      const json = jsonObject(file.bytes);
      const name = stringIn(json, 'name');
      const version = stringIn(json, 'version');
      if (name === undefined || version === undefined) throw new Error('no name and version in the record');
      const license = stringIn(json, 'license');
      const sha256 = stringIn(json, 'sha256');
      const channel = channelOf(stringIn(json, 'channel') ?? '', stringIn(json, 'subdir'));
      const qualifiers = { build: stringIn(json, 'build'), subdir: stringIn(json, 'subdir'), channel };
      const rest = {
        licenses: license === undefined ? [] : [license],
        ...(sha256 === undefined ? {} : { hashes: [`sha256:${sha256}`] }),
        architecture: typeof own(json, 'arch') === 'string' ? stringIn(json, 'arch') : undefined,
      };
      return [packageIn(file, { type: 'conda', name, version, qualifiers }, rest)];
    }),
};

/** Portage keeps a folder for each installed package; its name says which. */
export const portage: Cataloguer = {
  name: 'portage',
  reads: 'the package database of Gentoo',
  types: ['ebuild'],
  evidence: installed,
  isSystem: true,
  files: [{ names: ['CONTENTS'], path: /(?:^|\/)var\/db\/pkg\/[^/]+\/[^/]+\/CONTENTS$/ }],
  catalogue: (image) =>
    readEach(image, portage, (file) => {
      const [category = '', full = ''] = file.path.split('/').slice(-3, -1);
      const match = /^(.+)-(\d[^-]*(?:-r\d+)?)$/.exec(full);
      if (match === null) throw new Error(`a folder ${JSON.stringify(full)} without a version`);
      const [, name = '', version = ''] = match;
      const owned = textOf(file)
        .split('\n')
        .flatMap((line) => /^(?:obj|sym) \/(\S.*?)(?: [0-9a-f]{32} \d+| -> .*)$/.exec(line)?.[1] ?? []);
      const owns = ownedPaths(owned);
      return [packageIn(file, { type: 'ebuild', namespace: category, name, version }, { owns })];
    }),
};
