/** Packages of Red Hat, SUSE and their families: the rpm database in any of its three forms. */
import { utf8 } from '#base/bytes';
import { isJsonObject, type JsonObject, own, parseJson } from '#formats/json';
import { type Distro, distroText } from '#formats/sbom';
import { ownedPaths } from '../owned.ts';
import { baseOf } from '../paths.ts';
import type { Cataloguer, FoundPackage, ImageFile, ImageFiles } from '../types.ts';
import { type Linked, type Problem, packageIn, readEach, textsIn } from './common.ts';
import { rpmBlobs } from './rpm-db.ts';
import { parseRpmHeader, type RpmPackage } from './rpm-header.ts';
import { packLog, unreadLog, WAL_ENDING } from './wal.ts';

const MANIFEST = 'container-manifest-2';

export const rpm: Cataloguer = {
  name: 'rpm',
  reads:
    'the rpm database (SQLite with its log, ndb, Berkeley DB), and the manifest of images made without rpm',
  types: ['rpm'],
  evidence: 'installed',
  isSystem: true,
  files: [
    {
      names: ['Packages', 'Packages.db', 'rpmdb.sqlite', `rpmdb.sqlite${WAL_ENDING}`],
      path: /(?:^|\/)(?:var\/lib|usr\/share|usr\/lib\/sysimage)\/rpm\/[^/]+$/,
    },
    { names: [MANIFEST], path: /(?:^|\/)var\/lib\/rpmmanifest\/[^/]+$/ },
  ],
  // A database is large and most of it is files and signatures: only what is listed is kept of it.
  extractor: {
    extract: (bytes, base) => {
      if (base.endsWith(WAL_ENDING)) return packLog(bytes);
      const packages = base === MANIFEST ? manifestPackages(bytes) : rpmBlobs(bytes).map(parseRpmHeader);
      return utf8(JSON.stringify(packages));
    },
  },
  catalogue: (image, { distro }) =>
    readEach(image, rpm, (file) =>
      file.path.endsWith(WAL_ENDING) ? problemsOfLog(image, file) : packagesOf(file, distro),
    ),
};

/** Packages that were installed or removed last may be in the log alone. */
function* problemsOfLog(image: ImageFiles, file: ImageFile): Generator<Problem> {
  const found = file.findings?.get('rpm') ?? extractedFrom(file);
  if (found !== undefined) yield* unreadLog(image, file.path, found);
}

/** Tab-separated: name, version-release, …, vendor, epoch, size, arch, …, source. */
function manifestPackages(bytes: Uint8Array): RpmPackage[] {
  const lines = new TextDecoder()
    .decode(bytes)
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const columns = line.split('\t');
    const [name = '', full = ''] = columns;
    const dash = full.lastIndexOf('-');
    if (columns.length < 10 || name === '' || dash < 0) throw new Error('a line without its ten columns');
    const epoch = /^\d+$/.test(columns[5] ?? '') ? Number(columns[5]) : undefined;
    return {
      name,
      version: full.slice(0, dash),
      release: full.slice(dash + 1),
      ...(epoch === undefined || epoch === 0 ? {} : { epoch }),
      vendor: columns[4] ?? '',
      arch: columns[7] ?? '',
      sourceRpm: columns[9] ?? '',
      provides: [],
      requires: [],
      files: [],
    };
  });
}

/** Of a file that only links lead to: it was kept as it is, or as what another cataloguer takes it for. */
function extractedFrom({ path, bytes, findings }: ImageFile): Uint8Array | undefined {
  if (bytes.length > 0) return rpm.extractor?.extract(bytes, baseOf(path));
  if (findings !== undefined && findings.size > 0) throw new Error('the content was not kept as a database');
  return undefined;
}

function* packagesOf(file: ImageFile, distro: Distro | undefined): Generator<Linked> {
  const found = file.findings?.get('rpm') ?? extractedFrom(file);
  if (found === undefined) return;
  const parsed = parseJson(found, { maxBytes: found.length });
  if (!parsed.ok || !Array.isArray(parsed.value)) throw new Error('unreadable findings');
  const list = parsed.value.filter(isJsonObject) as unknown as (RpmPackage & JsonObject)[];
  const providers = new Map<string, string>();
  for (const one of list) for (const name of [one.name, ...one.provides]) providers.set(name, one.name);
  for (const one of list) {
    // Keys of the signers of packages are kept as packages without files.
    if (one.name === 'gpg-pubkey') continue;
    const needs = one.requires.map((name) => providers.get(name)).filter((name) => name !== undefined);
    yield { found: rpmPackage(file, one, distro), needs: needs.filter((name) => name !== one.name) };
  }
}

/** Namespaces of purls are vendors, not ids of os-release. */
function namespaceOf({ id }: Distro): string {
  if (id === 'rhel') return 'redhat';
  return id.startsWith('opensuse') ? 'opensuse' : id;
}

function rpmPackage(file: ImageFile, one: RpmPackage & JsonObject, distro: Distro | undefined): FoundPackage {
  const version = `${one.version}-${one.release}`;
  const full = one.epoch === undefined ? version : `${one.epoch}:${version}`;
  const source = sourceOf(one.sourceRpm);
  const rest: Partial<FoundPackage> = {
    version: full,
    licenses: textsIn(own(one, 'license')),
    supplier: one.vendor,
    description: one.summary,
    homepage: one.url,
    architecture: one.arch,
    ...(source === undefined ? {} : { source }),
    owns: ownedPaths(one.files),
  };
  if (distro === undefined) {
    const { path, layer } = file;
    return { type: 'rpm', name: one.name, path, layer, ...rest, version: full };
  }
  const qualifiers = {
    arch: one.arch,
    distro: distroText(distro),
    epoch: one.epoch === undefined ? undefined : String(one.epoch),
    upstream: one.sourceRpm,
    rpmmod: one.modularity,
  };
  const parts = { type: 'rpm', namespace: namespaceOf(distro), name: one.name, version, qualifiers };
  return packageIn(file, { ...parts, shown: one.name }, rest);
}

/** `NAME-VERSION-RELEASE.src.rpm`. */
function sourceOf(text: string | undefined): { name: string; version: string } | undefined {
  const match = /^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/.exec(text ?? '');
  return match === null ? undefined : { name: match[1] as string, version: match[2] as string };
}
