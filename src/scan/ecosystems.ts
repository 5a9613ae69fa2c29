/**
 * Names of ecosystems. OSV writes one distribution release in several ways (`Ubuntu:22.04:LTS`, a CPE for Red Hat,
 * a product for SUSE); the database knows each by one name, and so does the operating system of an image.
 */
import type { Distro } from '#formats/sbom';

/** The one name of an OSV ecosystem in a database. */
export function storedEcosystem(name: string): string {
  const [family = '', ...rest] = name.split(':');
  const release = rest.join(':');
  switch (family) {
    case 'Ubuntu':
      return ubuntu(rest);
    case 'Red Hat': {
      // cpe:/a:redhat:enterprise_linux:9::appstream, without its first two parts in OSV.
      const major = /(?:enterprise_linux(?:_eus|_aus|_tus|_e4s)?|rhel_\w+|^)[:.]?(\d+)/.exec(release)?.[1];
      return major === undefined ? name : `Red Hat:${major}`;
    }
    case 'SUSE': {
      const match = /\b(\d+)(?:[ -]SP(\d+))?(?:-\w+)?$/.exec(release);
      return match === null ? name : `SUSE:${match[1]}${match[2] === undefined ? '' : `.${match[2]}`}`;
    }
    case 'openSUSE':
      return /Tumbleweed/i.test(release)
        ? 'openSUSE:Tumbleweed'
        : name.replace(/^openSUSE:(?=\d)/, 'openSUSE:Leap ');
    case 'Debian':
    case 'AlmaLinux':
    case 'Rocky Linux':
      return `${family}${rest[0] === undefined ? '' : `:${rest[0].replace(/\..*$/, '')}`}`;
    case 'Maven':
    case 'Packagist':
      // A repository may follow; the coordinates do not change with it.
      return family;
    default:
      return name;
  }
}

/** `Ubuntu:24.04:LTS`, `Ubuntu:Pro:18.04:LTS`, `Ubuntu:Pro:FIPS-updates:…`: what needs a contract is another release. */
function ubuntu(parts: readonly string[]): string {
  const release = parts.find((part) => /^\d+\.\d+$/.test(part));
  if (release === undefined) return ['Ubuntu', ...parts].join(':');
  const special = parts.filter((part) => part !== release && part !== 'LTS');
  return special.length === 0 ? `Ubuntu:${release}` : `Ubuntu ${special.join(' ')}:${release}`;
}

/** Names as the ecosystem compares them. */
export function storedName(ecosystem: string, name: string): string {
  // Catalogues write the same product with either.
  if (ecosystem === 'CPE') return name.toLowerCase().replace(/-/g, '_');
  if (ecosystem === 'PyPI') return name.toLowerCase().replace(/[-_.]+/g, '-');
  return ['Packagist', 'NuGet', 'Hex', 'Pub'].includes(ecosystem) ? name.toLowerCase() : name;
}

/**
 * A name under which a package is found too. Paths of Go modules differ by case, but package URLs have them in lower
 * case (purl-spec, golang): such a one stands for every module it can come from.
 */
export const foldedName = (ecosystem: string, name: string): string =>
  ecosystem === 'Go' ? name.toLowerCase() : name;

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
  ['swift', 'SwiftURL'],
  ['githubactions', 'GitHub Actions'],
  ['conan', 'ConanCenter'],
]);

/** The ecosystem of a package type that is the same everywhere. */
export const languageEcosystem = (type: string): string | undefined => languages.get(type);

type Release = 'major' | 'minor' | 'none';

/** os-release ID, or Trivy's word for it → name in a database, and how much of the version names a release. */
const systems: ReadonlyMap<string, readonly [string, Release]> = new Map<string, readonly [string, Release]>([
  ['debian', ['Debian', 'major']],
  ['raspbian', ['Debian', 'major']],
  ['ubuntu', ['Ubuntu', 'minor']],
  ['alpine', ['Alpine', 'minor']],
  ['wolfi', ['Wolfi', 'none']],
  ['chainguard', ['Chainguard', 'none']],
  ['minimos', ['MinimOS', 'none']],
  ['almalinux', ['AlmaLinux', 'major']],
  ['alma', ['AlmaLinux', 'major']],
  ['rocky', ['Rocky Linux', 'major']],
  ['rhel', ['Red Hat', 'major']],
  ['redhat', ['Red Hat', 'major']],
  ['centos', ['Red Hat', 'major']],
  ['ol', ['Oracle Linux', 'major']],
  ['oracle', ['Oracle Linux', 'major']],
  ['amzn', ['Amazon Linux', 'major']],
  ['amazon', ['Amazon Linux', 'major']],
  ['fedora', ['Fedora', 'major']],
  ['photon', ['Photon OS', 'minor']],
  ['azurelinux', ['Azure Linux', 'major']],
  ['mariner', ['CBL-Mariner', 'minor']],
  ['cbl-mariner', ['CBL-Mariner', 'minor']],
  ['sles', ['SUSE', 'minor']],
  ['suse', ['SUSE', 'minor']],
  ['mageia', ['Mageia', 'major']],
  ['arch', ['Arch Linux', 'none']],
  ['gentoo', ['Gentoo', 'none']],
  ['opensuse-tumbleweed', ['openSUSE:Tumbleweed', 'none']],
]);

/** The name of a distribution release in a database; undefined for one no source speaks of. */
export function distroEcosystem(distro: Distro): string | undefined {
  const version = distro.versionId ?? '';
  const [major = '', minor] = version.split('.');
  if (distro.id === 'opensuse-leap' || distro.id === 'opensuse') {
    return minor === undefined ? undefined : `openSUSE:Leap ${major}.${minor}`;
  }
  const [name, release] = systems.get(distro.id) ?? [];
  if (name === undefined || release === 'none') return name;
  if (!/^\d+$/.test(major)) return undefined;
  if (release === 'major' || (name === 'SUSE' && minor === undefined)) return `${name}:${major}`;
  if (minor === undefined || !/^\d+/.test(minor)) return undefined;
  return `${name}:${name === 'Alpine' ? 'v' : ''}${major}.${minor}`;
}

/** purl types of operating system packages. */
export const systemTypes: ReadonlySet<string> = new Set(['deb', 'apk', 'rpm', 'alpm', 'ebuild', 'portage']);

/**
 * Whether the distribution's own data names every known problem of its packages, so that what other databases say
 * about files its packages own adds nothing but the wrong version numbers.
 */
export function isComprehensive(distro: Distro): boolean {
  const names = [distro.id, ...distro.idLike];
  if (names.some((name) => ['amzn', 'amazon'].includes(name))) return false;
  const known = [
    'arch',
    'azurelinux',
    'debian',
    'mariner',
    'rhel',
    'redhat',
    'ubuntu',
    'almalinux',
    'alma',
    'cbl-mariner',
    'rocky',
    'centos',
  ];
  return names.some((name) => known.includes(name));
}
