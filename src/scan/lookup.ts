/** Which advisories concern a package: ecosystems and names to ask for, and the version to compare. */
import { cpeCandidates, parseCpe } from '#formats/cpe';
import { parsePurl } from '#formats/purl';
import type { Distro, SbomPackage } from '#formats/sbom';
import { distroOfText } from '#formats/sbom-parts';
import { distroEcosystem, languageEcosystem, systemTypes } from './ecosystems.ts';
import { CPE_ECOSYSTEM, cpeName } from './sources/nvd.ts';
import type { BoundOptions } from './versions/bounds.ts';

export interface Lookup {
  /** Ecosystem as databases name it, with its release. */
  readonly ecosystem: string;
  readonly name: string;
  readonly version: string;
  /** The name is that of the source package. */
  readonly isSource: boolean;
  /** `name:stream` of the module an rpm comes from. */
  readonly module?: string;
  /** The product is only guessed to be this package: the CPE that was asked for. */
  readonly cpe?: string;
  /** Whose order of versions counts, where it is not that of `ecosystem`. */
  readonly order?: string;
  /** The version has an epoch that is not known. */
  readonly isEpochUnknown?: boolean;
}

/**
 * What an absent epoch means. In a package database it is 0 (deb-version(7), rpm-version(7)), and tools that write
 * SBOMs leave out nothing else: Syft and Trivy put every other epoch into the version or the package URL. Only the file
 * name of a source rpm never has one.
 */
export const boundsOf = ({ isEpochUnknown }: Lookup): BoundOptions => ({
  missingEpoch: isEpochUnknown === true ? 'auto' : 'zero',
});

/** Epochs of source rpms by `name version-release`, as packages built from them with the same version have them. */
export type SourceEpochs = ReadonlyMap<string, string>;

export function sourceEpochsOf(packages: readonly SbomPackage[]): SourceEpochs {
  const epochs = new Map<string, string>();
  for (const one of packages) {
    if (one.type !== 'rpm' || one.source?.version === undefined) continue;
    const { epoch = '0', rest } = epochOf(one.version);
    // Packages have the epoch of their source unless they have versions of their own.
    if (rest === one.source.version) epochs.set(`${one.source.name} ${rest}`, epoch);
  }
  return epochs;
}

function epochOf(version: string): { readonly epoch?: string; readonly rest: string } {
  const colon = /^\d+:/.exec(version)?.[0];
  return colon === undefined
    ? { rest: version }
    : { epoch: colon.slice(0, -1), rest: version.slice(colon.length) };
}

/**
 * Which packages are also looked up as products: `uncovered`, those whose ecosystem the database has no advisories
 * for, packages of the operating system never; `always`, all; `never`, none.
 */
export type CpeMatching = 'uncovered' | 'always' | 'never';

/** Everything to ask for a package, in a database with these ecosystems. */
export function lookupsIn(
  one: SbomPackage,
  distro: Distro | undefined,
  ecosystems: ReadonlyMap<string, number>,
  matching: CpeMatching,
  epochs: SourceEpochs = new Map(),
): readonly Lookup[] {
  const direct = lookupsFor(one, distro, epochs);
  return isByCpe(one, distro, ecosystems, matching) ? [...direct, ...cpeLookups(one)] : direct;
}

export function isByCpe(
  one: SbomPackage,
  distro: Distro | undefined,
  ecosystems: ReadonlyMap<string, number>,
  matching: CpeMatching,
): boolean {
  if (matching === 'never' || !ecosystems.has(CPE_ECOSYSTEM)) return false;
  if (matching === 'always') return true;
  return !systemTypes.has(one.type) && !ecosystems.has(ecosystemOf(one, distro));
}

/** What catalogues of products say a package runs in. */
const targets: Readonly<Record<string, readonly string[]>> = {
  npm: ['node.js', 'nodejs', 'javascript'],
  pypi: ['python'],
  gem: ['ruby', 'ruby_on_rails', 'rails'],
  cargo: ['rust'],
  golang: ['go'],
  wordpress: ['wordpress'],
  composer: ['php', 'composer'],
  nuget: ['.net', 'asp.net'],
};

function cpeLookups(one: SbomPackage): Lookup[] {
  const given = one.cpes ?? [];
  const texts = given.length > 0 ? given : cpeCandidates(one);
  const order = languageEcosystem(one.type) ?? CPE_ECOSYSTEM;
  const version = upstreamVersion(one);
  const found = new Map<string, Lookup>();
  for (const cpe of texts) {
    const parsed = parseCpe(cpe);
    if (parsed?.part !== 'a') continue;
    for (const targetSoftware of ['*', parsed.targetSoftware, ...(targets[one.type] ?? [])]) {
      const name = cpeName({ ...parsed, targetSoftware });
      if (!found.has(name)) {
        found.set(name, { ecosystem: CPE_ECOSYSTEM, name, version, isSource: false, cpe, order });
      }
    }
  }
  return [...found.values()];
}

/** Products have no epochs, and no revisions of a distribution. */
function upstreamVersion({ type, version }: SbomPackage): string {
  if (type === 'golang') return version.replace(/^v/, '');
  if (!systemTypes.has(type)) return version;
  return version.replace(/^\d+:/, '').replace(/-[^-]*$/, '');
}

