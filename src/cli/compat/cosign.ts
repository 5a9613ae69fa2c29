/**
 * `waybill cosign …`: cosign's words for signing, attesting and verifying images and files, for keys, copies and
 * trust. Flags, exit codes (1, 10–13) and standard output are cosign's for what is translated.
 */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addAttestBlob, addSignBlob } from './cosign-blob.ts';
import { addBundle } from './cosign-bundle.ts';
import { addSigningConfig } from './cosign-config.ts';
import { addCopies } from './cosign-copy.ts';
import { addDownload } from './cosign-download.ts';
import { addInitialize } from './cosign-initialize.ts';
import { addKeys } from './cosign-keys.ts';
import { addShow } from './cosign-show.ts';
import { addAttest, addSign } from './cosign-sign.ts';
import { addTrustedRoot } from './cosign-trusted-root.ts';
import { addVerify } from './cosign-verify.ts';
import { addVerifyBlob } from './cosign-verify-blob.ts';
import { refuseBy } from './native.ts';

export function register(program: Command, context: CliContext): void {
  const cosign = program
    .command('cosign')
    .description(
      'cosign’s command line: sign, attest, verify and their forms for files, keys, download, tree, copy, trust',
    );
  refuseBy(cosign, 'cosign');
  addSign(cosign, context);
  addAttest(cosign, context);
  addSignBlob(cosign, context);
  addAttestBlob(cosign, context);
  addVerify(cosign, context);
  addVerifyBlob(cosign, context);
  addKeys(cosign, context);
  addDownload(cosign, context);
  addShow(cosign, context);
  addCopies(cosign, context);
  addBundle(cosign, context);
  addSigningConfig(cosign, context);
  addInitialize(cosign, context);
  addTrustedRoot(cosign, context);
}
