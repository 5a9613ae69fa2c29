/** Table of what Syft calls kinds of packages: scanners look for these words. */

export interface SyftWords {
  readonly type: string;
  readonly language?: string;
  readonly metadataType?: string;
}

const words: ReadonlyMap<string, SyftWords> = new Map<string, SyftWords>([
  ['deb', { type: 'deb', metadataType: 'dpkg-db-entry' }],
  ['apk', { type: 'apk', metadataType: 'apk-db-entry' }],
  ['rpm', { type: 'rpm', metadataType: 'rpm-db-entry' }],
  ['alpm', { type: 'alpm', metadataType: 'alpm-db-entry' }],
  ['ebuild', { type: 'portage', metadataType: 'portage-db-entry' }],
  ['npm', { type: 'npm', language: 'javascript', metadataType: 'javascript-npm-package' }],
  ['pypi', { type: 'python', language: 'python', metadataType: 'python-package' }],
  ['gem', { type: 'gem', language: 'ruby', metadataType: 'ruby-gemspec' }],
  ['maven', { type: 'java-archive', language: 'java', metadataType: 'java-archive' }],
  ['golang', { type: 'go-module', language: 'go', metadataType: 'go-module-buildinfo-entry' }],
  ['cargo', { type: 'rust-crate', language: 'rust', metadataType: 'rust-cargo-audit-entry' }],
  ['composer', { type: 'php-composer', language: 'php', metadataType: 'php-composer-installed-entry' }],
  ['pear', { type: 'php-pear', language: 'php', metadataType: 'php-pear-entry' }],
  ['nuget', { type: 'dotnet', language: 'dotnet', metadataType: 'dotnet-deps-entry' }],
  ['conan', { type: 'conan', language: 'c++', metadataType: 'c-conan-info-entry' }],
  ['hex', { type: 'hex', language: 'elixir', metadataType: 'elixir-mix-lock-entry' }],
  ['pub', { type: 'dart-pub', language: 'dart', metadataType: 'dart-pubspec-lock-entry' }],
  ['swift', { type: 'swift', language: 'swift', metadataType: 'swift-package-manager-lock-entry' }],
  ['cocoapods', { type: 'pod', language: 'swift', metadataType: 'cocoa-podfile-lock-entry' }],
  ['cran', { type: 'R-package', language: 'R', metadataType: 'r-description' }],
  ['conda', { type: 'conda', metadataType: 'conda-metadata-entry' }],
  ['wordpress', { type: 'wordpress-plugin', language: 'php', metadataType: 'wordpress-plugin-entry' }],
  ['linux-kernel', { type: 'linux-kernel', metadataType: 'linux-kernel-archive' }],
  ['linux-kernel-module', { type: 'linux-kernel-module', metadataType: 'linux-kernel-module' }],
  ['generic', { type: 'binary', metadataType: 'binary-signature' }],
]);

/** Syft's words for a purl type; an unknown one keeps its own. */
export const syftWords = (type: string): SyftWords => words.get(type) ?? { type };

const purlTypes: ReadonlyMap<string, string> = new Map([...words].map(([purl, { type }]) => [type, purl]));

/** The purl type of one of Syft's words. */
export const purlTypeOf = (syftType: string): string => purlTypes.get(syftType) ?? syftType;
