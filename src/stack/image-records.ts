/** Tells the page of images that pass through the registry. */
import type { Digest } from '#base/brand';
import { attempt } from '#base/result';
import type { Manifest } from '#formats/oci';
import type { Logger } from '#platform/telemetry';
import type { ImageRecords } from '#services/audit';
import type { OnManifest, RegistryService } from '#services/registry';

export function imageListener(images: ImageRecords, log: Logger): OnManifest {
  return (repository, digest, manifest) => {
    try {
      images.note(repository, digest, manifest);
    } catch (error) {
      log.error({ err: error, repository, digest }, 'not recorded for the page');
    }
  };
}

/** The first start with records takes in what was pushed before, without a date. */
export function noteOldImages(images: ImageRecords, registry: RegistryService): void {
  if (!images.isEmpty) return;
  const names = [...registry.manifests()].map((name) => ({ ...name, read: readable(registry, name) }));
  // Indexes last: they mark their parts.
  for (const kind of ['manifest', 'index']) {
    for (const { repository, digest, read } of names) {
      if (read?.kind === kind) images.note(repository, digest, read, true);
    }
  }
}

/** Undefined for what does not parse any more; the registry says so to whoever asks for it. */
function readable(
  registry: RegistryService,
  { repository, digest }: { readonly repository: string; readonly digest: Digest },
): Manifest | undefined {
  const manifest = attempt(() => registry.manifest(repository, digest));
  return manifest.ok ? manifest.value : undefined;
}
