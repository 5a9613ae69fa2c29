/** What a Java archive says of itself and of what was packed into it: Maven's files, manifests, names. */
import { toHex } from '#base/bytes';
import { sha1Unsafe } from '#base/crypto';
import { limits } from '#base/limits';
import { HeldMemory } from '../held.ts';
import { parsePom } from './pom.ts';
import { ZipBudget, type ZipEntry, zipEntries } from './zip.ts';

export interface JavaArtifact {
  readonly group?: string;
  readonly artifact: string;
  readonly version: string;
  /** Archives inside the file that lead to it: `lib/inner.jar`. */
  readonly inside: readonly string[];
  /** Of the archive, when this is what the archive itself is. */
  readonly sha1?: string;
  readonly licenses?: readonly string[];
  readonly vendor?: string;
}

export const archiveEndings: readonly string[] =
  '.jar .war .ear .par .sar .nar .jpi .hpi .kar .far .lpkg .rar .zap'.split(' ');

const isArchive = (name: string): boolean =>
  archiveEndings.some((ending) => name.toLowerCase().endsWith(ending));
const isManifest = ({ name }: ZipEntry): boolean => /^META-INF\/MANIFEST\.MF$/i.test(name);
const TEXT_BYTES_MAX = 4 * 1024 * 1024;
const decoder = new TextDecoder();

/** Everything in an archive, itself first. `problems` gets what could not be read inside it. */
export function readArchive(
  bytes: Uint8Array,
  name: string,
  problems: string[],
  memory: HeldMemory = new HeldMemory(),
): JavaArtifact[] {
  const found: JavaArtifact[] = [];
  const budget = new ZipBudget(bytes.length, memory);
  walk(bytes, name, [], budget, found, problems);
  return found;
}

function walk(
  bytes: Uint8Array,
  name: string,
  inside: readonly string[],
  budget: ZipBudget,
  found: JavaArtifact[],
  problems: string[],
): void {
  const entries = zipEntries(bytes, budget);
  const disguised = entries.find((one) => one.otherName() !== undefined);
  if (disguised !== undefined) {
    const names = `${disguised.name} by the directory and ${disguised.otherName()} where it lies`;
    problems.push(`${[name, ...inside].join(':')}: an entry is called ${names}`);
  }
  const own = artifactsOf(entries, bytes, name, inside);
  found.push(...own);
  const archives = entries.filter((one) => isArchive(one.name));
  const lack = own.some((one) => one.version === '')
    ? 'an archive without a version'
    : own.length === 0 && archives.length === 0 && !entries.some(isManifest)
      ? 'an archive that says neither a name nor a version'
      : undefined;
  if (lack !== undefined) problems.push([...inside, lack].join(': '));
  const [first] = archives;
  if (first !== undefined && inside.length === limits.archiveDepth) {
    const deep = `archives inside each other more than ${limits.archiveDepth} deep`;
    problems.push(`${deep}: ${archives.length} in ${inside.join(':')}, the first is ${first.name}`);
    return;
  }
  for (const entry of archives) {
    const path = [...inside, entry.name];
    if (entry.size > limits.extractedFileBytes) {
      problems.push(`${path.join(':')}: ${entry.size} bytes; at most ${limits.extractedFileBytes} are read`);
      continue;
    }
    try {
      const base = entry.name.slice(entry.name.lastIndexOf('/') + 1);
      budget.hold(entry, (inner) => walk(inner, base, path, budget, found, problems));
    } catch (error) {
      problems.push(`${path.join(':')}: ${error instanceof Error ? error.message : String(error)}`);
      if (error instanceof Error && /^more than/.test(error.message)) throw error;
    }
  }
}

interface Coordinates {
  readonly group?: string;
  readonly artifact: string;
  readonly version: string;
  readonly licenses?: readonly string[];
}

function artifactsOf(
  entries: readonly ZipEntry[],
  bytes: Uint8Array,
  name: string,
  inside: readonly string[],
): JavaArtifact[] {
  const text = (entry: ZipEntry | undefined): string =>
    entry === undefined || entry.size > TEXT_BYTES_MAX ? '' : decoder.decode(entry.read());
  const file = fileCoordinates(name);
  const manifest = parseManifest(text(entries.find(isManifest)));
  const properties = entries
    .filter((one) => /^META-INF\/maven\/[^/]+\/[^/]+\/pom\.properties$/.test(one.name))
    .map((one) => propertiesCoordinates(text(one)))
    .filter((one) => one !== undefined);
  const poms = entries.filter((one) => /^META-INF\/maven\/[^/]+\/[^/]+\/pom\.xml$/.test(one.name));
  const [onlyPom] = poms;
  const pom = onlyPom !== undefined && poms.length === 1 ? pomCoordinates(text(onlyPom)) : undefined;
  const own = bestMatch(properties, file.artifact) ?? (properties.length === 0 ? pom : undefined);
  const rest = properties.filter((one) => one !== own).map((one) => ({ ...one, inside }));
  const main = own ?? manifestCoordinates(manifest, file);
  if (main === undefined || manifest.has('weave-classes')) return rest;
  const vendor = manifest.get('implementation-vendor') ?? manifest.get('bundle-vendor');
  const licenses = main.licenses ?? pom?.licenses ?? licenseOf(manifest.get('bundle-license'));
  const head: JavaArtifact = {
    ...main,
    inside,
    sha1: toHex(sha1Unsafe(bytes)),
    ...(licenses === undefined ? {} : { licenses }),
    ...(vendor === undefined ? {} : { vendor }),
  };
  return [head, ...rest];
}

