/** An index and the images in it, each by a name that pins it. */
import { repositoryText } from '#formats/reference';
import { imagesOf, openImage, type Registry } from '#oci';

/**
 * The image a name means, and each image in it when it is an index; the index comes first. Throws what a registry
 * or a layout says.
 */
export async function imagesWithin(given: string, registry: Registry): Promise<readonly string[]> {
  const { source, selector, reference, name } = await openImage(registry, given);
  const digest = selector.digest ?? (await source.resolve(selector)).digest;
  const manifest = await source.manifest(digest);
  const below = manifest.kind === 'index' ? imagesOf(manifest) : [];
  const suffix = selector.digest === undefined ? (selector.tag ?? '') : selector.digest;
  const place =
    reference === undefined
      ? name.slice(0, suffix === '' ? undefined : -suffix.length - 1)
      : repositoryText(reference);
  return [digest, ...below.map((one) => one.digest)].map((one) => `${place}@${one}`);
}
