/** `waybill sign-blob FILE…`: a bundle beside each file; all by one certificate. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { SignedBlob } from '#flows/sign-blob';
import { blobsFrom } from '../blob-input.ts';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { renderSignedBlobs, signedBlobJson } from '../render/signed.ts';
import { collect, placeBundle, requirePlaces } from '../sign-options.ts';
import { addSignerOptions, type SignerFlags, signerFrom } from '../signer-options.ts';
import { addTrustOptions } from '../trust-options.ts';

interface Flags extends SignerFlags {
  readonly bundle?: string;
  readonly digest: readonly string[];
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('sign-blob')
    .description('Signs files. Each gets a bundle, which is verified before it counts.')
    .argument('[file...]', 'files; - reads standard input')
    .option('--bundle <file>', 'where the bundle goes; - prints it. Default: FILE.sigstore.json')
    .option('--digest <digest>', 'sign bytes that lie elsewhere: sha256:… (repeatable)', collect, []);
  addTrustOptions(addSignerOptions(command));
  command.action(async (files: string[], flags: Flags) => {
    const blobs = blobsFrom(files, flags.digest, context);
    const places = placesFor(files, flags);
    await requirePlaces(places, context);
    const { signBlobs } = await import('#flows/sign-blob');
    const { signer, keyKind, by } = await signerFrom(flags, context);
    context.progress(`signing ${blobs.length} by ${by}`);
    const signed: (SignedBlob & { readonly place: string })[] = [];
    for await (const one of signBlobs(blobs, keyKind, signer)) {
      const place = places[signed.length] as string;
      // Written one by one: what is signed and logged is not lost when a later one fails.
      if (await placeBundle(place, one.result.bundle, context)) return;
      signed.push({ ...one, place });
    }
    context.result('waybill.dev/sign-blob/v1', { files: signed.map(signedBlobJson) }, () =>
      renderSignedBlobs(signed),
    );
  });
}

/** Where each bundle goes, in the order of what is signed. */
function placesFor(files: readonly string[], { bundle, digest }: Flags): string[] {
  if (bundle !== undefined) {
    if (files.length + digest.length === 1) return [bundle];
    throw fail(R.optionValue, {
      expected: '--bundle with one file',
      actual: `${files.length + digest.length}`,
      hint: 'leave --bundle away: each bundle is then written beside its file',
    });
  }
  const named = files.map((file) => (file === '-' ? '-' : `${file}.sigstore.json`));
  const places = [...named, ...digest.map(() => '-')];
  if (places.length === 1 || !places.includes('-')) return places;
  throw fail(R.optionValue, {
    expected: 'only files that have a name, or one that has none',
    actual: `${places.length}`,
    hint: 'sign standard input and digests one by one with --bundle',
  });
}
