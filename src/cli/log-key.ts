/** The key that signs the last checkpoint of a log: in a file, or with a program beside it (docs/keys.md). */
import type { KeyHolder, Signer } from '#base/crypto';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { CliContext } from './context.ts';
import { textFile } from './log-outside.ts';
import { R } from './reasons.ts';
import { type Given, signerFrom } from './serve-station-flags.ts';

export interface LogKeyFlags extends Given {
  readonly key?: string;
}

interface OpenedKey {
  readonly key: Signer | KeyHolder;
  close(): Promise<void>;
}

/** Throws WB-1305 unless one of the two is named; WB-823, WB-824. */
export async function openLogKey(flags: LogKeyFlags, context: CliContext): Promise<OpenedKey> {
  const settings = signerFrom(flags, 'log', context);
  if ((flags.key === undefined) === (settings === undefined)) {
    const actual = flags.key === undefined ? 'neither' : 'both';
    throw fail(R.optionValue, { expected: '--key FILE or --signer PROGRAM', actual });
  }
  if (flags.key !== undefined) {
    const { privateKeyFromPem } = await import('#base/crypto');
    return { key: unwrap(privateKeyFromPem(await textFile(flags.key))), close: async () => {} };
  }
  const { command, args, env, keys } = settings as NonNullable<typeof settings>;
  const name = keys.get('log');
  if (name === undefined || keys.size > 1) {
    throw fail(R.optionValue, { expected: '--signer-key as log=NAME', actual: [...keys.keys()].join(', ') });
  }
  const [{ ExternalSigner }, { createLogger }] = await Promise.all([
    import('#sign'),
    import('#platform/telemetry'),
  ]);
  const signer = new ExternalSigner({ command, args, env, log: createLogger('log', 'warn') });
  try {
    return { key: await signer.holder(name), close: () => signer.close() };
  } catch (error) {
    await signer.close();
    throw error;
  }
}
