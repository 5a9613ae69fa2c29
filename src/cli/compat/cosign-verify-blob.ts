/** `waybill cosign verify-blob` and `verify-blob-attestation`. */
import type { Command } from 'commander';
import { parseDigest } from '#base/digest';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { plainLine } from '../render/plain.ts';
import { type BlobFlags, judgedBlob } from '../verify-blobs.ts';
import { blobDocument } from './cosign-blob-parts.ts';
import { asCosign } from './cosign-common.ts';
import { addFlags, certificateFlags, type FlagSpec, readFlags } from './cosign-flags.ts';
import { type CosignIdentityFlags, cosignRequirements } from './cosign-identity.ts';
import { cosignTrust } from './cosign-trust.ts';
import { refuseBy } from './native.ts';

type Flags = BlobFlags &
  CosignIdentityFlags & {
    readonly type?: string;
    readonly digest?: string;
    readonly digestAlg?: string;
  };

const blobFlags: readonly FlagSpec[] = [
  ...certificateFlags,
  { flags: '--bundle <file>', help: 'Sigstore bundle, or a local bundle of cosign 2' },
  { flags: '--signature <file>', help: 'signature, base64 or its bytes' },
  { flags: '--rfc3161-timestamp <file>', help: 'timestamp that belongs to --signature' },
];
const attestationFlags: readonly FlagSpec[] = [
  ...blobFlags,
  { flags: '--type <type>', help: 'alias of a predicate type, or a URI' },
  { flags: '--digest <hex>', help: 'digest instead of a file' },
  { flags: '--digestAlg <name>', help: 'its algorithm' },
  { flags: '--check-claims', help: 'whether the statement must be about the file', isOn: true },
];

export function addVerifyBlob(cosign: Command, context: CliContext): void {
  const blob = addFlags(cosign.command('verify-blob').description('waybill verify-blob'), blobFlags);
  blob.argument('<file>', 'file, sha256:… or -');
  refuseBy(blob, 'cosign verify-blob').action((file: string) =>
    asCosign(context, {}, async () => {
      const flags = readFlags<Flags>(blob, blobFlags, context);
      const { mode, entity } = await blobDocument(flags, context);
      const requirements = await cosignRequirements(flags, {}, context, mode);
      // A statement about the file counts as a signature over it, as in cosign.
      const demand = { kind: 'signature', requirements, anyPredicate: true } as const;
      const { accepted } = await judgedBlob(file, demand, flags, {
        context,
        signed: () => Promise.resolve(entity),
        trust: () => cosignTrust(flags, context, requirements),
      });
      const type = accepted.statement?.predicateType;
      if (type !== undefined) {
        context.stderr(
          `warning: cosign counts the statement ${plainLine(type)} as a signature; waybill verify-blob does not`,
        );
      }
      context.stderr('Verified OK');
    }),
  );
  addBlobAttestation(cosign, context);
}

function addBlobAttestation(cosign: Command, context: CliContext): void {
  const command = addFlags(
    cosign.command('verify-blob-attestation').description('waybill verify-blob-attestation'),
    attestationFlags,
  ).argument('[file]', 'file or -');
  refuseBy(command, 'cosign verify-blob-attestation').action((file: string | undefined) =>
    asCosign(context, {}, async () => {
      const flags = readFlags<Flags>(command, attestationFlags, context);
      const given = targetOf(file, flags);
      const { mode, entity } = await blobDocument(flags, context);
      const { resolvePredicateType } = await import('#formats/intoto');
      const predicateTypes = [unwrap(resolvePredicateType(flags.type ?? 'custom'))];
      const requirements = await cosignRequirements(flags, { predicateTypes }, context, mode);
      await judgedBlob(given, { kind: 'attestation', requirements }, flags, {
        context,
        signed: () => Promise.resolve(entity),
        trust: () => cosignTrust(flags, context, requirements),
      });
      context.stderr('Verified OK');
    }),
  );
}

/** Where the claims are not checked any digest will do. */
const NO_FILE = `sha256:${'0'.repeat(64)}`;

function targetOf(file: string | undefined, { digest, digestAlg, checkClaims }: Flags): string {
  if (file !== undefined) return file;
  if (digest !== undefined && digestAlg !== undefined) return unwrap(parseDigest(`${digestAlg}:${digest}`));
  if (checkClaims === false) return NO_FILE;
  throw fail(R.optionValue, { expected: 'a file, or --digest with --digestAlg', actual: 'neither' });
}
