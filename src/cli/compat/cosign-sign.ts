/** `waybill cosign sign` and `attest`. */
import type { Command } from 'commander';
import { fromBase64 } from '#base/bytes';
import type { CliContext } from '../context.ts';
import { asCosign, cosignRule } from './cosign-common.ts';
import { addFlags, type FlagSpec, prefixedRegistryFlags } from './cosign-flags.ts';
import { bundleText, encoded, piecesOf, textOf, writePiece } from './cosign-pieces.ts';
import {
  checkEntryType,
  entryType,
  passedToRegistry,
  readSigningFlags,
  reportSigned,
  repositoryOf,
  type SigningFlags,
  signingFlags,
  withSigningWords,
} from './cosign-signing.ts';
import { refuseBy, runNative } from './native.ts';

interface Flags extends SigningFlags {
  readonly upload: boolean;
  readonly outputPayload?: string;
}

/** The JSON of `waybill sign` and `waybill attest`, as far as it is used here. */
interface Signed {
  readonly attached: readonly string[];
  readonly signatures?: readonly { readonly bundle?: object }[];
  readonly signature?: { readonly bundle?: object };
  readonly payload?: string;
}

const signFlags: readonly FlagSpec[] = [
  ...signingFlags,
  ...prefixedRegistryFlags,
  { flags: '-a, --annotations <key=value>', help: 'annotation (repeatable)', isList: true },
  { flags: '-r, --recursive', help: 'every image of an index' },
  { flags: '--upload', help: 'attach the signature (default)', isOn: true },
  { flags: '--output-payload <file>', help: 'write the signed document (cosign 2)' },
  { flags: '--record-creation-timestamp', help: 'accepted, has no effect' },
  { flags: '--payload <file>', help: 'the document to sign, in the older layout' },
  {
    flags: '--sign-container-identity <name>',
    help: 'name of the image in the document of the older layout (repeatable)',
    isList: true,
  },
  {
    flags: '--attachment <kind>',
    help: 'as in cosign',
    instead: 'attest the SBOM: waybill attest --type cyclonedx',
  },
];

export function addSign(cosign: Command, context: CliContext): void {
  const command = addFlags(
    cosign.command('sign').description('waybill sign').argument('<image...>', 'image'),
    signFlags,
  );
  refuseBy(command, 'cosign sign').action((images: string[]) =>
    asCosign(context, {}, async () => {
      const flags = readSigningFlags<Flags>(command, signFlags, context);
      requirePlace(flags);
      const { bundle, outputSignature, outputCertificate, outputPayload } = flags;
      const wantsBundle = (bundle ?? outputSignature ?? outputCertificate ?? outputPayload) !== undefined;
      const names = [...registryWords(flags), 'annotations', 'recursive', ...ofTags(flags, signedInTags)];
      await withSigningWords(flags, names, context, async (shared) => {
        const words = [...shared, ...placeWords(flags, wantsBundle)];
        for (const image of images) {
          warnTag(image, context);
          const load = () => import('../commands/sign.ts');
          const run = await runNative(load, ['sign', ...words, '--', image], context);
          if (!reportSigned(run, context)) return;
          for (const one of (run.value as { readonly images: readonly Signed[] }).images) {
            const made = one.signatures?.[0]?.bundle;
            if (made !== undefined) await writeSignature(bundleText(made), one, flags, context);
            for (const place of one.attached) context.stderr(`Pushing signature to: ${repositoryOf(place)}`);
          }
        }
      });
    }),
  );
}

/** A bundle that is neither attached nor written would be lost. */
function requirePlace({ newBundleFormat, upload, bundle }: Flags): void {
  if (!newBundleFormat || upload || bundle !== undefined) return;
  throw cosignRule(
    'must enable upload to the OCI registry or specify a local --bundle path with --new-bundle-format',
  );
}

const signedInTags = ['payload', 'signContainerIdentity'];

/** Flags of the older layout: with a bundle cosign takes them, and they change nothing. */
const ofTags = ({ newBundleFormat }: Flags, names: readonly string[]): readonly string[] =>
  newBundleFormat ? [] : names;

const registryWords = (flags: Flags): readonly string[] => [
  ...passedToRegistry.filter((name) => name !== 'attachmentTagPrefix'),
  ...ofTags(flags, ['attachmentTagPrefix']),
];

