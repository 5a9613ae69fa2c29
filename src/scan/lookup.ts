/** Which advisories concern a package: ecosystems and names to ask for, and the version to compare. */
import { parsePurl } from '#formats/purl';
import type { Distro, SbomPackage } from '#formats/sbom';

export interface Lookup {
  /** OSV ecosystem with its release. */
  readonly ecosystem: string;
  readonly name: string;
  readonly version: string;
  /** The name is that of the source package. */
  readonly isSource: boolean;
}

const languages: ReadonlyMap<string, string> = new Map([
  ['npm', 'npm'],
  ['pypi', 'PyPI'],
  ['golang', 'Go'],
  ['cargo', 'crates.io'],
  ['maven', 'Maven'],
  ['gem', 'RubyGems'],
  ['nuget', 'NuGet'],
  ['composer', 'Packagist'],
  ['hex', 'Hex'],
  ['pub', 'Pub'],
  ['cran', 'CRAN'],
  ['hackage', 'Hackage'],
  ['bitnami', 'Bitnami'],
]);

/** Programs found by signature whose upstream versions Bitnami's advisories are written in. */
const bitnamiNames: ReadonlyMap<string, string> = new Map([
  ['node', 'node'],
  ['nginx', 'nginx'],
  ['haproxy', 'haproxy'],
]);

/** The OSV ecosystem of a distribution release; undefined for one OSV has no name for. */
function distroEcosystem(distro: Distro): string | undefined {
  const version = distro.versionId ?? '';
  const [major = '', minor] = version.split('.');
  switch (distro.id) {
    case 'debian':
      return major === '' ? undefined : `Debian:${major}`;
    case 'ubuntu':
      return minor === undefined ? undefined : `Ubuntu:${major}.${minor}`;
    case 'alpine':
      return minor === undefined ? undefined : `Alpine:v${major}.${minor}`;
    case 'wolfi':
      return 'Wolfi';
    case 'chainguard':
      return 'Chainguard';
    case 'almalinux':
      return major === '' ? undefined : `AlmaLinux:${major}`;
    case 'rocky':
      return major === '' ? undefined : `Rocky Linux:${major}`;
    default:
      return undefined;
  }
}

/** Ubuntu's long-term releases carry a suffix in OSV. */
function variants(ecosystem: string): readonly string[] {
  return ecosystem.startsWith('Ubuntu:') ? [ecosystem, `${ecosystem}:LTS`] : [ecosystem];
}

/** The ecosystem a package belongs to, for coverage; a text in brackets when there is none. */
export function ecosystemOf(one: SbomPackage, distro: Distro | undefined): string {
  if (['deb', 'apk', 'rpm'].includes(one.type)) {
    return (
      (distro === undefined ? undefined : distroEcosystem(distro)) ??
      `(${one.type} of ${distro?.id ?? 'an unknown distribution'})`
    );
  }
  return languages.get(one.type) ?? (bitnamiNames.has(one.name) ? 'Bitnami' : `(${one.type})`);
}

export function lookupsFor(one: SbomPackage, distro: Distro | undefined): readonly Lookup[] {
  const ecosystem = ecosystemOf(one, distro);
  if (ecosystem.startsWith('(')) return [];
  switch (one.type) {
    case 'deb':
    case 'apk':
      return variants(ecosystem).flatMap((name) => systemLookups(one, name));
    case 'rpm':
      return [{ ecosystem, name: one.name, version: withEpoch(one), isSource: false }];
    case 'golang':
      return [{ ecosystem, name: one.name, version: one.version.replace(/^v/, ''), isSource: false }];
    case 'generic':
      return [
        { ecosystem, name: bitnamiNames.get(one.name) ?? one.name, version: one.version, isSource: false },
      ];
    default:
      return [{ ecosystem, name: one.name, version: one.version, isSource: false }];
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

function withEpoch(one: SbomPackage): string {
  const parsed = parsePurl(one.purl ?? '', { lenient: true });
  const epoch = parsed.ok ? parsed.value.qualifiers.get('epoch') : undefined;
  return epoch === undefined || one.version.includes(':') ? one.version : `${epoch}:${one.version}`;
}
