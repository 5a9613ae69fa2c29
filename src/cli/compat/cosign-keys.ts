/** `waybill cosign generate-key-pair`, `import-key-pair` and `public-key`. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { asCosign, cosignRule } from './cosign-common.ts';
import { addFlags, type FlagSpec, readFlags } from './cosign-flags.ts';
import { reportSigned, wordsOf } from './cosign-signing.ts';
import { type NativeOptions, refuseBy, runNative } from './native.ts';

interface Flags {
  readonly outputKeyPrefix: string;
  readonly yes?: boolean;
  readonly outfile?: string;
}

const prefix = (name: string): FlagSpec => ({
  flags: '-o, --output-key-prefix <prefix>',
  help: `name of the files (${name})`,
});
const yes: FlagSpec = { flags: '-y, --yes', help: 'replace files that are there' };
const generateFlags: readonly FlagSpec[] = [
  prefix('cosign'),
  { flags: '--kms <plugin://reference>', help: 'make the key there' },
  yes,
];
const importFlags: readonly FlagSpec[] = [
  { flags: '-k, --key <file>', help: 'the key' },
  prefix('import-cosign'),
  yes,
];
const publicFlags: readonly FlagSpec[] = [
  { flags: '--key <key>', help: 'private key' },
  { flags: '--outfile <file>', help: 'write it there' },
  { flags: '--sk', help: 'as in cosign', instead: 'name a key file or a key plugin with --key' },
  { flags: '--slot <slot>', help: 'as in cosign', instead: 'name a key file or a key plugin with --key' },
];

const asText: NativeOptions = { json: false };

export function addKeys(cosign: Command, context: CliContext): void {
  const generate = addFlags(
    cosign.command('generate-key-pair').description('waybill generate-key-pair'),
    generateFlags,
  );
  refuseBy(generate, 'cosign generate-key-pair').action(() =>
    asCosign(context, {}, () =>
      makePair(generate, generateFlags, ['outputKeyPrefix', 'kms', 'yes'], 'cosign', context),
    ),
  );
  const imported = addFlags(
    cosign.command('import-key-pair').description('waybill import-key-pair'),
    importFlags,
  );
  refuseBy(imported, 'cosign import-key-pair').action(() =>
    asCosign(context, {}, () =>
      makePair(imported, importFlags, ['key', 'outputKeyPrefix', 'yes'], 'import-cosign', context),
    ),
  );
  const shown = addFlags(cosign.command('public-key').description('waybill public-key'), publicFlags);
  refuseBy(shown, 'cosign public-key').action(() =>
    asCosign(context, {}, async () => {
      const flags = readFlags<Flags>(shown, publicFlags, context);
      const words = ['public-key', ...wordsOf(flags, ['key', 'outfile'])];
      const run = await runNative(() => import('../commands/public-key.ts'), words, context, asText);
      if (!reportSigned(run, context)) return;
      for (const text of run.printed) {
        if (flags.outfile === undefined) context.stdout(text);
        else context.stderr(String(text));
      }
    }),
  );
}

async function makePair(
  command: Command,
  specs: readonly FlagSpec[],
  names: readonly string[],
  usual: string,
  context: CliContext,
): Promise<void> {
  const flags = readFlags<Flags>(command, specs, context);
  const file = `${flags.outputKeyPrefix ?? usual}.key`;
  if (flags.yes !== true && existsSync(resolve(context.cwd, file))) {
    // cosign asks; where nobody answers, that is a no.
    throw cosignRule(`File ${file} already exists: user declined the prompt`);
  }
  const load = () =>
    command.name() === 'import-key-pair'
      ? import('../commands/import-key-pair.ts')
      : import('../commands/generate-key-pair.ts');
  const words = [command.name(), ...wordsOf(flags, names), ...(flags.yes === true ? [] : ['--yes'])];
  const run = await runNative(load, words, context, asText);
  if (reportSigned(run, context)) for (const text of run.printed) context.stderr(String(text));
}