const licenseOf = (text: string | undefined): readonly string[] | undefined =>
  text === undefined || text === ''
    ? undefined
    : text.split(',').map((one) => one.split(';')[0]?.trim() ?? '');

/** `commons-lang3-3.12.0.jar`: the version starts with the first digit after a dash. */
function fileCoordinates(name: string): Coordinates {
  const stem = name.replace(/\.[^.]+$/, '');
  const match = /^(.+?)[-_]v?(\d[^/]*)$/.exec(stem);
  return match === null
    ? { artifact: stem, version: '' }
    : { artifact: match[1] as string, version: match[2] as string };
}

function propertiesCoordinates(text: string): Coordinates | undefined {
  const fields = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*([^#!\s][^=:\s]*)\s*[=:]\s*(.*)$/.exec(line);
    if (match !== null) fields.set(match[1] as string, (match[2] as string).trim());
  }
  const artifact = fields.get('artifactId') ?? '';
  const version = fields.get('version') ?? '';
  const group = fields.get('groupId') ?? '';
  if (artifact === '' || version === '' || version.includes('${')) return undefined;
  return { artifact, version, ...(group === '' ? {} : { group }) };
}

function pomCoordinates(text: string): Coordinates | undefined {
  try {
    const { project } = parsePom(text);
    if (project.artifact === '' || project.version === '' || project.version.includes('${')) return undefined;
    return project;
  } catch {
    return undefined;
  }
}

/** The one whose name is that of the file; an only one stands for the file too when names agree in part. */
function bestMatch(list: readonly Coordinates[], artifact: string): Coordinates | undefined {
  const exact = list.find((one) => one.artifact === artifact);
  if (exact !== undefined) return exact;
  const [only] = list;
  const isOnly = only !== undefined && list.length === 1;
  return isOnly && (only.artifact.startsWith(artifact) || artifact.startsWith(only.artifact))
    ? only
    : undefined;
}

/** Keys in lower case; a line that starts with a space goes on with the one before. */
export function parseManifest(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith(' ') && last !== undefined) {
      fields.set(last, `${fields.get(last)}${line.slice(1)}`);
      continue;
    }
    // Sections of single entries follow the first empty line.
    if (line.trim() === '' && fields.size > 0) break;
    const colon = line.indexOf(':');
    last = colon > 0 ? line.slice(0, colon).trim().toLowerCase() : undefined;
    if (last !== undefined) fields.set(last, line.slice(colon + 1).trim());
  }
  return fields;
}

const versionFields = ['implementation-version', 'specification-version', 'plugin-version', 'bundle-version'];
const nameFields = ['name', 'bundle-name', 'short-name', 'extension-name', 'implementation-title'];
const groupFields = [
  'bundle-symbolicname',
  'extension-name',
  'implementation-vendor-id',
  'automatic-module-name',
];

/** Without Maven's files: the name of the file, then what the manifest says. */
function manifestCoordinates(
  manifest: ReadonlyMap<string, string>,
  file: Coordinates,
): Coordinates | undefined {
  if (manifest.size === 0) return undefined;
  const first = (keys: readonly string[]): string =>
    keys.map((key) => manifest.get(key) ?? '').find((value) => value !== '') ?? '';
  const artifact = file.artifact === '' ? first(nameFields) : file.artifact;
  const version = file.version === '' ? first(versionFields) : file.version;
  if (artifact === '') return undefined;
  const group = groupFields
    .map((key) => (manifest.get(key) ?? '').split(';')[0]?.trim() ?? '')
    .find((value) => /^(?:com|org|net|io|edu|de|fr|jakarta|javax|dev|ch|uk|cn)\.[\w.-]+$/.test(value));
  return { artifact, version, ...(group === undefined ? {} : { group: withoutArtifact(group, artifact) }) };
}

/** `org.apache.commons.lang3` of commons-lang3 belongs to the group org.apache.commons. */
function withoutArtifact(group: string, artifact: string): string {
  const last = group.slice(group.lastIndexOf('.') + 1).toLowerCase();
  const isTail = artifact.toLowerCase().endsWith(last) && group.split('.').length > 2;
  return isTail ? group.slice(0, group.lastIndexOf('.')) : group;
}
