/** Writing a key pair as cosign does: `PREFIX.key` under a password, mode 0600, and `PREFIX.pub`. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type KeyKind, type PrivateKey, publicKeyPem } from '#base/crypto';
import { fail } from '#base/reason';
import type { CliContext } from './context.ts';
import { passwordToSet } from './password.ts';
import { R } from './reasons.ts';

export interface KeyPairPlace {
  readonly outputKeyPrefix: string;
  /** Replace files that are there. */
  readonly yes?: boolean;
}

export interface WrittenKeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly kind: KeyKind;
}

/** WB-1305 when a file is in the way. The key is written first: a public key alone would be of no use. */
export async function writeKeyPair(
  make: () => PrivateKey | Promise<PrivateKey>,
  place: KeyPairPlace,
  context: CliContext,
): Promise<WrittenKeyPair> {
  const files = { privateKey: `${place.outputKeyPrefix}.key`, publicKey: `${place.outputKeyPrefix}.pub` };
  for (const file of Object.values(files)) {
    if (place.yes === true || !existsSync(resolve(context.cwd, file))) continue;
    throw fail(R.optionValue, {
      expected: `${file} not to be there`,
      actual: 'a file of that name',
      hint: 'take another --output-key-prefix, or replace it with --yes: what it signed stays signed by it',
    });
  }
  const [{ writePrivateKey }, { writeFileDurable }] = await Promise.all([
    import('#sign'),
    import('#platform/files'),
  ]);
  const key = await make();
  const pem = await writePrivateKey(key, await passwordToSet(context), context.random);
  await writeFileDurable(resolve(context.cwd, files.privateKey), pem, { mode: 0o600 });
  await writeFileDurable(resolve(context.cwd, files.publicKey), publicKeyPem(key.publicKey));
  return { ...files, kind: key.publicKey.kind };
}

export const renderKeyPair = ({ privateKey, publicKey }: WrittenKeyPair): string =>
  `Private key written to ${privateKey}\nPublic key written to ${publicKey}`;
