/** `waybill attest-blob FILE…`: one signed statement, of which each file is a subject. */
import type { Command } from 'commander';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { blobsFrom } from '../blob-input.ts';
import type { CliContext } from '../context.ts';
import { readInput } from '../input.ts';
import { R } from '../reasons.ts';
import { attestedBlobsJson, renderAttestedBlobs } from '../render/signed.ts';
import { collect, placeBundle, requirePlaces } from '../sign-options.ts';
import { addSignerOptions, type SignerFlags, signerFrom } from '../signer-options.ts';
import { addTrustOptions } from '../trust-options.ts';

interface Flags extends SignerFlags {
  readonly bundle?: string;
  readonly digest: readonly string[];
  readonly predicate?: string;
  readonly statement?: string;
  readonly type: string;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('attest-blob')
    .description('Signs a statement about files: one bundle, each file a subject.')
    .argument('[file...]', 'files; - reads standard input')
    .option('--predicate <file>', 'the predicate; - reads standard input')
    .option('--statement <file>', 'a whole in-toto statement, signed as it stands')
    .option(
      '--type <type>',
      'predicate type: custom, cyclonedx, spdxjson, spdx, slsaprovenance, slsaprovenance1, vuln, openvex, link, vsa or a URI',
      'custom',
    )
    .option('--bundle <file>', 'where the bundle goes; - prints it. Default: FILE.attestation.sigstore.json')
    .option('--digest <digest>', 'a subject that lies elsewhere: sha256:… (repeatable)', collect, []);
  addTrustOptions(addSignerOptions(command));
  command.action(async (files: string[], flags: Flags) => {
    const place = placeFor(files, flags);
    await requirePlaces([place], context);
    const attest = await prepare(files, flags, context);
    const { signer, trust, by } = await signerFrom(flags, context);
    context.progress(`attesting by ${by}`);
    const { trustMaterial } = await import('#verify');
    const trustedRoot = trustMaterial(trust.trustedRoot);
    const attested = await attest({ signer, trustedRoot, clock: context.clock });
    if (await placeBundle(place, attested.result.bundle, context)) return;
    context.result('waybill.dev/attest-blob/v1', attestedBlobsJson(attested, place), () =>
      renderAttestedBlobs(attested, place),
    );
  });
}

type Attest = (
  deps: Pick<import('#flows/sign-image').SignImageDeps, 'signer' | 'trustedRoot' | 'clock'>,
) => Promise<import('#flows/sign-blob').AttestedBlobs>;

/** Reads what is to be said before anything is asked for: a document that does not fit costs no certificate. */
async function prepare(files: readonly string[], flags: Flags, context: CliContext): Promise<Attest> {
  const { predicate, statement } = flags;
  const { attestBlobs, attestStatement } = await import('#flows/sign-blob');
  if (statement !== undefined) {
    if (predicate !== undefined || files.length + flags.digest.length > 0) {
      throw fail(R.optionValue, {
        expected: '--statement alone, which names its subjects',
        actual: '--statement beside files or --predicate',
      });
    }
    const bytes = await readInput(statement, limits.sbomBytes);
    return (deps) => attestStatement(bytes, deps);
  }
  if (predicate === undefined) {
    throw fail(R.optionValue, { expected: '--predicate or --statement', actual: 'neither' });
  }
  const blobs = blobsFrom(files, flags.digest, context);
  if (predicate === '-' && files.includes('-')) {
    throw fail(R.optionValue, { expected: 'standard input once', actual: 'as file and as predicate' });
  }
  const { predicateFrom } = await import('#flows/predicate');
  const said = unwrap(
    predicateFrom(flags.type, await readInput(predicate, limits.sbomBytes), context.clock.now()),
  );
  return (deps) => attestBlobs(blobs, said, deps);
}

function placeFor(files: readonly string[], { bundle }: Flags): string {
  if (bundle !== undefined) return bundle;
  const [only] = files;
  return files.length === 1 && only !== undefined && only !== '-' ? `${only}.attestation.sigstore.json` : '-';
}