const placeWords = ({ newBundleFormat, upload }: Flags, wantsBundle: boolean): string[] => [
  ...(newBundleFormat ? [] : ['--format=legacy']),
  ...(upload ? [] : ['--no-upload']),
  ...(wantsBundle ? ['--bundle=-'] : []),
];

function warnTag(image: string, context: CliContext): void {
  if (image.includes('@')) return;
  context.stderr(
    `WARNING: Image reference ${image} uses a tag, not a digest, to identify the image to sign.\n` +
      '    The tag is resolved once, and the digest it names now is signed.',
  );
}

async function writeSignature(
  bundle: Uint8Array,
  { payload }: Signed,
  flags: Flags,
  context: CliContext,
): Promise<void> {
  const pieces = await piecesOf(bundle);
  if (flags.bundle !== undefined) {
    const data = flags.newBundleFormat ? bundle : pieces.localBundle;
    await writePiece(flags.bundle, data, `Wrote bundle to file ${flags.bundle}`, context);
  }
  const { outputSignature, outputCertificate, outputPayload } = flags;
  if (outputSignature !== undefined) {
    const data = encoded(pieces.signature, true);
    await writePiece(outputSignature, data, `Wrote signature to file ${outputSignature}`, context);
  }
  if (outputCertificate !== undefined && pieces.certificatePem !== undefined) {
    const said = `Wrote certificate to file ${outputCertificate}`;
    await writePiece(outputCertificate, pieces.certificatePem, said, context);
  }
  const document = payload === undefined ? pieces.payload : fromBase64(payload);
  if (outputPayload !== undefined && document !== undefined) {
    await writePiece(outputPayload, document, `Wrote payload to file ${outputPayload}`, context);
  }
}

interface AttestFlags extends Flags {
  readonly predicate?: string;
  readonly rekorEntryType?: string;
  readonly replace?: boolean;
}

const attestFlags: readonly FlagSpec[] = [
  ...signingFlags,
  ...prefixedRegistryFlags,
  { flags: '--predicate <file>', help: 'predicate; - reads standard input' },
  { flags: '--type <type>', help: 'alias of a predicate type, or a URI' },
  entryType,
  { flags: '--record-creation-timestamp', help: 'accepted, has no effect' },
  { flags: '--upload', help: 'attach the attestation (default)', isOn: true },
  {
    flags: '--statement <file>',
    help: 'as in cosign',
    instead: 'waybill attest-blob --statement, or --predicate',
  },
  { flags: '--replace', help: 'in the older layout: instead of those of the same type' },
];

export function addAttest(cosign: Command, context: CliContext): void {
  const command = addFlags(
    cosign.command('attest').description('waybill attest').argument('<image...>', 'image'),
    attestFlags,
  );
  refuseBy(command, 'cosign attest').action((images: string[]) =>
    asCosign(context, {}, async () => {
      const flags = readSigningFlags<AttestFlags>(command, attestFlags, context);
      if (flags.predicate === undefined) throw cosignRule('predicate cannot be empty');
      requirePlace(flags);
      checkEntryType(flags);
      const names = [...registryWords(flags), 'predicate', 'type', ...ofTags(flags, ['replace'])];
      await withSigningWords(flags, names, context, async (shared) => {
        const words = [...shared, ...placeWords(flags, flags.bundle !== undefined)];
        for (const image of images) {
          warnTag(image, context);
          context.stderr(`Using payload from: ${flags.predicate}`);
          const load = () => import('../commands/attest.ts');
          const run = await runNative(load, ['attest', ...words, '--', image], context);
          if (!reportSigned(run, context)) return;
          const made = (run.value as { readonly images: readonly Signed[] }).images[0]?.signature?.bundle;
          if (made !== undefined) await writeAttestation(bundleText(made), flags, context);
        }
      });
    }),
  );
}

async function writeAttestation(bundle: Uint8Array, flags: Flags, context: CliContext): Promise<void> {
  const pieces = await piecesOf(bundle);
  if (flags.bundle !== undefined) {
    const data = flags.newBundleFormat ? bundle : pieces.localBundle;
    await writePiece(flags.bundle, data, `Wrote bundle to file ${flags.bundle}`, context);
  }
  if (!flags.newBundleFormat && !flags.upload) context.stdout(textOf(pieces.signature));
}
