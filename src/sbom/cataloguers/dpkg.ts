/**
 * Packages of Debian and its family: `var/lib/dpkg/status`, and the `status.d` folder of images made without
 * dpkg. Licences come from machine-readable copyright files, owned files from `info/*.list`.
 */
import { utf8 } from '#base/bytes';
import { buildPurl } from '#formats/purl';
import { type Distro, distroText, type Unknown } from '#formats/sbom';

import { groupedList, type OwnedPaths, ownedLines } from '../owned.ts';
import type { Cataloguer, FoundPackage, ImageFile, ImageFiles } from '../types.ts';
import { someOf } from './common.ts';
import { condensedCopyright, copyrightLicenses } from './copyright.ts';
import { parseStanzas, type Stanza } from './stanzas.ts';

const statusPath = /(?:^|\/)lib\/dpkg\/status$/;
const statusFolder = /(?:^|\/)lib\/dpkg\/status\.d\/[^/]+$/;
const listPath = /(?:^|\/)lib\/dpkg\/info\/[^/]+\.list$/;
const copyrightPath = /^usr\/share\/doc\/[^/]+\/copyright$/;

export const dpkg: Cataloguer = {
  name: 'dpkg',
  reads: 'the status of dpkg and of images made without it (`status.d`), owned files, copyright files',
  types: ['deb'],
  evidence: 'installed',
  isSystem: true,
  files: [
    { names: ['status'], path: statusPath },
    { endings: ['.list'], path: listPath },
    { names: ['copyright'], path: copyrightPath },
    { folders: ['status.d'], path: statusFolder },
  ],
  condense: (bytes, base) => {
    if (base === 'copyright') return condensedCopyright(bytes);
    if (base === 'status') return condensedStatus(bytes);
    return base.endsWith('.list') ? groupedList(bytes) : undefined;
  },
  catalogue(image, { distro }) {
    const packages: FoundPackage[] = [];
    const unknowns: Unknown[] = [];
    const needs: string[][] = [];
    const provides = new Map<string, number>();
    for (const file of image.files) {
      const isStatus = statusPath.test(file.path);
      if (!isStatus && !(statusFolder.test(file.path) && !file.path.endsWith('.md5sums'))) continue;
      const { stanzas, problems } = parseStanzas(new TextDecoder().decode(file.bytes), isStatus);
      for (const { line, reason } of problems) {
        unknowns.push({ path: file.path, wantedBy: 'dpkg', reason: `stanza at line ${line}: ${reason}` });
      }
      if (isStatus) unknowns.push(...withoutEntry(stanzas, file, image));
      for (const stanza of stanzas) {
        const found = readPackage(stanza, file, image, distro);
        if (typeof found === 'string') unknowns.push({ path: file.path, wantedBy: 'dpkg', reason: found });
        if (typeof found !== 'object') continue;
        for (const name of [found.name, ...dependencyNames(stanza.get('provides'))]) {
          if (!provides.has(name) || name === found.name) provides.set(name, packages.length);
        }
        packages.push(found);
        needs.push(dependencyNames(`${stanza.get('pre-depends') ?? ''},${stanza.get('depends') ?? ''}`));
      }
    }
    return {
      packages: packages.map((one, i) => ({ ...one, needs: resolve(needs[i] ?? [], provides) })),
      unknowns,
    };
  },
};

/** Every package in the status has a list of its files, and goes from both together. */
function withoutEntry(stanzas: readonly Stanza[], { path }: ImageFile, { files }: ImageFiles): Unknown[] {
  const known = new Set(stanzas.map((stanza) => stanza.get('package') ?? ''));
  const info = `${path.slice(0, -'status'.length)}info/`;
  const missing = new Set<string>();
  for (const one of files) {
    if (!one.path.startsWith(info) || !one.path.endsWith('.list')) continue;
    const name = one.path.slice(info.length, -'.list'.length).replace(/:.*/, '');
    if (!known.has(name)) missing.add(name);
  }
  if (missing.size === 0) return [];
  const reason = `${missing.size} packages have a list of files and no entry: ${someOf([...missing].sort())}`;
  return [{ path, wantedBy: 'dpkg', reason }];
}

/** Of each stanza, what `readPackage` and the needs are made of. */
const fieldsRead = new Set(
  'package status version architecture source homepage maintainer provides depends pre-depends'.split(' '),
);

