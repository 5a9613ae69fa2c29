import type { Command } from 'commander';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import type { AttestedImage } from '#flows/attest-image';
import { refuseGiven } from '../catalogue-options.ts';
import type { CliContext } from '../context.ts';
import { readInput } from '../input.ts';
import { withRegistryOptions } from '../registry-options.ts';
import { attestedJson, renderAttested } from '../render/signed.ts';
import {
  addBundleOptions,
  addSignOptions,
  bundlePlace,
  legacyOptions,
  placeBundle,
  requirePlaces,
  type SignFlags,
  signingTools,
} from '../sign-options.ts';
import { addTrustOptions } from '../trust-options.ts';

interface Flags extends SignFlags {
  readonly predicate: string;
  readonly type: string;
  readonly replace?: boolean;
}

/** What cosign's tags have and bundles have not. */
const ofTags = ['--replace', '--attachment-tag-prefix'];

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('attest')
    .description('Signs a statement about each image and attaches it; one certificate serves all.')
    .argument('<image...>', 'registry/repository@sha256:…; a tag is resolved first and shown')
    .requiredOption('--predicate <file>', 'the predicate; - reads standard input')
    .option(
      '--type <type>',
      'predicate type: custom, cyclonedx, spdxjson, spdx, slsaprovenance, slsaprovenance1, vuln, openvex, link, vsa or a URI',
      'custom',
    )
    .option('--replace', 'cosign’s tags: instead of the attestations of this type');
  withRegistryOptions(addTrustOptions(addSignOptions(addBundleOptions(command))));
  command.action(async (images: string[], flags: Flags) => {
    if (flags.format === 'bundle') refuseGiven(command, ofTags, 'bundles: --format legacy or both');
    const place = bundlePlace(flags, images.length);
    await requirePlaces([place], context);
    const { predicateFrom } = await import('#flows/predicate');
    const { attestImage } = await import('#flows/attest-image');
    const bytes = await readInput(flags.predicate, limits.sbomBytes);
    // Before anything is signed or asked for: a document that does not fit costs no certificate.
    const predicate = unwrap(predicateFrom(flags.type, bytes, context.clock.now()));
    const tools = await signingTools(flags, context, ...images);
    const attested: AttestedImage[] = [];
    for (const image of images) {
      context.progress(`attesting ${predicate.type} on ${image} by ${tools.by}`);
      const legacy = { ...legacyOptions(flags, context), replaces: flags.replace === true };
      const options = { upload: flags.upload ?? true, legacy };
      attested.push(await attestImage(image, predicate, flags.format, tools, options));
    }
    const bundle = attested[0]?.result.bundle;
    if (place !== undefined && bundle !== undefined && (await placeBundle(place, bundle, context))) return;
    context.result(
      'waybill.dev/attest/v1',
      { images: attested.map((one) => attestedJson(one, place === '-')) },
      () => attested.map(renderAttested).join('\n'),
    );
  });
}
