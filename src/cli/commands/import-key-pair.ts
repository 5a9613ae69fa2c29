/** `waybill import-key-pair`: a key other tools made becomes a key file cosign reads. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { utf8Text } from '#base/bytes';
import { Secret } from '#base/secret';
import type { CliContext } from '../context.ts';
import { type KeyPairPlace, renderKeyPair, writeKeyPair } from '../key-pair.ts';
import { KEY_FILE_BYTES_MAX } from '../signer-options.ts';

interface Flags extends KeyPairPlace {
  readonly key: string;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('import-key-pair')
    .description(
      'Brings a PEM private key (PKCS#8, PKCS#1, SEC 1) under a password, as PREFIX.key and PREFIX.pub.',
    )
    .requiredOption('-k, --key <file>', 'the key; encrypted by OpenSSL: password in WAYBILL_IMPORT_PASSWORD')
    .option('-o, --output-key-prefix <prefix>', 'where the files go', 'import-cosign')
    .option('-y, --yes', 'replace files that are there')
    .action(async (flags: Flags) => {
      const [{ readPrivateKey }, { readFileLimited }] = await Promise.all([
        import('#sign'),
        import('#platform/files'),
      ]);
      const pem = utf8Text(await readFileLimited(resolve(context.cwd, flags.key), KEY_FILE_BYTES_MAX));
      const old = context.env['WAYBILL_IMPORT_PASSWORD'];
      // Read before a password is asked for: what cannot be imported needs none.
      const key = await readPrivateKey(pem, old === undefined ? undefined : new Secret(old));
      const written = await writeKeyPair(() => key, flags, context);
      context.result('waybill.dev/key-pair/v1', written, () => renderKeyPair(written));
    });
}
