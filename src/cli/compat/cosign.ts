/**
 * `waybill cosign …`: cosign's words for `waybill sign`, `attest`, `verify` and `verify-attestation`, and the two
 * downloads. Flags, exit codes (1, 10–13) and standard output are cosign's for what is translated.
 */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { collect, report, withRegistryFlags } from './cosign-common.ts';
import { addDownload } from './cosign-download.ts';
import { addInitialize } from './cosign-initialize.ts';
import { addShow } from './cosign-show.ts';
import { addTrustedRoot } from './cosign-trusted-root.ts';
import { addVerify } from './cosign-verify.ts';
import { addVerifyBlob } from './cosign-verify-blob.ts';
import { givenFlags, refuseBy, runNative } from './native.ts';

export function register(program: Command, context: CliContext): void {
  const cosign = program
    .command('cosign')
    .description(
      'cosign’s command line: sign, attest, verify and their forms for files, download, tree, trust',
    );
  refuseBy(cosign, 'cosign');
  addSign(cosign, context);
  addAttest(cosign, context);
  addVerify(cosign, context);
  addVerifyBlob(cosign, context);
  addDownload(cosign, context);
  addShow(cosign, context);
  addInitialize(cosign, context);
  addTrustedRoot(cosign, context);
}

function withSignFlags(command: Command): Command {
  return withRegistryFlags(command)
    .option('-y, --yes', 'nothing is asked in any case')
    .option('--key <file>', 'private key')
    .option('--identity-token <token>', 'OIDC token or a file with it')
    .option('--oidc-client-id <id>', 'audience of the token')
    .option('--signing-config <file>', 'signing_config.v0.2.json')
    .option('--new-bundle-format', 'write a bundle (default)')
    .option('--no-new-bundle-format', 'write the older layout of tags');
}

/** What cosign calls the layout. */
const layout = (command: Command): string[] =>
  command.getOptionValue('newBundleFormat') === false ? ['--format=legacy'] : [];

const dropped = { '--yes': () => [], '--new-bundle-format': () => [] };

function addSign(cosign: Command, context: CliContext): void {
  const command = withSignFlags(
    cosign.command('sign').description('waybill sign').argument('<image...>', 'image'),
  )
    .option('-a, --annotations <key=value>', 'annotation (repeatable)', collect, [])
    .option('-r, --recursive', 'every image of an index');
  refuseBy(command, 'cosign sign').action(async (images: string[]) => {
    const words = ['sign', ...givenFlags(command, dropped), ...layout(command), '--', ...images];
    const run = await runNative(() => import('../commands/sign.ts'), words, context);
    report(run, context, () => {
      for (const { attached } of (run.value as { images: Signed[] }).images)
        pushed(attached, 'signature', context);
    });
  });
}

function addAttest(cosign: Command, context: CliContext): void {
  const command = withSignFlags(
    cosign.command('attest').description('waybill attest').argument('<image>', 'image'),
  )
    .requiredOption('--predicate <file>', 'predicate; - reads standard input')
    .option('--type <type>', 'alias of a predicate type, or a URI');
  refuseBy(command, 'cosign attest').action(async (image: string) => {
    const words = ['attest', ...givenFlags(command, dropped), ...layout(command), '--', image];
    const run = await runNative(() => import('../commands/attest.ts'), words, context);
    report(run, context, () => pushed((run.value as Signed).attached, 'attestation', context));
  });
}

interface Signed {
  readonly attached: readonly string[];
}

function pushed(attached: readonly string[], what: string, context: CliContext): void {
  for (const place of attached) context.stderr(`Pushing ${what} to: ${place}`);
}
