import type { Command } from 'commander';
import { limits } from '#base/limits';
import type { SignedImage } from '#flows/sign-image';
import { refuseGiven } from '../catalogue-options.ts';
import type { CliContext } from '../context.ts';
import { readInput } from '../input.ts';
import { withRegistryOptions } from '../registry-options.ts';
import { readersThatMiss, renderSigned, signedJson } from '../render/signed.ts';
import {
  addBundleOptions,
  addSignOptions,
  annotationsFrom,
  bundlePlace,
  collect,
  legacyOptions,
  placeBundle,
  requirePlaces,
  type SignFlags,
  signingTools,
} from '../sign-options.ts';
import { addTrustOptions } from '../trust-options.ts';

interface Flags extends SignFlags {
  readonly annotations: readonly string[];
  readonly recursive?: boolean;
  readonly payload?: string;
  readonly signContainerIdentity: readonly string[];
}

/** What cosign's tags have and bundles have not. */
const ofTags = ['--payload', '--sign-container-identity', '--attachment-tag-prefix'];

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('sign')
    .description(
      'Signs images by digest and attaches the signatures. Each result is verified before it counts.',
    )
    .argument('<image...>', 'registry/repository@sha256:…; a tag is resolved first and shown')
    .option('-a, --annotations <key=value>', 'put an annotation into the signature', collect, [])
    .option('-r, --recursive', 'sign every image of an index too')
    .option('--payload <file>', 'cosign’s tags: sign this document instead of one made from the image')
    .option(
      '--sign-container-identity <name>',
      'cosign’s tags: name of the image in the document (repeatable)',
      collect,
      [],
    );
  withRegistryOptions(addTrustOptions(addSignOptions(addBundleOptions(command))));
  command.action(async (images: string[], flags: Flags) => {
    if (flags.format === 'bundle') refuseGiven(command, ofTags, 'bundles: --format legacy or both');
    // An index signed with all below it has many signatures.
    const place = bundlePlace(flags, flags.recursive === true ? Number.POSITIVE_INFINITY : images.length);
    await requirePlaces([place], context);
    const { signImage } = await import('#flows/sign-image');
    const annotations = annotationsFrom(flags.annotations);
    const payload =
      flags.payload === undefined ? undefined : await readInput(flags.payload, limits.bundleBytes);
    const legacy = {
      ...legacyOptions(flags, context),
      identities: flags.signContainerIdentity,
      ...(payload === undefined ? {} : { payload }),
    };
    const signed: SignedImage[] = [];
    const tools = await signingTools(flags, context, ...images);
    for (const image of images) {
      context.progress(`signing ${image} by ${tools.by}`);
      const { format, recursive = false, upload = true } = flags;
      const options = { format, annotations, recursive, upload, legacy };
      signed.push(...(await signImage(image, options, tools)));
    }
    const bundle = signed[0]?.results[0]?.bundle;
    if (place !== undefined && bundle !== undefined && (await placeBundle(place, bundle, context))) return;
    if (flags.format === 'bundle') context.progress(readersThatMiss);
    context.result(
      'waybill.dev/sign/v1',
      { images: signed.map((one) => signedJson(one, place === '-')) },
      () => renderSigned(signed),
    );
  });
}
