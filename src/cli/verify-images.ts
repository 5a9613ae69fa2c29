/** Verifies several images: in order, all of them, one failure never hiding another. */
import type { Command } from 'commander';
import { fail, type Reason, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import type { VerifiedImage, VerifyImageQuestion, VerifyImageSurroundings } from '#flows/verify-image';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';
import { type RegistryFlags, registryFrom } from './registry-options.ts';
import { plainLine } from './render/plain.ts';
import { renderReason } from './render/reason.ts';
import { renderVerified, verifiedJson } from './render/verified.ts';
import { type TrustFlags, trustFor } from './trust-options.ts';

export interface ImagesFlags extends TrustFlags, RegistryFlags {
  readonly from?: string;
  readonly platform?: string;
  readonly recursive?: boolean;
}

export function withImagesOptions(command: Command): Command {
  return command
    .argument('[image...]', 'registry/repository@sha256:…, a tag, or oci:DIR')
    .option('--from <file>', 'also the images this file names, one a line; - reads standard input')
    .option('--platform <os/arch>', 'of an index, verify the image of this platform')
    .option('-r, --recursive', 'of an index, verify itself and every image in it');
}

type Outcome = { readonly image: string } & (
  | { readonly ok: true; readonly verified: VerifiedImage }
  | { readonly ok: false; readonly reason: Reason }
);

/** Images under way at once, as many as cosign takes. */
const AT_ONCE = 10;

export async function verifyAll(
  given: readonly string[],
  question: VerifyImageQuestion,
  flags: ImagesFlags,
  context: CliContext,
): Promise<void> {
  const [named, { verifyImage }, { mapLimited, parsePlatform }] = await Promise.all([
    imagesFrom(given, flags),
    import('#flows/verify-image'),
    import('#oci'),
  ]);
  const failure = Promise.withResolvers<never>();
  const trust = once(async () => {
    try {
      return await trustFor(flags, context, question.requirements);
    } catch (error) {
      failure.reject(error);
      throw error;
    }
  });
  const deps = await depsFrom(named, flags, { ...context, transport: thenLoading(trust, context) }, trust);
  const platform = flags.platform === undefined ? {} : { platform: unwrap(parsePlatform(flags.platform)) };
  const judge = async (image: string): Promise<Outcome> => {
    try {
      return { image, ok: true, verified: await verifyImage(image, { ...question, ...platform }, deps) };
    } catch (error) {
      if (error instanceof WaybillError) return { image, ok: false, reason: error.reason };
      throw error;
    }
  };
  const judgeAll = async (): Promise<readonly Outcome[]> => {
    const images = flags.recursive === true ? await withImagesWithin(named, flags, deps.registry) : named;
    const judged = await mapLimited([...new Set(images)], AT_ONCE, judge);
    const byName = new Map(judged.map((outcome) => [outcome.image, outcome]));
    return images.flatMap((image) => byName.get(image) ?? []);
  };
  // Without trust there is no verdict on any image, whatever the registry says or does not say.
  const outcomes = await Promise.race([judgeAll(), failure.promise]);
  const used = await trust();
  print(outcomes, { kind: question.kind, trustedRoot: used.named ?? null }, context);
}

/** A name that cannot be looked into stays: its own verification says why. */
async function withImagesWithin(
  named: readonly string[],
  { platform }: ImagesFlags,
  registry: VerifyImageSurroundings['registry'],
): Promise<readonly string[]> {
  if (platform !== undefined) {
    throw fail(R.usage, { expected: '--recursive or --platform', actual: 'both' });
  }
  const [{ mapLimited }, { imagesWithin }] = await Promise.all([
    import('#oci'),
    import('#flows/images-within'),
  ]);
  const found = await mapLimited([...new Set(named)], AT_ONCE, async (one): Promise<readonly string[]> => {
    try {
      return await imagesWithin(one, registry);
    } catch (error) {
      if (error instanceof WaybillError) return [one];
      throw error;
    }
  });
  return found.flat();
}

const once = <T>(work: () => Promise<T>): (() => Promise<T>) => {
  let started: Promise<T> | undefined;
  return () => (started ??= work());
};

/**
 * The transport, which has the trusted root read as soon as a first request is on its way: the registry takes longer
 * than that. Two turns of the event loop let the connection be made first.
 */
function thenLoading(load: () => Promise<unknown>, { transport }: CliContext): CliContext['transport'] {
  // What goes wrong is told where the trusted root is asked for.
  const start = (): void => void load().catch(() => {});
  const begin = (): void => void setImmediate(() => setImmediate(start));
  return {
    request: (request) => {
      begin();
      return transport.request(request);
    },
    stream: (request) => {
      begin();
      return transport.stream(request);
    },
  };
}

async function depsFrom(
  images: readonly string[],
  flags: ImagesFlags,
  context: CliContext,
  trust: VerifyImageSurroundings['trust'],
): Promise<VerifyImageSurroundings> {
  const cosignRepository = context.env['COSIGN_REPOSITORY'];
  return {
    registry: await registryFrom(flags, context, images),
    trust,
    clock: context.clock,
    ...(cosignRepository === undefined ? {} : { cosignRepository }),
  };
}

const LIST_BYTES_MAX = 1024 * 1024;

/** The images of the command line, then those of the file; empty lines and `#` comments left out. */
async function imagesFrom(given: readonly string[], { from }: ImagesFlags): Promise<readonly string[]> {
  const listed = from === undefined ? [] : await linesOf(from);
  const images = [...given, ...listed];
  if (images.length > 0) return images;
  const actual = from === undefined ? 'none' : `none in ${from}`;
  throw fail(R.usage, { expected: 'at least one image', actual });
}

async function linesOf(path: string): Promise<string[]> {
  const [{ readInput }, { utf8Text }] = await Promise.all([import('./input.ts'), import('#base/bytes')]);
  const lines = utf8Text(await readInput(path, LIST_BYTES_MAX)).split('\n');
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
}

interface Asked {
  readonly kind: VerifyImageQuestion['kind'];
  readonly trustedRoot: { readonly origin: string; readonly sha256: string } | null;
}

function print(outcomes: readonly Outcome[], { kind, trustedRoot }: Asked, context: CliContext): void {
  const failed = outcomes.filter((outcome) => !outcome.ok);
  const value = {
    ok: failed.length === 0,
    trustedRoot,
    images: outcomes.map((outcome) =>
      outcome.ok
        ? { ok: true, ...verifiedJson(outcome.verified) }
        : { ok: false, given: outcome.image, reason: outcome.reason },
    ),
  };
  const accepted = outcomes.flatMap((outcome) => (outcome.ok ? [renderVerified(outcome.verified)] : []));
  if (context.json || accepted.length > 0) {
    const schema = `waybill.dev/verify${kind === 'attestation' ? '-attestation' : ''}/v1`;
    context.result(schema, value, () => accepted.join('\n'));
  }
  for (const outcome of failed) {
    context.stderr(`${plainLine(outcome.image)}\n${renderReason(outcome.reason, context.useColor)}`);
  }
  const [first] = failed;
  if (first !== undefined) context.exit(first.reason.exit);
}
