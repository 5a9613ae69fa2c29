/** One tree of an image: platforms of an index, and below each everything attached to it, in both layouts. */
import type { Digest } from '#base/brand';
import {
  annotation,
  artifactTypeOf,
  BUNDLE_MEDIA_TYPE_PREFIX,
  type Descriptor,
  type Manifest,
} from '#formats/oci';
import { type LegacySuffix, legacyTag, possibleSuffixes } from './attachment-tags.ts';
import { platformText } from './platform.ts';
import { type ImageSource, type Selector, tryResolve } from './source.ts';

export type TreeKind =
  | 'index'
  | 'image'
  | 'bundle'
  | 'referrer'
  | 'buildAttestation'
  | 'legacySignatures'
  | 'legacyAttestations'
  | 'legacySbom';

export interface TreeNode {
  readonly kind: TreeKind;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly artifactType?: string;
  /** `os/architecture[/variant]`. */
  readonly platform?: string;
  /** As annotations claim; the content decides. */
  readonly predicateTypes: readonly string[];
  /** The tag of the legacy layout. */
  readonly tag?: string;
  /** RFC 3339, from the annotation. */
  readonly created?: string;
  /** Layers: blobs of an image, signatures of a legacy tag. */
  readonly layers: readonly { readonly digest: Digest; readonly mediaType: string; readonly size: number }[];
  readonly children: readonly TreeNode[];
}

const DEPTH_MAX = 8;
const legacyKind: Record<LegacySuffix, TreeKind> = {
  sig: 'legacySignatures',
  att: 'legacyAttestations',
  sbom: 'legacySbom',
};

/** Reads the tree below a selector. Only manifests are fetched. */
export async function imageTree(source: ImageSource, selector: Selector): Promise<TreeNode> {
  const top = await source.resolve(selector);
  return nodeOf(source, top, 0, new Set());
}

async function nodeOf(
  source: ImageSource,
  descriptor: Descriptor,
  depth: number,
  above: ReadonlySet<Digest>,
): Promise<TreeNode> {
  const manifest = await source.manifest(descriptor.digest);
  const path = new Set([...above, manifest.digest]);
  const node = plainNode(manifest, descriptor);
  if (depth >= DEPTH_MAX) return node;
  const isNew = (entry: Descriptor): boolean => !path.has(entry.digest);
  const parts = manifest.kind === 'index' ? manifest.manifests.filter(isNew) : [];
  const [children, referrers, legacy] = await Promise.all([
    Promise.all(parts.map((entry) => nodeOf(source, entry, depth + 1, path))),
    source
      .referrers(manifest.digest)
      .then((entries) =>
        Promise.all(entries.filter(isNew).map((entry) => nodeOf(source, entry, depth + 1, path))),
      ),
    legacyNodes(source, manifest.digest),
  ]);
  return { ...node, children: [...children, ...legacy, ...referrers] };
}

async function legacyNodes(source: ImageSource, digest: Digest): Promise<readonly TreeNode[]> {
  const found = await Promise.all(
    possibleSuffixes(digest).map(async (suffix) => {
      const tag = legacyTag(digest, suffix);
      const held = await tryResolve(source, { tag });
      if (held === undefined) return [];
      const manifest = await source.manifest(held.digest);
      return [{ ...plainNode(manifest, held), kind: legacyKind[suffix], tag }];
    }),
  );
  return found.flat();
}

function plainNode(manifest: Manifest, entry: Descriptor): TreeNode {
  const layers = manifest.kind === 'manifest' ? manifest.layers : [];
  const artifactType = artifactTypeOf(manifest);
  const created = manifest.annotations.get(annotation.created);
  return {
    kind: kindOf(manifest, entry),
    digest: manifest.digest,
    mediaType: manifest.mediaType,
    size: manifest.bytes.length,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(entry.platform === undefined ? {} : { platform: platformText(entry.platform) }),
    ...(created === undefined ? {} : { created }),
    predicateTypes: predicateTypes(manifest),
    layers: layers.map(({ digest, mediaType, size }) => ({ digest, mediaType, size })),
    children: [],
  };
}

function kindOf(manifest: Manifest, entry: Descriptor): TreeKind {
  if (entry.annotations.has(annotation.dockerReferenceType)) return 'buildAttestation';
  if (manifest.kind === 'manifest' && manifest.layers[0]?.mediaType.startsWith(BUNDLE_MEDIA_TYPE_PREFIX)) {
    return 'bundle';
  }
  if (manifest.subject !== undefined) return 'referrer';
  return manifest.kind === 'index' ? 'index' : 'image';
}

function predicateTypes(manifest: Manifest): readonly string[] {
  const layers = manifest.kind === 'manifest' ? manifest.layers : [];
  const claimed = [
    manifest.annotations.get(annotation.bundlePredicateType),
    ...layers.map((layer) => layer.annotations.get(annotation.predicateType)),
    ...layers.map((layer) => layer.annotations.get('in-toto.io/predicate-type')),
  ];
  return [...new Set(claimed.filter((one): one is string => one !== undefined))];
}
