/** `waybill copy SRC DST`: an image with its children, referrers and signature tags. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { LegacySuffix } from '#oci';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('copy')
    .description('copy an image with everything attached')
    .argument('<source>', 'reference, oci:DIR[:tag], oci-archive:FILE or docker-archive:FILE')
    .argument('<target>', 'reference or oci:DIR[:tag]')
    .option('--platform <os/arch>', "copy only this platform's image of an index")
    .option('--without-attachments', 'leave signatures, attestations and other referrers behind')
    .option(
      '--only <kinds>',
      'sig, att, sbom, separated by commas: these attachments and the image by digest; no tag moves',
    )
    .option('--attachment-tag-prefix <prefix>', 'stands before the tags of cosign’s older layout');
  withRegistryOptions(command).action((source: string, target: string, flags: CopyFlags) =>
    copy(source, target, flags, context),
  );
}

export interface CopyFlags extends RegistryFlags {
  readonly platform?: string;
  readonly withoutAttachments?: boolean;
  readonly only?: string;
}

function kindsOf(text: string): readonly LegacySuffix[] {
  const kinds = text.split(',').map((kind) => kind.trim());
  if (kinds.every(isKind)) return kinds;
  throw fail(R.optionValue, { expected: 'sig, att and sbom, separated by commas', actual: `--only ${text}` });
}

const isKind = (text: string): text is LegacySuffix => ['sig', 'att', 'sbom'].includes(text);

/** Shared with save and load, which are copies into and out of a layout. */
export async function copy(
  source: string,
  target: string,
  flags: CopyFlags,
  context: CliContext,
): Promise<void> {
  const [{ copyImage }, { parsePlatform }, { unwrap }] = await Promise.all([
    import('#flows/copy-image'),
    import('#oci'),
    import('#base/result'),
  ]);
  // One password is for one registry: the one written to, or the one read when a layout is written.
  const registry = await registryFrom(flags, context, [target.startsWith('oci:') ? source : target]);
  const done = await copyImage(registry, source, target, {
    withAttachments: flags.withoutAttachments !== true,
    ...(flags.only === undefined ? {} : { only: kindsOf(flags.only) }),
    ...(flags.attachmentTagPrefix ? { tagPrefix: flags.attachmentTagPrefix } : {}),
    ...(flags.platform === undefined ? {} : { platform: unwrap(parsePlatform(flags.platform)) }),
    onCopied: (what, digest, size) => context.progress(`${what} ${digest} (${size} bytes)`),
  });
  const counts = `${done.manifests} manifests, ${done.blobs} blobs, ${done.attachments} attachments`;
  context.progress(`copied ${done.source} to ${done.target}: ${counts}`);
  context.result('waybill.dev/copy/v1', done, () => done.pinned ?? done.digest);
}
