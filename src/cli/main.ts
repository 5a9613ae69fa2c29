/** Entry of the CLI: one command line with the streams, environment, time and network of this process. */
import { fail } from '#base/reason';
import { reportFlags, runCommandLine } from './command-line.ts';
import { type CliContext, processContext } from './context.ts';
import { endWithTheWork } from './ending.ts';
import { R } from './reasons.ts';
import { renderReason } from './render/reason.ts';
import type { WriteError } from './standard-streams.ts';
import { packageVersion } from './version.ts';

async function main(argv: readonly string[]): Promise<void> {
  const version = packageVersion();
  const lost = (error: WriteError): void => tellLost(error, context);
  const context = processContext({ ...reportFlags(argv), version, lost });
  const ended = endWithTheWork(context.stderr);
  const failed = await runCommandLine(argv, context, version);
  if (failed !== undefined) process.exitCode = failed;
  ended();
}

/**
 * A reader that left (`waybill … | head`) is no error, and it changes no verdict: the work goes on and its exit
 * code stands. A result that cannot be written is an error, whatever the verdict that nobody got to see.
 */
function tellLost(error: WriteError, context: CliContext): void {
  const actual = error.code ?? error.message;
  const { reason } = fail(R.output, { expected: 'the result on standard output', actual });
  context.stderr(renderReason(reason, context.useColor));
  // The verdict's own code may be set before or after this.
  process.once('exit', () => {
    process.exitCode = reason.exit;
  });
}

await main(process.argv.slice(2));
