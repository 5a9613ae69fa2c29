/**
 * `verify-blob` and `verify-blob-attestation`: one file, one signed document, no registry. Everything is loaded
 * when it is needed; without a TUF mirror nothing here opens a connection.
 */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { HashName } from '#base/crypto';
import { parseDigest } from '#base/digest';
import { limits } from '#base/limits';
import { fail, type WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import type { BlobArtifact } from '#flows/blob-artifact';
import type { Accepted, Requirements, SignedEntity } from '#verify';
import type { CliContext } from './context.ts';
import { addIdentityOptions, type IdentityFlags } from './identity-options.ts';
import { ofFile } from './of-file.ts';
import { R } from './reasons.ts';
import { plainLines } from './render/plain.ts';
import { acceptedJson, renderAccepted } from './render/verified.ts';
import { addTrustOptions, type TrustFlags, trustFor, type UsedTrust } from './trust-options.ts';

export interface BlobFlags extends IdentityFlags, TrustFlags {
  readonly bundle?: string;
  readonly signature?: string;
  readonly certificate?: string;
  readonly rfc3161Timestamp?: string;
}

export function withBlobOptions(command: Command): Command {
  const described = command
    .argument(
      '<file>',
      'the file, sha256:… (or sha384, sha512) for its digest alone, or - for standard input',
    )
    .option('--bundle <file>', 'the signed document: a Sigstore bundle, or a local bundle of cosign 2')
    .option(
      '--signature <file>',
      'a signature without a bundle: a file with base64 or its bytes, or base64 itself',
    )
    .option('--certificate <file>', 'PEM certificate that belongs to --signature')
    .option('--rfc3161-timestamp <file>', 'timestamp that belongs to --signature, as cosign 2 writes it');
  return addTrustOptions(addIdentityOptions(described));
}

export interface BlobDemand {
  readonly kind: 'signature' | 'attestation';
  readonly requirements: Requirements;
  readonly anyPredicate?: boolean;
}

export interface VerifiedBlob {
  readonly given: string;
  readonly digest: string;
  readonly accepted: Accepted;
  readonly trust: UsedTrust;
}

/** Throws what does not hold; the caller looks at the statement and prints. */
export function verifiedBlob(
  given: string,
  demand: BlobDemand,
  flags: BlobFlags,
  context: CliContext,
): Promise<VerifiedBlob> {
  const trust = (): Promise<UsedTrust> => trustFor(flags, context, demand.requirements);
  return judgedBlob(given, demand, flags, { context, trust });
}

export interface BlobSurroundings {
  readonly context: CliContext;
  readonly trust: () => Promise<UsedTrust>;
  /** The signed document, where it is not read from the flags. */
  readonly signed?: () => Promise<SignedEntity>;
}

/** As `verifiedBlob`, with trust from elsewhere. */
export async function judgedBlob(
  given: string,
  demand: BlobDemand,
  flags: BlobFlags,
  { context, trust: load, signed: read = () => readSigned(flags, demand.requirements) }: BlobSurroundings,
): Promise<VerifiedBlob> {
  const [{ verifyBlob, blobHash }, signed, trust] = await Promise.all([
    import('#flows/verify-blob'),
    read(),
    load(),
  ]);
  const { artifact, digest } = await readArtifact(given, blobHash(signed, demand.requirements));
  const { material } = trust;
  const accepted = verifyBlob({ ...demand, artifact, signed, material, now: context.clock.now() });
  return { given, digest, accepted, trust };
}

async function readArtifact(given: string, algorithm: HashName): Promise<BlobArtifact> {
  const known = parseDigest(given);
  if (known.ok) return { artifact: known.value, digest: known.value };
  // A file may have any name; one that is not there and begins like a digest was meant as one.
  if (/^sha(?:256|384|512):/.test(given) && !existsSync(given)) throw notADigest(given);
  const [{ artifactFrom }, { fileChunks, inputChunks }] = await Promise.all([
    import('#flows/blob-artifact'),
    import('#platform/files'),
  ]);
  const chunks = given === '-' ? inputChunks() : fileChunks(given);
  return artifactFrom(chunks, algorithm);
}

function notADigest(given: string): WaybillError {
  const hex = given.slice(given.indexOf(':') + 1);
  const digits = Number(given.slice(3, 6)) / 4;
  const fault = hex.length === digits ? 'not all of them such digits' : `${hex.length} characters`;
  return fail(R.optionValue, {
    expected: `${given.slice(0, 6)}: and ${digits} hex digits in lower case, or the name of a file`,
    actual: `${given.slice(0, 200)} (${fault}), and no such file`,
    hint: 'copy the whole digest, or name the file',
  });
}

async function readSigned(flags: BlobFlags, { signer }: Requirements): Promise<SignedEntity> {
  const [{ readFileLimited }, { readSignedBlob }] = await Promise.all([
    import('#platform/files'),
    import('#flows/verify-blob'),
  ]);
  const signedWith = signer.kind === 'key' ? 'key' : 'certificate';
  const { bundle, signature } = flags;
  if (bundle !== undefined && signature === undefined && flags.certificate === undefined) {
    return ofFile(bundle, readSignedBlob(await readFileLimited(bundle, limits.bundleBytes), signedWith));
  }
  if (bundle === undefined && signature !== undefined) return readParts(signature, flags, signedWith);
  throw fail(R.optionValue, {
    expected: '--bundle FILE, or --signature FILE with --certificate FILE or --key FILE',
    actual: bundle === undefined ? 'neither' : 'both',
  });
}

async function readParts(
  path: string,
  flags: BlobFlags,
  signedWith: 'certificate' | 'key',
): Promise<SignedEntity> {
  const [{ readFileLimited }, { signedParts, signatureText }, { utf8Text }] = await Promise.all([
    import('#platform/files'),
    import('#flows/verify-blob'),
    import('#base/bytes'),
  ]);
  const text = async (file: string): Promise<string> =>
    utf8Text(await readFileLimited(file, limits.bundleBytes));
  const { certificate, rfc3161Timestamp } = flags;
  return unwrap(
    signedParts(
      {
        signature: isInline(path) ? path : signatureText(await readFileLimited(path, limits.bundleBytes)),
        ...(certificate === undefined ? {} : { certificate: await text(certificate) }),
        ...(rfc3161Timestamp === undefined ? {} : { timestamp: await text(rfc3161Timestamp) }),
      },
      signedWith,
    ),
  );
}

/** cosign takes the signature itself as well: no file name is that long a piece of base64. */
export const isInline = (text: string): boolean => /^[A-Za-z0-9+/]{64,}={0,2}$/.test(text);

export function printBlob(verified: VerifiedBlob, schema: string, context: CliContext): void {
  const { given, digest, accepted, trust } = verified;
  const value = {
    ok: true,
    trustedRoot: trust.named ?? null,
    blob: { given, digest },
    accepted: [acceptedJson(accepted)],
    refused: [],
  };
  context.result(schema, value, () => {
    const name = given === digest ? digest : `${given} (${digest})`;
    return plainLines([`verified ${name}`, ...renderAccepted(accepted)]);
  });
}
