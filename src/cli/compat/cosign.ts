/**
 * `waybill cosign …`: cosign's words for signing, attesting and verifying images and files, for keys, copies and
 * trust. Flags, exit codes (1, 10–13) and standard output are cosign's for what is translated.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { utf8 } from '#base/bytes';
import type { CliContext } from '../context.ts';
import { addAttach } from './cosign-attach.ts';
import { addAttestBlob, addSignBlob } from './cosign-blob.ts';
import { addBundle } from './cosign-bundle.ts';
import { addSigningConfig } from './cosign-config.ts';
import { addCopies } from './cosign-copy.ts';
import { addDownload } from './cosign-download.ts';
import { addInitialize } from './cosign-initialize.ts';
import { addKeys } from './cosign-keys.ts';
import { addRefusedVerbs } from './cosign-refused.ts';
import { addSession } from './cosign-session.ts';
import { addShow } from './cosign-show.ts';
import { addAttest, addSign } from './cosign-sign.ts';
import { addTrustedRoot } from './cosign-trusted-root.ts';
import { addVerify } from './cosign-verify.ts';
import { addVerifyBlob } from './cosign-verify-blob.ts';
import { refuseBy } from './native.ts';

export function register(program: Command, process: CliContext): void {
  const cosign = program
    .command('cosign')
    .description(
      'cosign’s command line: sign, attest, verify and their forms for files, keys, download, tree, copy, trust',
    );
  refuseBy(cosign, 'cosign');
  const context = withOutputFile(cosign, process);
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
  addAttach(cosign, context);
  addSession(cosign, context);
  addRefusedVerbs(cosign);
}

/** `--output-file`: everything a command prints goes into that file, when the command has ended. */
function withOutputFile(cosign: Command, context: CliContext): CliContext {
  let file: string | undefined;
  const kept: Uint8Array[] = [];
  cosign.hook('preAction', (_cosign, action) => {
    const { outputFile } = action.opts<{ outputFile?: string }>();
    file = outputFile ?? context.env['COSIGN_OUTPUT_FILE'];
  });
  cosign.hook('postAction', async () => {
    if (file === undefined || file === '') return;
    const [{ writeFileDurable }, { concat }] = await Promise.all([
      import('#platform/files'),
      import('#base/bytes'),
    ]);
    await writeFileDurable(resolve(context.cwd, file), concat(...kept));
  });
  return {
    ...context,
    stdout: (text) => {
      if (file === undefined || file === '') context.stdout(text);
      else kept.push(typeof text === 'string' ? utf8(text.endsWith('\n') ? text : `${text}\n`) : text);
    },
  };
}
