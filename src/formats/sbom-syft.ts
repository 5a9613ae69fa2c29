/** Syft's own JSON out, as far as Grype and scripts read it. Equal input gives equal bytes. */
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import type { JsonObject } from './json.ts';
import type { Sbom, SbomPackage } from './sbom.ts';
import { syftWords } from './sbom-syft-words.ts';

const SCHEMA = '16.1.10';

/** The bytes of a document, ending in a newline. It states no time. */
export function syftBytes(sbom: Sbom): Uint8Array {
  const { distro, tool } = sbom;
  const document = {
    artifacts: sbom.packages.map((one) => artifact(one)),
    artifactRelationships: relationships(sbom),
    ...files(sbom),
    source: source(sbom),
    distro:
      distro === undefined
        ? {}
        : {
            id: distro.id,
            ...(distro.prettyName === undefined ? {} : { prettyName: distro.prettyName }),
            ...(distro.versionId === undefined ? {} : { versionID: distro.versionId }),
            ...(distro.idLike.length === 0 ? {} : { idLike: [...distro.idLike] }),
          },
    descriptor: { name: tool.name, version: tool.version },
    schema: {
      version: SCHEMA,
      url: `https://raw.githubusercontent.com/anchore/syft/main/schema/json/schema-${SCHEMA}.json`,
    },
  };
  return utf8(`${JSON.stringify(document)}\n`);
}

/** Files that could not be read, each with why, as Syft tells its own; `/` stands for the image. */
function files({ unknowns }: Sbom): JsonObject {
  const byPath = Map.groupBy(unknowns, ({ path }) => path);
  const list = [...byPath].map(([path, ones]) => ({
    id: toHex(sha256(utf8(path))).slice(0, 16),
    location: { path: `/${path}` },
    unknowns: ones.map(({ wantedBy, reason }) => `${wantedBy}: ${reason}`),
  }));
  return list.length === 0 ? {} : { files: list };
}

function artifact(one: SbomPackage): JsonObject {
  const { type, language, metadataType } = syftWords(one.type);
  const name = one.type === 'maven' ? one.name.slice(one.name.indexOf(':') + 1) : one.name;
  return {
    id: one.id,
    name,
    version: one.version,
    type,
    foundBy: one.foundBy,
    locations: one.locations.map(({ path, layer }) => ({
      path: `/${path}`,
      ...(layer === undefined ? {} : { layerID: layer }),
      accessPath: `/${path}`,
      annotations: { evidence: 'primary' },
    })),
    licenses: one.licenses.map((value) => ({
      value,
      spdxExpression: '',
      type: 'declared',
      urls: [],
      locations: [],
    })),
    language: language ?? '',
    cpes: (one.cpes ?? []).map((cpe) => ({ cpe, source: 'syft-generated' })),
    purl: one.purl ?? '',
    ...(metadataType === undefined ? {} : { metadataType, metadata: metadata(one, name) }),
  };
}

/** The fields that matching reads; the rest of Syft's metadata is not repeated. */
function metadata(one: SbomPackage, name: string): JsonObject {
  const common = {
    name,
    version: one.version,
    ...(one.architecture === undefined ? {} : { architecture: one.architecture }),
  };
  switch (one.type) {
    case 'deb': {
      const isOwn = one.source?.name === one.name && one.source.version === one.version;
      return {
        ...common,
        package: one.name,
        source: isOwn ? '' : (one.source?.name ?? ''),
        sourceVersion: isOwn ? '' : (one.source?.version ?? ''),
        maintainer: one.supplier ?? '',
        files: [],
      };
    }
    case 'apk':
      return {
        ...common,
        package: one.name,
        originPackage: one.source?.name ?? '',
        maintainer: one.supplier ?? '',
        files: [],
      };
    case 'rpm': {
      const [, epoch, version = '', release = ''] = /^(?:(\d+):)?(.+)-([^-]+)$/.exec(one.version) ?? [];
      const upstream = one.source === undefined ? '' : `${one.source.name}-${one.source.version}.src.rpm`;
      return {
        ...common,
        version,
        release,
        epoch: epoch === undefined ? null : Number(epoch),
        arch: one.architecture ?? '',
        sourceRpm: upstream,
        vendor: one.supplier ?? '',
        files: [],
      };
    }
    default:
      return common;
  }
}

/** Syft says "is a dependency of": the parent is what is needed. */
function relationships(sbom: Sbom): JsonObject[] {
  return sbom.packages.flatMap((one) => [
    ...one.dependsOn.map((need) => ({ parent: need, child: one.id, type: 'dependency-of' })),
    ...(one.ownedBy === undefined
      ? []
      : [{ parent: one.ownedBy, child: one.id, type: 'ownership-by-file-overlap' }]),
  ]);
}

function source({ subject, layers }: Sbom): JsonObject {
  const { digest, name } = subject;
  const id = (digest ?? name).replace(/^sha256:/, '');
  if (subject.kind === 'folder')
    return { id, name, version: '', type: 'directory', metadata: { path: name } };
  return {
    id,
    name,
    version: digest ?? '',
    type: 'image',
    metadata: {
      userInput: subject.tag === undefined ? name : `${name}:${subject.tag}`,
      manifestDigest: digest ?? '',
      tags: subject.tag === undefined ? [] : [`${name}:${subject.tag}`],
      layers: layers.map((one) => ({ mediaType: one.mediaType, digest: one.diffId, size: one.size })),
      architecture: subject.architecture ?? '',
      os: subject.os ?? '',
    },
  };
}
