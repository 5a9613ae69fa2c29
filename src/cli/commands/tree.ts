/** `waybill tree IMAGE`: platforms, signatures, attestations and everything else, in both layouts. */
import type { Command } from 'commander';
import type { TreeKind, TreeNode } from '#oci';
import type { CliContext } from '../context.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { plainLines } from '../render/plain.ts';

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('tree')
    .description('show everything attached to an image')
    .argument('<image>', 'reference, oci:DIR[:tag], oci-archive:FILE or docker-archive:FILE');
  withRegistryOptions(command).action((image: string, flags: RegistryFlags) => tree(image, flags, context));
}

async function tree(image: string, flags: RegistryFlags, context: CliContext): Promise<void> {
  const { treeOf } = await import('#flows/tree');
  const found = await treeOf(await registryFrom(flags, context, [image]), image);
  const { name, digest, pinned } = found.image;
  const value = { image: name, digest, ...(pinned ? { pinned } : {}), root: found.root };
  context.result('waybill.dev/tree/v1', value, () => renderTree(pinned ?? `${name} ${digest}`, found.root));
}

const words: Record<TreeKind, string> = {
  index: 'index',
  image: 'image',
  bundle: 'bundle',
  referrer: 'referrer',
  buildAttestation: 'build attestation (unsigned)',
  legacySignatures: 'signatures',
  legacyAttestations: 'attestations',
  legacySbom: 'SBOM (unsigned)',
};

/** One line for each node, two for the root. */
export function renderTree(title: string, root: TreeNode): string {
  const lines = [title, nodeLine(root)];
  childLines(root, '', lines);
  if (root.children.length === 0) lines.push('└── nothing is attached');
  return plainLines(lines);
}

function childLines(node: TreeNode, indent: string, lines: string[]): void {
  node.children.forEach((child, i) => {
    const isLast = i === node.children.length - 1;
    lines.push(`${indent}${isLast ? '└── ' : '├── '}${nodeLine(child)}`);
    childLines(child, `${indent}${isLast ? '    ' : '│   '}`, lines);
  });
}

function nodeLine(node: TreeNode): string {
  const isTagged = node.tag !== undefined;
  const count = isTagged ? `${node.layers.length} ` : '';
  const about = node.predicateTypes.join(', ') || (isPlainImage(node) ? '' : (node.artifactType ?? ''));
  const parts = [
    `${count}${words[node.kind]}`,
    node.platform ?? '',
    about,
    node.created ?? '',
    isTagged ? `tag ${node.tag}` : node.digest,
  ];
  return parts.filter((part) => part !== '').join('  ');
}

const isPlainImage = (node: TreeNode): boolean =>
  ['image', 'legacySignatures', 'legacyAttestations', 'buildAttestation'].includes(node.kind);
