/** Which advisories concern a package: ecosystems and names to ask for, and the version to compare. */
import { cpeCandidates, parseCpe } from '#formats/cpe';
import { parsePurl } from '#formats/purl';
import type { Distro, SbomPackage } from '#formats/sbom';
import { distroEcosystem, languageEcosystem, systemTypes } from './ecosystems.ts';
import { CPE_ECOSYSTEM, cpeName } from './sources/nvd.ts';

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
): readonly Lookup[] {
  const direct = lookupsFor(one, distro);
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

/** The ecosystem a package belongs to, for coverage; a text in brackets when there is none. */
export function ecosystemOf(one: SbomPackage, distro: Distro | undefined): string {
  if (systemTypes.has(one.type)) {
    return (
      (distro === undefined ? undefined : distroEcosystem(distro)) ??
      `(${one.type} of ${distro?.id ?? 'an unknown distribution'})`
    );
  }
  const language = languageEcosystem(one.type) ?? runtimes.get(one.name)?.[0];
  return language ?? (bitnamiNames.has(one.name) ? 'Bitnami' : `(${one.type})`);
}

function lookupsFor(one: SbomPackage, distro: Distro | undefined): readonly Lookup[] {
  const ecosystem = ecosystemOf(one, distro);
  if (ecosystem.startsWith('(')) return [];
  const direct = { ecosystem, name: one.name, version: one.version, isSource: false };
  switch (one.type) {
    case 'deb':
    case 'apk':
      return systemLookups(one, ecosystem);
    case 'rpm':
      return rpmLookups(one, ecosystem);
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
function rpmLookups(one: SbomPackage, ecosystem: string): Lookup[] {
  const parsed = parsePurl(one.purl ?? '', { lenient: true });
  const qualifiers = parsed.ok ? parsed.value.qualifiers : new Map<string, string>();
  const epoch = qualifiers.get('epoch');
  const version = epoch === undefined || one.version.includes(':') ? one.version : `${epoch}:${one.version}`;
  const label = qualifiers.get('rpmmod')?.split(':').slice(0, 2).join(':');
  const module = label === undefined ? {} : { module: label };
  const direct = { ecosystem, name: one.name, version, isSource: false, ...module };
  const source = one.source;
  if (source === undefined || source.name === one.name) return [direct];
  const sourceVersion = source.version ?? one.version.replace(/^\d+:/, '');
  return [direct, { ecosystem, name: source.name, version: sourceVersion, isSource: true, ...module }];
}

/** A main module that was built from a work tree has no version that could be compared. */
function goLookups(one: SbomPackage, ecosystem: string): Lookup[] {
  if (one.version === '(devel)' || /^v?0\.0\.0-00010101000000-/.test(one.version)) return [];
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
