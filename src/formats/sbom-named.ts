/** Packages as documents of all formats name them: by fields and by a package URL, which need not agree. */
import { type Purl, parsePurl } from './purl.ts';
import { packageId, type SbomPackage, type Unknown } from './sbom.ts';

export interface NamedPackage {
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  readonly version?: string | undefined;
  readonly purl?: string | undefined;
  readonly foundBy?: string | undefined;
  /** purl type, where there is no purl. */
  readonly type?: string | undefined;
  /** The id it has in the document, where that is kept. */
  readonly id?: string | undefined;
  /** From a document of ours. */
  readonly isOwn?: boolean;
}

export interface NamedCore {
  readonly core: CorePackage;
  readonly purl: Purl | undefined;
  /** The version beside the package URL, where that says another. */
  readonly otherVersion?: string;
  /** What has to be said of it. */
  readonly doubts: readonly string[];
}

type CorePackage = Pick<SbomPackage, 'id' | 'type' | 'name' | 'version' | 'purl' | 'foundBy'>;

/**
 * The core of a package; a purl says more than the fields beside it. Undefined where nothing could be looked up: no
 * name, or neither a version nor a type of purl. A package without a version has the version ''.
 */
export function readNamed(one: NamedPackage): NamedCore | undefined {
  const parsed = one.purl === undefined ? undefined : parsePurl(one.purl, { lenient: true });
  const purl = parsed?.ok === true ? parsed.value : undefined;
  const joined = one.group === undefined || one.name === undefined ? one.name : `${one.group}/${one.name}`;
  const name = purl === undefined ? joined : nameOfPurl(purl, one.name, joined);
  const ofPurl = purl === undefined ? undefined : versionOfPurl(purl);
  const version = isSameVersion(purl, ofPurl, one.version) ? fuller(ofPurl, one.version) : ofPurl;
  const type = purl?.type ?? one.type;
  const isTyped = /^[a-z][a-z0-9.-]*$/.test(type ?? '');
  if (name === undefined || (version === undefined && !isTyped)) return undefined;
  const foundBy = one.foundBy ?? 'sbom';
  const kept = purl === undefined ? undefined : one.purl;
  const core = {
    id: one.id ?? packageId(type ?? 'generic', name, version ?? '', one.purl, foundBy),
    type: type ?? 'generic',
    name,
    version: version ?? '',
    ...(kept === undefined ? {} : { purl: kept }),
    foundBy,
  };
  const shown = JSON.stringify(name);
  const doubts: string[] = [];
  // What the cataloguer itself found without a version is no gap of the document.
  if (version === undefined && one.isOwn !== true) doubts.push(`${shown} without a version`);
  if (one.purl !== undefined && purl === undefined) {
    doubts.push(`${shown} with a package URL that cannot be read: ${JSON.stringify(one.purl.slice(0, 200))}`);
  }
  if (version === undefined || one.version === undefined || isSameVersion(purl, ofPurl, one.version)) {
    return { core, purl, doubts };
  }
  doubts.push(`${shown} has version ${one.version}, by its package URL ${version}: both were taken`);
  return { core, purl, otherVersion: one.version, doubts };
}

/** Whether a package URL is about something with advisories of its own, other than an image. */
export const namesPackage = (purl: string | undefined): boolean =>
  /^pkg:/i.test(purl ?? '') && !/^pkg:\/*(?:oci|docker)\//i.test(purl ?? '');

/** Packages of a document and what has to be said about them, in the order they are read. */
export class PackageList {
  readonly all: { readonly ref: string; readonly found: SbomPackage }[] = [];
  readonly unknowns: Unknown[] = [];

  add(
    ref: string,
    { core, otherVersion, doubts }: NamedCore,
    rest: Omit<SbomPackage, keyof CorePackage>,
  ): void {
    this.all.push({ ref, found: { ...core, ...rest } });
    for (const reason of doubts) this.unknowns.push({ path: '', wantedBy: 'sbom', reason });
    if (otherVersion === undefined) return;
    const { type, name, foundBy } = core;
    const id = packageId(type, name, otherVersion, undefined, foundBy);
    // Nothing edges and statements about the one version say holds for the other.
    const other = { ...rest, id, type, name, version: otherVersion, foundBy };
    this.all.push({ ref: `${ref} as ${otherVersion}`, found: other });
  }

