/** `waybill cosign sign-blob` and `attest-blob`. */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { plainLine } from '../render/plain.ts';
import { asCosign, cosignRule } from './cosign-common.ts';
import { addFlags, type FlagSpec } from './cosign-flags.ts';
import { encoded, type Pieces, piecesOf, printedBundle, writePiece } from './cosign-pieces.ts';
import {
  checkEntryType,
  entryType,
  readSigningFlags,
  reportSigned,
  type SigningFlags,
  signingFlags,
  withSigningWords,
} from './cosign-signing.ts';
import { refuseBy, runNative } from './native.ts';

interface Flags extends SigningFlags {
  readonly rfc3161Timestamp?: string;
  /** Other names of cosign 2. */
  readonly rfc3161TimestampBundle?: string;
  readonly output?: string;
  readonly rekorEntryType?: string;
}

/** One name for each file. */
const named = <F extends Flags>(flags: F): F => ({
  ...flags,
  ...(flags.outputSignature === undefined && flags.output ? { outputSignature: flags.output } : {}),
  ...(flags.rfc3161Timestamp === undefined && flags.rfc3161TimestampBundle
    ? { rfc3161Timestamp: flags.rfc3161TimestampBundle }
    : {}),
});

interface SignFlags extends Flags {
  readonly b64: boolean;
}

const timestampFlag = { flags: '--rfc3161-timestamp <file>', help: 'write the timestamp (cosign 2)' };
const signFlags: readonly FlagSpec[] = [
  ...signingFlags,
  timestampFlag,
  { flags: '--signing-algorithm <name>', help: 'of the key made for a certificate' },
  { flags: '--output <file>', help: 'the same as --output-signature (cosign 2)' },
  { flags: '--b64', help: 'base64 (default)', isOn: true },
];

export function addSignBlob(cosign: Command, context: CliContext): void {
  const command = addFlags(
    cosign.command('sign-blob').description('waybill sign-blob').argument('<file...>', 'files'),
    signFlags,
  );
  refuseBy(command, 'cosign sign-blob').action((files: string[]) =>
    asCosign(context, {}, async () => {
      const flags = named(readSigningFlags<SignFlags>(command, signFlags, context));
      const isOld = checkFormat(flags);
      await withSigningWords(flags, ['signingAlgorithm'], context, async (words) => {
        for (const file of files) {
          if (file !== '-') context.stderr(`Using payload from: ${plainLine(file)}`);
          const native = ['sign-blob', ...words, '--bundle=-', '--', file];
          const load = () => import('../commands/sign-blob.ts');
          const run = await runNative(load, native, context, { json: false });
          if (!reportSigned(run, context)) return;
          await writeSigned(printedBundle(run.printed), flags, isOld, context);
        }
      });
    }),
  );
}

/** Whether the form before version 3 is wanted: where that was said, or cosign 2's flags ask for its files. */
function checkFormat({ newBundleFormat, bundle, outputSignature, outputCertificate }: SigningFlags): boolean {
  if (!newBundleFormat) return true;
  if (bundle !== undefined) return false;
  if ((outputSignature ?? outputCertificate) !== undefined) return true;
  throw cosignRule('must specify --bundle with --new-bundle-format');
}

async function writeSigned(
  bundle: Uint8Array,
  to: SignFlags,
  isOld: boolean,
  context: CliContext,
): Promise<void> {
  const pieces = await piecesOf(bundle);
  await writeBundle(bundle, pieces, to, isOld, context);
  if (to.outputSignature !== undefined) {
    const data = encoded(pieces.signature, to.b64);
    await writePiece(to.outputSignature, data, `Wrote signature to file ${to.outputSignature}`, context);
  } else if (isOld) {
    context.stdout(encoded(pieces.signature, to.b64));
  }
  if (to.outputCertificate !== undefined && pieces.certificatePem !== undefined) {
    const data = encoded(pieces.certificatePem, to.b64);
    await writePiece(
      to.outputCertificate,
      data,
      `Wrote certificate to file ${to.outputCertificate}`,
      context,
    );
  }
  await writeTimestamp(pieces, to, context);
}