/** Half of a status file is about what nobody asks for here. Undefined for one with problems: they name lines. */
function condensedStatus(bytes: Uint8Array): Uint8Array | undefined {
  const { stanzas, problems } = parseStanzas(new TextDecoder().decode(bytes), true);
  if (problems.length > 0) return undefined;
  const lines = stanzas.map((stanza) => {
    const fields = [...stanza].filter(([key]) => fieldsRead.has(key));
    const description = stanza.get('description')?.split('\n')[0];
    if (description !== undefined) fields.push(['description', description]);
    // What says nothing of all that is still a stanza.
    if (fields.length === 0) fields.push(['package', '']);
    return fields.map(([key, value]) => `${key}: ${value.replaceAll('\n', '\n ')}\n`).join('');
  });
  return utf8(lines.join('\n'));
}

/** A package, a reason why the stanza cannot be one, or undefined for one that is not installed. */
function readPackage(
  stanza: Stanza,
  file: ImageFile,
  image: ImageFiles,
  distro: Distro | undefined,
): FoundPackage | string | undefined {
  // `want flag state`: only the state says what is there, a wish to deinstall does not. `status.d` has none.
  const state = stanza.get('status')?.trim().split(/\s+/)[2];
  if (state === 'not-installed' || state === 'config-files') return undefined;
  const name = stanza.get('package') ?? '';
  const version = stanza.get('version') ?? '';
  if (name === '' || version === '')
    return `a package stanza without ${name === '' ? 'a name' : 'a version'}`;
  const architecture = stanza.get('architecture');
  const source = readSource(stanza.get('source'));
  const homepage = stanza.get('homepage');
  const owns = ownedFiles(image, file.path, name, architecture);
  return {
    type: 'deb',
    name,
    version,
    purl: debPurl(name, version, architecture, source, distro),
    path: file.path,
    layer: file.layer,
    licenses: copyrightLicenses(image.find(`usr/share/doc/${name}/copyright`)?.bytes),
    supplier: stanza.get('maintainer'),
    description: stanza.get('description')?.split('\n')[0],
    homepage,
    architecture,
    source: source ?? { name, version },
    ...(owns === undefined ? {} : { owns }),
  };
}

/** `Source: name (version)`; the version only where it differs from the binary package's. */
function readSource(text: string | undefined): { name: string; version?: string } | undefined {
  const match = /^(\S+)(?:\s+\(([^)]+)\))?$/.exec(text ?? '');
  if (match === null) return undefined;
  const [, name, version] = match;
  return { name: name as string, ...(version === undefined ? {} : { version }) };
}

/** Without a distribution the namespace is not known, and a made-up one would match the wrong advisories. */
function debPurl(
  name: string,
  version: string,
  architecture: string | undefined,
  source: { name: string; version?: string } | undefined,
  distro: Distro | undefined,
): string | undefined {
  if (distro === undefined) return undefined;
  const qualifiers = new Map([['distro', distroText(distro)]]);
  if (architecture !== undefined) qualifiers.set('arch', architecture);
  if (source !== undefined) {
    qualifiers.set(
      'upstream',
      source.version === undefined ? source.name : `${source.name}@${source.version}`,
    );
  }
  const built = buildPurl({ type: 'deb', namespace: distro.id, name, version, qualifiers });
  return built.ok ? built.value : undefined;
}

function ownedFiles(
  image: ImageFiles,
  status: string,
  name: string,
  architecture = '',
): OwnedPaths | undefined {
  const info = status.replace(/status(?:\.d\/[^/]+)?$/, 'info');
  const list = image.find(`${info}/${name}.list`) ?? image.find(`${info}/${name}:${architecture}.list`);
  return list === undefined ? undefined : ownedLines(list.bytes);
}

/** Names of `a (>= 1) | b [arch], c:any`: every alternative, without constraints. */
function dependencyNames(text: string | undefined): string[] {
  return (text ?? '')
    .split(/[,|]/)
    .map((part) => /^\s*([a-z0-9][a-z0-9+.-]*)/i.exec(part)?.[1] ?? '')
    .filter((name) => name !== '');
}

function resolve(names: readonly string[], provides: ReadonlyMap<string, number>): number[] {
  const found = new Set<number>();
  for (const name of names) {
    const index = provides.get(name);
    if (index !== undefined) found.add(index);
  }
  return [...found];
}
