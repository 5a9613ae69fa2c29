/** Media types and annotation keys of registries (image-spec media-types.md, cosign, bundle spec). */
export const mediaType = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerForeignLayer: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  bundle: 'application/vnd.dev.sigstore.bundle.v0.3+json',
  simpleSigning: 'application/vnd.dev.cosign.simplesigning.v1+json',
  dsseEnvelope: 'application/vnd.dsse.envelope.v1+json',
  inTotoStatement: 'application/vnd.in-toto+json',
} as const;

/** Prefix of the media type of every Sigstore bundle version. */
export const BUNDLE_MEDIA_TYPE_PREFIX = 'application/vnd.dev.sigstore.bundle';

export const imageManifestTypes: ReadonlySet<string> = new Set([
  mediaType.ociManifest,
  mediaType.dockerManifest,
]);
export const imageIndexTypes: ReadonlySet<string> = new Set([
  mediaType.ociIndex,
  mediaType.dockerManifestList,
]);
/** Value of `Accept` when any kind of manifest will do. */
export const acceptManifests = [...imageIndexTypes, ...imageManifestTypes].join(', ');

export const annotation = {
  created: 'org.opencontainers.image.created',
  refName: 'org.opencontainers.image.ref.name',
  title: 'org.opencontainers.image.title',
  bundleContent: 'dev.sigstore.bundle.content',
  bundlePredicateType: 'dev.sigstore.bundle.predicateType',
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  chain: 'dev.sigstore.cosign/chain',
  rekorBundle: 'dev.sigstore.cosign/bundle',
  timestamp: 'dev.sigstore.cosign/rfc3161timestamp',
  predicateType: 'predicateType',
  /** On index entries written by BuildKit: `attestation-manifest`. */
  dockerReferenceType: 'vnd.docker.reference.type',
  dockerReferenceDigest: 'vnd.docker.reference.digest',
} as const;

/** The media type of a Content-Type header, without parameters, lower-case. */
export const bareMediaType = (header: string): string => (header.split(';')[0] ?? '').trim().toLowerCase();
