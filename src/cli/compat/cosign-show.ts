/** `waybill cosign tree`, `triangulate` and `env`: names and what hangs on them. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { TreeNode } from '#oci';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom } from '../registry-options.ts';
import { plainLine, plainLines } from '../render/plain.ts';
import { asCosign } from './cosign-common.ts';
import { environmentText } from './cosign-environment.ts';
import {
  addFlags,
  type FlagSpec,
  prefixedRegistryFlags,
  readFlags,
  tagPrefixOf,
  wholeRegistryFlags,
} from './cosign-flags.ts';
import { refuseBy } from './native.ts';

export function addShow(cosign: Command, context: CliContext): void {
  addTree(cosign, context);
  addTriangulate(cosign, context);
  addEnv(cosign, context);
}

const treeFlags: readonly FlagSpec[] = [
  ...wholeRegistryFlags,
  { flags: '--experimental-oci11', help: 'accepted, has no effect' },
];

function addTree(cosign: Command, context: CliContext): void {
  const command = addFlags(cosign.command('tree').description('what is attached to an image'), treeFlags);
  command.argument('<image>', 'image');
  refuseBy(command, 'cosign tree').action((image: string) =>
    asCosign(context, {}, async () => {
      const flags = readFlags<RegistryFlags>(command, treeFlags, context);
      const [{ treeOf }, registry] = await Promise.all([
        import('#flows/tree'),
        registryFrom(flags, context, [image]),
      ]);
      context.stdout(`📦 Supply Chain Security Related artifacts for an image: ${plainLine(image)}`);
      const { root, image: resolved } = await treeOf(registry, image);
      context.stdout(treeText(image, resolved.source.name, root));
    }),
  );
}

const legacy: Readonly<Partial<Record<TreeNode['kind'], string>>> = {
  legacyAttestations: '💾 Attestations',
  legacySignatures: '🔐 Signatures',
  legacySbom: '📦 SBOMs',
};

function treeText(given: string, repository: string, { children }: TreeNode): string {
  const parts: string[] = [];
  for (const kind of Object.keys(legacy) as TreeNode['kind'][]) {
    for (const node of children.filter((child) => child.kind === kind)) {
      parts.push(`└── ${legacy[kind]} for an image tag: ${repository}:${node.tag}`, ...leaves(node));
    }
  }
  for (const node of children.filter(({ kind }) => kind === 'bundle' || kind === 'referrer')) {
    const what = node.predicateTypes[0] ?? node.artifactType ?? '';
    parts.push(`└── 🔗 ${what} artifacts via OCI referrer: ${repository}@${node.digest}`, ...leaves(node));
  }
  if (parts.length > 0) return plainLines(parts);
  const none = `No Supply Chain Security Related Artifacts found for image ${given},`;
  return plainLines([none, ' start creating one with simply running$ cosign sign <img>']);
}

const leaves = ({ layers }: TreeNode): string[] =>
  layers.map(({ digest }, i) => `   ${i === layers.length - 1 ? '└──' : '├──'} 🍒 ${digest}`);

const triangulateFlags: readonly FlagSpec[] = [
  ...prefixedRegistryFlags,
  { flags: '--type <type>', help: 'signature, attestation, sbom or digest' },
];

function addTriangulate(cosign: Command, context: CliContext): void {
  const command = addFlags(
    cosign.command('triangulate').description('the tag the older layout keeps something under'),
    triangulateFlags,
  ).argument('<image>', 'image');
  refuseBy(command, 'cosign triangulate').action((image: string) =>
    asCosign(context, {}, async () => {
      const flags = readFlags<RegistryFlags & { readonly type?: string }>(command, triangulateFlags, context);
      const { legacyTag, openImage } = await import('#oci');
      const registry = await registryFrom(flags, context, [image]);
      const { source, selector, reference } = await openImage(registry, image);
      const digest = selector.digest ?? (await source.resolve(selector)).digest;
      const type = flags.type ?? 'signature';
      const suffix = ({ signature: 'sig', attestation: 'att', sbom: 'sbom' } as const)[type as 'sbom'];
      const place = context.env['COSIGN_REPOSITORY'] || source.name;
      if (type === 'digest' && reference !== undefined) return context.stdout(`${source.name}@${digest}`);
      if (suffix !== undefined)
        return context.stdout(`${place}:${legacyTag(digest, suffix, tagPrefixOf(flags).tagPrefix)}`);
      throw fail(R.optionValue, { expected: '--type signature, attestation, sbom or digest', actual: type });
    }),
  );
}

const envFlags: readonly FlagSpec[] = [
  { flags: '--show-descriptions', help: 'say what each variable is for', isOn: true },
  { flags: '--show-sensitive-values', help: 'show tokens and passwords' },
];

interface EnvFlags {
  readonly showDescriptions?: boolean;
  readonly showSensitiveValues?: boolean;
}

function addEnv(cosign: Command, context: CliContext): void {
  const command = addFlags(
    cosign.command('env').description('the variables, and their values now'),
    envFlags,
  );
  refuseBy(command, 'cosign env').action(() =>
    asCosign(context, {}, async () => {
      const { showDescriptions = true, showSensitiveValues = false } = readFlags<EnvFlags>(
        command,
        envFlags,
        context,
      );
      context.stdout(environmentText(context.env, { showDescriptions, showSensitiveValues }));
    }),
  );
}