/** Programs found by signature whose upstream versions Bitnami's advisories are written in. */
const bitnamiNames: ReadonlyMap<string, string> = new Map([
  ['node', 'node'],
  ['nginx', 'nginx'],
  ['haproxy', 'haproxy'],
]);

/** Programs found by signature that a language's own advisories speak of. */
const runtimes: ReadonlyMap<string, readonly [ecosystem: string, name: string]> = new Map([
  ['go', ['Go', 'stdlib']],
]);

/** What a package URL says of its release counts where that is another than the document's: documents are merged. */
export function distroFor({ purl }: SbomPackage, ofDocument: Distro | undefined): Distro | undefined {
  const text = /[?&]distro=([^&#]+)/.exec(purl ?? '')?.[1];
  if (text === undefined) return ofDocument;
  const stated = distroOfText(text);
  const ecosystem = stated === undefined ? undefined : distroEcosystem(stated);
  const isOther =
    ecosystem !== undefined && (ofDocument === undefined || ecosystem !== distroEcosystem(ofDocument));
  return isOther ? stated : ofDocument;
}

/** The ecosystem a package belongs to, for coverage; a text in brackets when there is none. */
export function ecosystemOf(one: SbomPackage, ofDocument: Distro | undefined): string {
  if (systemTypes.has(one.type)) {
    const distro = distroFor(one, ofDocument);
    return (
      (distro === undefined ? undefined : distroEcosystem(distro)) ??
      `(${one.type} of ${distro?.id ?? 'an unknown distribution'})`
    );
  }
  const language = languageEcosystem(one.type) ?? runtimes.get(one.name)?.[0];
  return language ?? (bitnamiNames.has(one.name) ? 'Bitnami' : `(${one.type})`);
}

function lookupsFor(one: SbomPackage, distro: Distro | undefined, epochs: SourceEpochs): readonly Lookup[] {
  const ecosystem = ecosystemOf(one, distro);
  if (ecosystem.startsWith('(')) return [];
  const direct = { ecosystem, name: one.name, version: one.version, isSource: false };
  switch (one.type) {
    case 'deb':
    case 'apk':
      return systemLookups(one, ecosystem);
    case 'rpm':
      return rpmLookups(one, ecosystem, epochs);
    case 'golang':
      return goLookups(one, ecosystem);
    case 'generic':
      return genericLookups(one, direct);
    default:
      return [direct];
  }
}

/** The source package first: distributions write their advisories about it. */
function systemLookups(one: SbomPackage, ecosystem: string): Lookup[] {
  const source = one.source;
  const binary = { ecosystem, name: one.name, version: one.version, isSource: false };
  if (source === undefined) return [binary];
  const bySource = { ecosystem, name: source.name, version: source.version ?? one.version, isSource: true };
  return source.name === one.name && bySource.version === one.version ? [bySource] : [bySource, binary];
}

/** rpm: the package, with its epoch; then its source, whose file name carries none. */
function rpmLookups(one: SbomPackage, ecosystem: string, epochs: SourceEpochs): Lookup[] {
  const parsed = parsePurl(one.purl ?? '', { lenient: true });
  const qualifiers = parsed.ok ? parsed.value.qualifiers : new Map<string, string>();
  const epoch = qualifiers.get('epoch');
  const version = epoch === undefined || one.version.includes(':') ? one.version : `${epoch}:${one.version}`;
  const label = qualifiers.get('rpmmod')?.split(':').slice(0, 2).join(':');
  const module = label === undefined ? {} : { module: label };
  const direct = { ecosystem, name: one.name, version, isSource: false, ...module };
  const source = one.source;
  if (source === undefined || source.name === one.name) return [direct];
  const bySource = { ecosystem, name: source.name, isSource: true, ...module };
  if (source.version === undefined) return [direct, { ...bySource, version }];
  const known = epochOf(source.version).epoch ?? epochs.get(`${source.name} ${source.version}`);
  const { rest } = epochOf(source.version);
  return known === undefined
    ? [direct, { ...bySource, version: rest, isEpochUnknown: true }]
    : [direct, { ...bySource, version: `${known}:${rest}` }];
}

/** A main module that was built from a work tree has a version nobody knows. */
function goLookups(one: SbomPackage, ecosystem: string): Lookup[] {
  if (one.version === '(devel)' || /^v?0\.0\.0-00010101000000-/.test(one.version)) {
    return [{ ecosystem, name: one.name, version: '', isSource: false }];
  }
  const isCompiler = one.name === 'stdlib' || one.name === 'toolchain';
  const version = isCompiler ? one.version.replace(/^v?(?:go)?/, '') : one.version.replace(/^v/, '');
  return [{ ecosystem, name: one.name, version, isSource: false }];
}

function genericLookups(one: SbomPackage, direct: Lookup): Lookup[] {
  const runtime = runtimes.get(one.name);
  if (runtime !== undefined) {
    return [{ ...direct, ecosystem: runtime[0], name: runtime[1], version: one.version.replace(/^go/, '') }];
  }
  return [{ ...direct, name: bitnamiNames.get(one.name) ?? one.name }];
}
