/** `waybill generate-key-pair`: a key file cosign reads, and its public key. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { CliContext } from '../context.ts';
import { type KeyPairPlace, renderKeyPair, writeKeyPair } from '../key-pair.ts';
import { keyAlgorithms } from '../signer-options.ts';

interface Flags extends KeyPairPlace {
  readonly signingAlgorithm: string;
  readonly kms?: string;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('generate-key-pair')
    .description('Makes a key pair: PREFIX.key under a password (COSIGN_PASSWORD, or asked for), PREFIX.pub.')
    .option('--output-key-prefix <prefix>', 'where the files go', 'cosign')
    .addOption(
      new Option('--signing-algorithm <name>', 'kind of the key')
        .choices(Object.keys(keyAlgorithms))
        .default('ecdsa-sha2-256-nistp256'),
    )
    .option('--kms <plugin://reference>', 'make the key there; only the public key is written')
    .option('-y, --yes', 'replace files that are there')
    .action(async (flags: Flags) => {
      if (flags.kms !== undefined) return makeElsewhere(flags.kms, flags, context);
      const { generateKey } = await import('#base/crypto');
      const { kind, bits } = keyAlgorithms[flags.signingAlgorithm] ?? { kind: 'p256' };
      const written = await writeKeyPair(() => generateKey(kind, bits), flags, context);
      context.result('waybill.dev/key-pair/v1', written, () => renderKeyPair(written));
    });
}

async function makeElsewhere(kms: string, { outputKeyPrefix }: Flags, context: CliContext): Promise<void> {
  const [{ createPluginKey }, { publicKeyPem }, { writeFileDurable }] = await Promise.all([
    import('#sign'),
    import('#base/crypto'),
    import('#platform/files'),
  ]);
  const key = await createPluginKey(kms, { env: context.env });
  const publicKey = `${outputKeyPrefix}.pub`;
  await writeFileDurable(resolve(context.cwd, publicKey), publicKeyPem(key));
  const written = { publicKey, kind: key.kind };
  context.result('waybill.dev/key-pair/v1', written, () => `Public key written to ${publicKey}`);
}
