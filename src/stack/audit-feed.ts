/** Signed objects that pass through the registry, handed to the audit index before anybody asks about them. */
import { limits } from '#base/limits';
import type { Descriptor } from '#formats/oci';
import type { Logger } from '#platform/telemetry';
import type { AuditIndex } from '#services/audit';
import type { OnManifest, RegistryService } from '#services/registry';

const signedTypes = [
  'application/vnd.dev.sigstore.bundle',
  'application/vnd.dsse.envelope.v1+json',
  'application/vnd.dev.cosign.simplesigning.v1+json',
];

const isSigned = (layer: Descriptor): boolean =>
  layer.size <= limits.attachmentBytes && signedTypes.some((type) => layer.mediaType.startsWith(type));

/** `registry` is asked for only when a manifest has come, so it may be opened after the feed. */
export function attachmentFeed(
  index: AuditIndex,
  registry: () => Pick<RegistryService, 'blob'>,
  log: Logger,
): OnManifest {
  return (repository, digest, manifest) => {
    if (manifest.kind !== 'manifest') return;
    const layers = manifest.layers.filter(isSigned);
    if (layers.length === 0) return;
    const work = async (): Promise<void> => {
      for (const layer of layers) {
        index.recordBlob(layer.mediaType, await registry().blob(layer), repository);
      }
    };
    index.announce(
      work().catch((error: unknown) =>
        log.error({ err: error, repository, digest }, 'not indexed for audit'),
      ),
    );
  };
}
