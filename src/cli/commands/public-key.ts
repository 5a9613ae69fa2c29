/** `waybill public-key --key FILE`: what others verify with. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { contentKeyFrom } from '../signer-options.ts';

interface Flags {
  readonly key: string;
  readonly outfile?: string;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('public-key')
    .description('Prints the public key of a private key as PEM.')
    .requiredOption('--key <key>', 'key file, or PLUGIN://REFERENCE')
    .option('--outfile <file>', 'write it there')
    .action(async ({ key, outfile }: Flags) => {
      const { publicKeyPem } = await import('#base/crypto');
      const { publicKey } = await contentKeyFrom(key, context);
      const pem = publicKeyPem(publicKey);
      const json = { publicKey: pem, kind: publicKey.kind };
      if (outfile === undefined)
        return context.result('waybill.dev/public-key/v1', json, () => pem.trimEnd());
      const { writeFileDurable } = await import('#platform/files');
      await writeFileDurable(resolve(context.cwd, outfile), pem);
      const told = { ...json, file: outfile };
      context.result('waybill.dev/public-key/v1', told, () => `Public key written to ${outfile}`);
    });
}
