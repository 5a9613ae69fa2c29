/** Everything that belongs to an image, as one tree. */
import { imageTree, type Registry, type TreeNode } from '#oci';
import { type ResolvedImage, resolveImage } from './resolve.ts';

export interface ImageTree {
  readonly image: ResolvedImage;
  readonly root: TreeNode;
}

export async function treeOf(registry: Registry, text: string): Promise<ImageTree> {
  const image = await resolveImage(registry, text);
  return { image, root: await imageTree(image.source, { digest: image.digest }) };
}