async function writeBundle(
  bundle: Uint8Array,
  pieces: Pieces,
  { bundle: file }: SigningFlags,
  isOld: boolean,
  context: CliContext,
): Promise<void> {
  if (file === undefined) return;
  await writePiece(file, isOld ? pieces.localBundle : bundle, `Wrote bundle to file ${file}`, context);
}

async function writeTimestamp(pieces: Pieces, to: Flags, context: CliContext): Promise<void> {
  if (to.rfc3161Timestamp === undefined || pieces.timestamp === undefined) return;
  const said = `Wrote timestamp to file ${to.rfc3161Timestamp}`;
  await writePiece(to.rfc3161Timestamp, pieces.timestamp, said, context);
}

interface AttestFlags extends Flags {
  readonly predicate?: string;
  readonly statement?: string;
  readonly hash?: string;
  readonly outputAttestation?: string;
}

const attestFlags: readonly FlagSpec[] = [
  ...signingFlags,
  timestampFlag,
  { flags: '--predicate <file>', help: 'predicate; - reads standard input' },
  { flags: '--statement <file>', help: 'a whole statement' },
  { flags: '--type <type>', help: 'alias of a predicate type, or a URI' },
  { flags: '--hash <hex>', help: 'SHA-256 of a file that lies elsewhere' },
  { flags: '--rfc3161-timestamp-bundle <file>', help: 'the same as --rfc3161-timestamp (cosign 2)' },
  entryType,
  { flags: '--output-attestation <file>', help: 'write the statement (cosign 2)' },
];

export function addAttestBlob(cosign: Command, context: CliContext): void {
  const command = addFlags(
    cosign.command('attest-blob').description('waybill attest-blob').argument('[file]', 'file'),
    attestFlags,
  );
  refuseBy(command, 'cosign attest-blob').action((file: string | undefined) =>
    asCosign(context, {}, async () => {
      const flags = named(readSigningFlags<AttestFlags>(command, attestFlags, context));
      checkEntryType(flags);
      const isOld = checkFormat(flags);
      const about = aboutWords(file, flags, context);
      const names = ['predicate', 'statement', 'type'];
      await withSigningWords(flags, names, context, async (words) => {
        const native = ['attest-blob', ...words, '--bundle=-', ...about];
        const load = () => import('../commands/attest-blob.ts');
        const run = await runNative(load, native, context, { json: false });
        if (reportSigned(run, context))
          await writeAttested(printedBundle(run.printed), flags, isOld, context);
      });
    }),
  );
}

/** What the statement is about: a file, a digest, or what the statement itself names. */
function aboutWords(file: string | undefined, flags: AttestFlags, context: CliContext): string[] {
  const { predicate, statement, hash } = flags;
  if ((predicate === undefined) === (statement === undefined)) {
    throw cosignRule('one of --predicate or --statement must be set');
  }
  if (statement !== undefined) {
    context.stderr(`Using statement from: ${plainLine(statement)}`);
    return [];
  }
  if (hash === undefined && file === undefined) throw cosignRule('accepts 1 arg(s), received 0');
  if (hash === undefined && file !== '-') context.stderr(`Using payload from: ${plainLine(file ?? '')}`);
  context.stderr(`Using payload from: ${plainLine(predicate ?? '')}`);
  return hash === undefined ? ['--', file ?? ''] : ['--digest', `sha256:${hash}`];
}

async function writeAttested(
  bundle: Uint8Array,
  to: AttestFlags,
  isOld: boolean,
  context: CliContext,
): Promise<void> {
  const pieces = await piecesOf(bundle);
  await writeBundle(bundle, pieces, to, isOld, context);
  const { outputSignature, outputAttestation, outputCertificate } = to;
  if (outputSignature !== undefined) {
    await writePiece(outputSignature, pieces.signature, `Signature written in ${outputSignature}`, context);
  } else if (isOld) {
    context.stdout(pieces.signature);
  }
  if (outputAttestation !== undefined && pieces.payload !== undefined) {
    await writePiece(
      outputAttestation,
      pieces.payload,
      `Attestation written in ${outputAttestation}`,
      context,
    );
  }
  if (outputCertificate !== undefined) {
    if (pieces.certificatePem === undefined) throw cosignRule('no certificate found in bundle');
    const said = `Certificate written to file  ${outputCertificate}`;
    await writePiece(outputCertificate, pieces.certificatePem, said, context);
  }
  await writeTimestamp(pieces, to, context);
}