  /** What takes the place of a package that nothing can be looked up for. */
  unnamed(what: string, shown: string): void {
    const reason = `${what} ${JSON.stringify(shown)} without a name and a version`;
    this.unknowns.push({ path: '', wantedBy: 'sbom', reason });
  }
}

/** rpm keeps the epoch of every version apart, Trivy also that of Debian's; versions are compared with it. */
function versionOfPurl({ type, version, qualifiers }: Purl): string | undefined {
  const epoch = type === 'rpm' || type === 'deb' ? qualifiers.get('epoch') : undefined;
  if (version === undefined || epoch === undefined || /^\d+:/.test(version)) return version;
  return `${epoch}:${version}`;
}

/** Without what the forms of a version differ in that say the same: prefixes and cases. */
function bareVersion(type: string, version: string): string {
  const bare = version.trim();
  if (type === 'golang') return bare.replace(/^v?(?:go)?(?=\d)/, '').replace(/\+incompatible$/, '');
  if (type === 'rpm' || type === 'deb') return bare;
  return bare.replace(/^[vV](?=\d)/, '').toLowerCase();
}

function isSameVersion(
  purl: Purl | undefined,
  ofPurl: string | undefined,
  stated: string | undefined,
): boolean {
  if (purl === undefined || ofPurl === undefined || stated === undefined || ofPurl === stated) return true;
  const [a, b] = [bareVersion(purl.type, ofPurl), bareVersion(purl.type, stated)];
  if (purl.type !== 'rpm' && purl.type !== 'deb') return a === b;
  const [epochA, epochB] = [a, b].map((one) => /^0*(\d+):/.exec(one)?.[1]);
  const [restA, restB] = [a, b].map((one) => one.replace(/^\d+:/, ''));
  // Only one of them states the epoch, or both the same.
  return restA === restB && (epochA === undefined || epochB === undefined || epochA === epochB);
}

/** Of two ways to write one version: the package URL's, unless only the other has the epoch. */
function fuller(ofPurl: string | undefined, stated: string | undefined): string | undefined {
  if (ofPurl === undefined || stated === undefined) return ofPurl ?? stated;
  return /^[1-9]\d*:/.test(stated) && !/^\d+:/.test(ofPurl) ? stated : ofPurl;
}

const systemTypes: ReadonlySet<string> = new Set(['deb', 'apk', 'rpm', 'alpm']);

/** The name as package managers write it: with an npm scope, a Go path, `group:artifact` for Maven. */
function nameOfPurl(purl: Purl, stated: string | undefined, joined: string | undefined): string {
  if (purl.type === 'golang') return modulePath(purl, [stated, joined]);
  if (purl.namespace === undefined || systemTypes.has(purl.type)) return purl.name;
  // The vendor of a program, or a channel, is no part of its name.
  const isBare = ['generic', 'pear', 'conan'].includes(purl.type) && stated === purl.name;
  if (isBare) return purl.name;
  if (purl.type === 'maven')
    return purl.namespace === purl.name ? purl.name : `${purl.namespace}:${purl.name}`;
  return `${purl.namespace}/${purl.name}`;
}

/**
 * A module path as Go compares it. Package URLs of some tools are in lower case, as their specification says, and some
 * keep what follows a repository as the subpath (`#v2`); the name beside them then has the path as it is.
 */
function modulePath({ namespace, name, subpath }: Purl, stated: readonly (string | undefined)[]): string {
  const path = namespace === undefined ? name : `${namespace}/${name}`;
  const full = subpath === undefined ? path : `${path}/${subpath}`;
  const known = [path.toLowerCase(), full.toLowerCase()];
  const same = stated.find((one) => one !== undefined && known.includes(one.toLowerCase()));
  if (same !== undefined) return same;
  return /^v\d+(?:\/|$)/.test(subpath ?? '') ? full : path;
}
