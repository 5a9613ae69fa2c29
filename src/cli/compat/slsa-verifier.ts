/**
 * `waybill slsa-verifier verify-image IMAGE --source-uri …`: slsa-verifier's words for `waybill provenance verify`,
 * on any trusted root and without a connection to a log. Exit 0 or 1; refusals carry slsa-verifier's names.
 */
import type { Command } from 'commander';
import type { Reason } from '#base/reason';
import type { CliContext } from '../context.ts';
import { plainLine } from '../render/plain.ts';
import { givenFlags, refuseBy, runNative } from './native.ts';

export function register(program: Command, context: CliContext): void {
  const tool = program
    .command('slsa-verifier')
    .description('slsa-verifier’s command line for waybill provenance verify');
  refuseBy(tool, 'slsa-verifier');
  const command = tool
    .command('verify-image')
    .description('waybill provenance verify')
    .argument('<image>', 'image by digest')
    .requiredOption('--source-uri <repository>', 'github.com/owner/name')
    .option('--source-tag <tag>', 'tag')
    .option('--source-versioned-tag <version>', 'v1, v1.2 or v1.2.3')
    .option('--source-branch <branch>', 'branch')
    .option('--builder-id <uri>', 'builder, with or without @version')
    .option('--build-workflow-input <key=value>', 'input (repeatable)', collect, []);
  refuseBy(command, 'slsa-verifier verify-image').action((image: string) => verify(image, command, context));
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

interface Checked {
  readonly builderId: string;
  readonly commit?: string;
}

async function verify(image: string, command: Command, context: CliContext): Promise<void> {
  if (!/@sha256:[0-9a-f]{64}$/.test(image)) {
    return failed(`ErrorMutableImage: the image is not an immutable reference: ${image}`, context);
  }
  const argv = ['provenance', 'verify', ...givenFlags(command), '--', image];
  const run = await runNative(() => import('../commands/provenance.ts'), argv, context);
  if (run.exit !== 0) return failed(await errorOf(run.reason), context);
  const { checked } = run.value as { readonly checked: readonly Checked[] };
  for (const { builderId, commit } of checked) {
    context.stderr(
      `Verified build using builder "${plainLine(builderId)}" at commit ${plainLine(commit ?? 'unknown')}`,
    );
  }
  context.stderr('PASSED: SLSA verification passed');
}

function failed(error: string, context: CliContext): void {
  context.stderr(`FAILED: SLSA verification failed: ${plainLine(error)}`);
  context.exit(1);
}

/** Names for what the signature check refuses, by our exit code. */
const signatureErrors: Readonly<Record<number, string>> = {
  10: 'ErrorNoValidSignature',
  12: 'ErrorNoValidSignature',
  13: 'ErrorInvalidCertificate',
  14: 'ErrorUntrustedReusableWorkflow',
  15: 'ErrorInvalidRekorEntry',
};

async function errorOf(why: Reason | undefined): Promise<string> {
  if (why === undefined) return 'ErrorInternal';
  const { slsaErrorNames } = await import('#provenance');
  const name = slsaErrorNames[why.code] ?? signatureErrors[why.exit];
  const ours = `${why.check} (${why.code}): expected ${why.expected}, got ${why.actual}`;
  return name === undefined ? ours : `${name}: ${ours}`;
}
