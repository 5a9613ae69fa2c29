/** `waybill digest IMAGE`: the digest a name stands for now. */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('digest')
    .description('resolve a tag to the digest it names now')
    .argument('<image>', 'reference, oci:DIR[:tag], oci-archive:FILE or docker-archive:FILE')
    .option('--full-ref', 'print registry/repository@digest')
    .option('--platform <os/arch>', "the digest of this platform's image in an index");
  withRegistryOptions(command).action((image: string, flags: Flags) => digest(image, flags, context));
}

interface Flags extends RegistryFlags {
  readonly fullRef?: boolean;
  readonly platform?: string;
}

async function digest(image: string, flags: Flags, context: CliContext): Promise<void> {
  const [{ resolveImage }, { parsePlatform, selectImage }, { pinnedText }, { unwrap }] = await Promise.all([
    import('#flows/resolve'),
    import('#oci'),
    import('#formats/reference'),
    import('#base/result'),
  ]);
  const found = await resolveImage(await registryFrom(flags, context, [image]), image);
  if (found.tagMovedTo !== undefined) {
    context.stderr(`note: the tag names ${found.tagMovedTo} now; the digest given counts`);
  }
  const wanted = flags.platform === undefined ? undefined : unwrap(parsePlatform(flags.platform));
  const chosen =
    wanted === undefined
      ? found.digest
      : (await selectImage(found.source, { digest: found.digest }, wanted)).manifest.digest;
  const pinned = found.reference === undefined ? undefined : pinnedText(found.reference, chosen);
  const { mediaType, size } = found.descriptor;
  const value = { image: found.name, digest: chosen, ...(pinned ? { pinned } : {}), mediaType, size };
  context.result('waybill.dev/digest/v1', value, () =>
    flags.fullRef === true ? (pinned ?? chosen) : chosen,
  );
}
