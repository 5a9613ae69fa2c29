/** The options of everything that signs images, and the tools they make. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import type { SignatureFormat, SignImageDeps } from '#flows/sign-image';
import type { LegacyOptions } from '#oci';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';
import { type RegistryFlags, registryFrom } from './registry-options.ts';
import { addSignerOptions, type SignerFlags, signerFrom } from './signer-options.ts';

export interface SignFlags extends SignerFlags, RegistryFlags {
  readonly format: SignatureFormat;
  readonly upload?: boolean;
  readonly bundle?: string;
}

export function addSignOptions(command: Command): Command {
  return addSignerOptions(command)
    .addOption(
      new Option('--format <layout>', 'where the result is found: OCI referrers, cosign’s tags, or both')
        .choices(['bundle', 'legacy', 'both'])
        .default('bundle'),
    )
    .option('--attachment-tag-prefix <prefix>', 'in front of cosign’s tags');
}

/** How cosign's tags are written. */
export const legacyOptions = (
  { attachmentTagPrefix: tagPrefix }: RegistryFlags,
  { env }: CliContext,
): LegacyOptions => ({
  ...(tagPrefix === undefined ? {} : { tagPrefix }),
  ...(isTrue(env['COSIGN_DOCKER_MEDIA_TYPES']) ? { isDocker: true } : {}),
});

const isTrue = (text: string | undefined): boolean => /^(?:1|t|true)$/i.test(text ?? '');

export interface SigningTools extends SignImageDeps {
  /** For people: where the token came from, or the key file. */
  readonly by: string;
}

/** Everything a signing flow needs, built from the flags. */
export async function signingTools(
  flags: SignFlags,
  context: CliContext,
  ...given: readonly string[]
): Promise<SigningTools> {
  const [{ trustMaterial }, { signer, trust, by }, registry] = await Promise.all([
    import('#verify'),
    signerFrom(flags, context),
    registryFrom(flags, context, given),
  ]);
  const cosignRepository = context.env['COSIGN_REPOSITORY'];
  return {
    registry,
    signer,
    by,
    clock: context.clock,
    trustedRoot: trustMaterial(trust.trustedRoot),
    ...(cosignRepository === undefined ? {} : { cosignRepository }),
  };
}

/** `-a key=value`, as often as wanted; the same key twice is refused. */
export function annotationsFrom(pairs: readonly string[]): Record<string, string> {
  const out: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const key = pair.slice(0, at);
    if (at <= 0 || Object.hasOwn(out, key)) {
      throw fail(R.optionValue, { expected: 'key=value with each key once', actual: `-a ${pair}` });
    }
    out[key] = pair.slice(at + 1);
  }
  return { ...out };
}

/** What signs or attests one image may also write the bundle to a file, or only that. */
export function addBundleOptions(command: Command): Command {
  return command
    .option('--bundle <file>', 'write the bundle to a file too; - prints it')
    .option('--no-upload', 'attach nothing: the bundle is all there is');
}

/** Where the bundle goes; `-` is standard output; undefined when it was not asked for. WB-1305 for several. */
export function bundlePlace(flags: Pick<SignFlags, 'bundle' | 'upload'>, count: number): string | undefined {
  const place = flags.bundle ?? (flags.upload === false ? '-' : undefined);
  if (place === undefined || count === 1) return place;
  throw fail(R.optionValue, {
    expected: '--bundle or --no-upload with one image, not recursive',
    actual: '--recursive or several images',
  });
}

/** Asked before anything is signed: what is logged and cannot be kept is lost. Throws WB-209. */
export async function requirePlaces(
  places: readonly (string | undefined)[],
  context: CliContext,
): Promise<void> {
  const { requireWritable } = await import('#platform/writable');
  for (const place of places) {
    if (place !== undefined && place !== '-') await requireWritable(resolve(context.cwd, place));
  }
}

/** Writes or prints a bundle. True when it was printed alone; a JSON result carries it instead. */
export async function placeBundle(place: string, bundle: Uint8Array, context: CliContext): Promise<boolean> {
  if (place === '-') {
    if (!context.json) context.stdout(bundle);
    return !context.json;
  }
  const { writeFileDurable } = await import('#platform/files');
  await writeFileDurable(resolve(context.cwd, place), bundle);
  return false;
}

/** Collects a repeatable option. */
export const collect = (value: string, before: readonly string[]): string[] => [...before, value];
