/** Packages of Alpine and its family: `lib/apk/db/installed`, stanzas of one-letter fields. */
import { buildPurl } from '#formats/purl';
import { type Distro, distroText, type Unknown } from '#formats/sbom';
import { ownedPaths } from '../owned.ts';
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';

const databasePath = /(?:^|\/)lib\/apk\/db\/installed$/;

interface ApkStanza {
  readonly fields: ReadonlyMap<string, string>;
  readonly files: readonly string[];
}

export const apk: Cataloguer = {
  name: 'apk',
  reads: 'the database of apk',
  types: ['apk'],
  evidence: 'installed',
  isSystem: true,
  files: [{ names: ['installed'], path: databasePath }],
  catalogue(image, { distro }) {
    const packages: FoundPackage[] = [];
    const unknowns: Unknown[] = [];
    const needs: string[][] = [];
    const provides = new Map<string, number>();
    for (const file of image.files) {
      if (!databasePath.test(file.path)) continue;
      const { stanzas, problems } = readStanzas(new TextDecoder().decode(file.bytes));
      for (const reason of problems) unknowns.push({ path: file.path, wantedBy: 'apk', reason });
      for (const stanza of stanzas) {
        const found = readPackage(stanza, file, distro);
        if (typeof found === 'string') {
          unknowns.push({ path: file.path, wantedBy: 'apk', reason: found });
          continue;
        }
        for (const name of [...names(stanza.fields.get('p')), found.name])
          provides.set(name, packages.length);
        packages.push(found);
        needs.push(names(stanza.fields.get('D')));
      }
    }
    const resolved = packages.map((one, i) => {
      const indexes = (needs[i] ?? []).map((name) => provides.get(name)).filter((at) => at !== undefined);
      return { ...one, needs: [...new Set(indexes)] };
    });
    return { packages: resolved, unknowns };
  },
};

/** apk ends every line, and writes each field of a package once; what is otherwise is a problem, and all is read. */
function readStanzas(text: string): { stanzas: ApkStanza[]; problems: string[] } {
  const stanzas: ApkStanza[] = [];
  const problems: string[] = [];
  let fields = new Map<string, string>();
  let files: string[] = [];
  let folder = '';
  for (const line of [...text.split('\n'), '']) {
    if (line.trim() === '') {
      if (fields.size > 0) stanzas.push({ fields, files });
      fields = new Map();
      files = [];
      folder = '';
      continue;
    }
    if (line.includes('\0')) problems.push(`${named(fields)}: bytes that are no text`);
    const key = line[0] as string;
    const value = line[1] === ':' ? line.slice(2) : '';
    if (key === 'F') folder = value;
    else if (key === 'R') files.push(folder === '' ? value : `${folder}/${value}`);
    else if (!fields.has(key)) fields.set(key, value);
    else if (once.has(key)) problems.push(`${named(fields)}: a second ${key}: ${JSON.stringify(value)}`);
  }
  if (text !== '' && !text.endsWith('\n')) problems.push('the file ends within a line');
  return { stanzas, problems };
}

/** Of a package as a whole; others are about its files. */
const once = new Set('CPVASITULomtc');

const named = (fields: ReadonlyMap<string, string>): string =>
  `the package ${JSON.stringify(fields.get('P') ?? '')}`;

function readPackage(
  { fields, files }: ApkStanza,
  file: ImageFile,
  distro: Distro | undefined,
): FoundPackage | string {
  const name = fields.get('P') ?? '';
  const version = fields.get('V') ?? '';
  if (name === '' || version === '')
    return `a package stanza without ${name === '' ? 'a name' : 'a version'}`;
  const origin = fields.get('o') ?? name;
  const architecture = fields.get('A');
  const license = fields.get('L') ?? '';
  return {
    type: 'apk',
    name,
    version,
    purl: apkPurl(name, version, architecture, origin, distro),
    path: file.path,
    layer: file.layer,
    licenses: license === '' ? [] : [license],
    supplier: fields.get('m'),
    description: fields.get('T'),
    homepage: fields.get('U'),
    architecture,
    source: { name: origin, version },
    owns: ownedPaths(files),
  };
}

function apkPurl(
  name: string,
  version: string,
  architecture: string | undefined,
  origin: string,
  distro: Distro | undefined,
): string | undefined {
  if (distro === undefined) return undefined;
  const qualifiers = new Map([['distro', distroText(distro)]]);
  if (architecture !== undefined) qualifiers.set('arch', architecture);
  if (origin !== name) qualifiers.set('upstream', origin);
  const built = buildPurl({ type: 'apk', namespace: distro.id, name, version, qualifiers });
  return built.ok ? built.value : undefined;
}

/** Names of `so:libc.so.1=1 busybox>1 !conflict`. */
function names(text: string | undefined): string[] {
  return (text ?? '')
    .split(/\s+/)
    .filter((word) => word !== '' && !word.startsWith('!'))
    .map((word) => word.replace(/[<>=~].*$/, ''));
}
