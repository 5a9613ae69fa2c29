/** `waybill cosign bundle create`: the pieces of an older signature over a file become one bundle. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { unwrap } from '#base/result';
import type { SignedEntity } from '#verify';
import type { CliContext } from '../context.ts';
import { asCosign, cosignRule } from './cosign-common.ts';
import { addFlags, type FlagSpec, readFlags } from './cosign-flags.ts';
import { refuseBy } from './native.ts';

interface Flags {
  readonly artifact?: string;
  readonly attestation?: string;
  readonly bundle?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly signature?: string;
  readonly rfc3161Timestamp?: string;
  readonly rekorUrl?: string;
  readonly ignoreTlog?: boolean;
  readonly out?: string;
}

const file = (name: string): FlagSpec => ({ flags: `--${name} <file>`, help: 'as in cosign' });
const specs: readonly FlagSpec[] = [
  ...['artifact', 'attestation', 'bundle', 'certificate', 'key', 'signature', 'rfc3161-timestamp', 'out'].map(
    file,
  ),
  { flags: '--rekor-url <url>', help: 'the log whose proof goes into the bundle' },
  { flags: '--ignore-tlog', help: 'without a log entry' },
  { flags: '--sk', help: 'as in cosign', instead: 'give the public key with --key' },
  { flags: '--slot <slot>', help: 'as in cosign', instead: 'give the public key with --key' },
];

export function addBundle(cosign: Command, context: CliContext): void {
  const group = cosign.command('bundle').description('bundles of other forms');
  refuseBy(group, 'cosign bundle');
  const command = addFlags(group.command('create').description('pieces → a bundle 0.3'), specs);
  refuseBy(command, 'cosign bundle create').action(() =>
    asCosign(context, {}, async () => {
      const flags = readFlags<Flags>(command, specs, context);
      const bytes = await createBundle(flags, context);
      const { utf8Text } = await import('#base/bytes');
      if (flags.out === undefined) return context.stdout(utf8Text(bytes));
      const { writeFileDurable } = await import('#platform/files');
      await writeFileDurable(resolve(context.cwd, flags.out), bytes, { mode: 0o600 });
    }),
  );
}

async function createBundle(flags: Flags, context: CliContext): Promise<Uint8Array> {
  const [{ bundleBytes }, { readPublicKey }, { toBase64 }, { sha256 }] = await Promise.all([
    import('#formats/bundle'),
    import('../identity-options.ts'),
    import('#base/bytes'),
    import('#base/crypto'),
  ]);
  const entity = await readPieces(flags, context);
  const { content, material } = entity;
  const key = flags.key === undefined ? undefined : await readPublicKey(resolve(context.cwd, flags.key));
  if (material.kind === 'publicKey' && key === undefined) {
    throw cosignRule('a certificate or --key is needed to say who verifies');
  }
  return bundleBytes({
    material:
      material.kind === 'certificate'
        ? material
        : { kind: 'publicKey', hint: key === undefined ? '' : toBase64(sha256(key.spki)) },
    tlogEntries: flags.ignoreTlog === true ? [] : await provenEntries(entity, flags, context),
    timestamps: entity.timestamps,
    content:
      content.kind === 'dsse'
        ? { kind: 'dsse', envelope: content.envelope }
        : { kind: 'message', digest: await artifactDigest(flags, context), signature: entity.signature },
  });
}

/** From a local bundle of cosign 2, or from single files. */
async function readPieces(flags: Flags, context: CliContext): Promise<SignedEntity> {
  const [{ readSignedBlob, signatureText, signedParts }, { limits }, { utf8Text }] = await Promise.all([
    import('#flows/verify-blob'),
    import('#base/limits'),
    import('#base/bytes'),
  ]);
  const read = (path: string): Promise<Uint8Array> => readAt(path, limits.attachmentBytes, context);
  const signedWith = flags.certificate === undefined && flags.key !== undefined ? 'key' : 'certificate';
  if (flags.bundle !== undefined) return unwrap(readSignedBlob(await read(flags.bundle), signedWith));
  const signed = flags.attestation ?? flags.signature;
  if (signed === undefined) throw cosignRule('--bundle, --signature or --attestation must be set');
  const { certificate, rfc3161Timestamp } = flags;
  return unwrap(
    signedParts(
      {
        signature: signatureText(await read(signed)),
        ...(certificate === undefined ? {} : { certificate: pemText(utf8Text(await read(certificate))) }),
        ...(rfc3161Timestamp === undefined ? {} : { timestamp: utf8Text(await read(rfc3161Timestamp)) }),
      },
      signedWith,
    ),
  );
}

/** cosign writes certificates as PEM, or as base64 of it. */
const pemText = (text: string): string =>
  text.includes('-----BEGIN') ? text : Buffer.from(text.trim(), 'base64').toString();

/** Bundles hold a proof; older forms only the promise of the log, which is asked for the rest. */
async function provenEntries(entity: SignedEntity, { rekorUrl }: Flags, context: CliContext) {
  const { equalBytes } = await import('#base/bytes');
  const { readEntryV1 } = await import('#sign');
  if (entity.entries.length === 0) {
    throw cosignRule('there is no log entry among the pieces: give --bundle, or --ignore-tlog');
  }
  return Promise.all(
    entity.entries.map(async (entry) => {
      if (entry.inclusionProof !== undefined) return entry;
      if (rekorUrl === undefined)
        throw cosignRule('--rekor-url must name the log, for its proof of inclusion');
      const told = await readEntryV1(rekorUrl, entry.logIndex, context);
      if (told.inclusionProof !== undefined && equalBytes(told.canonicalizedBody, entry.canonicalizedBody)) {
        return { ...entry, inclusionProof: told.inclusionProof };
      }
      throw cosignRule(`the log has another entry at ${entry.logIndex}`);
    }),
  );
}

async function artifactDigest({ artifact }: Flags, context: CliContext) {
  if (artifact === undefined) throw cosignRule('--artifact must be set');
  const [{ artifactFrom }, { fileChunks }, { digestBytes }] = await Promise.all([
    import('#flows/blob-artifact'),
    import('#platform/files'),
    import('#base/digest'),
  ]);
  const { digest } = await artifactFrom(fileChunks(resolve(context.cwd, artifact)), 'sha256', 0);
  return { algorithm: 'sha256' as const, value: digestBytes(digest) };
}

async function readAt(path: string, maxBytes: number, { cwd }: CliContext): Promise<Uint8Array> {
  const { readFileLimited } = await import('#platform/files');
  return readFileLimited(resolve(cwd, path), maxBytes);
}
