/** Which order the versions of an OSV ecosystem have. */
import { compareApk } from './apk.ts';
import { compareComposer } from './composer.ts';
import { compareDeb } from './deb.ts';
import { compareGem } from './gem.ts';
import { compareJvm } from './jvm.ts';
import { compareLoose } from './loose.ts';
import { compareMaven } from './maven.ts';
import type { VersionOrder } from './order.ts';
import { comparePep440 } from './pep440.ts';
import { comparePortage } from './portage.ts';
import { compareRpm } from './rpm.ts';
import { compareGo, compareSemver } from './semver.ts';
import {
  compareBitnami,
  compareCran,
  compareEqualOnly,
  compareHackage,
  compareNuget,
  comparePub,
} from './small.ts';

export type { VersionOrder } from './order.ts';

/** Names of OSV's ecosystems; for distributions OSV has none for, for Java runtimes and for products by CPE, ours. */
const orders: ReadonlyMap<string, VersionOrder> = new Map([
  ['Debian', compareDeb],
  ['Ubuntu', compareDeb],
  ['Alpine', compareApk],
  ['Wolfi', compareApk],
  ['Chainguard', compareApk],
  ['npm', compareSemver],
  ['crates.io', compareSemver],
  ['Go', compareGo],
  ['Hex', compareSemver],
  ['SwiftURL', compareSemver],
  ['GitHub Actions', compareSemver],
  ['Bitnami', compareBitnami],
  ['PyPI', comparePep440],
  ['Maven', compareMaven],
  ['RubyGems', compareGem],
  ['Packagist', compareComposer],
  ['NuGet', compareNuget],
  ['Pub', comparePub],
  ['CRAN', compareCran],
  ['Hackage', compareHackage],
  ['AlmaLinux', compareRpm],
  ['Rocky Linux', compareRpm],
  ['Red Hat', compareRpm],
  ['openSUSE', compareRpm],
  ['SUSE', compareRpm],
  ['Mageia', compareRpm],
  ['Amazon Linux', compareRpm],
  ['Azure Linux', compareRpm],
  ['CBL-Mariner', compareRpm],
  ['Fedora', compareRpm],
  ['Oracle Linux', compareRpm],
  ['Photon OS', compareRpm],
  ['openEuler', compareRpm],
  ['Arch Linux', compareRpm],
  ['Gentoo', comparePortage],
  ['MinimOS', compareApk],
  ['JVM', compareJvm],
  ['CPE', compareLoose],
]);

/** The order of `Debian:12`, `npm`, …; an ecosystem without a known order compares for equality only. */
export function orderOf(ecosystem: string): VersionOrder {
  const colon = ecosystem.indexOf(':');
  return orders.get(colon < 0 ? ecosystem : ecosystem.slice(0, colon)) ?? compareEqualOnly;
}
