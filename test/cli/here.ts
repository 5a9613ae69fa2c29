/** The whole CLI in this process: the words, context and exit codes of `bin/waybill`, without starting it. */
import { httpTransport } from '#platform/http-client';
import type { RunResult } from '#platform/process';
import { systemClock, systemRandom } from '#platform/system';
import { reportFlags, runCommandLine } from '../../src/cli/command-line.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { plainText } from '../../src/cli/render/plain.ts';
import { packageVersion } from '../../src/cli/version.ts';

const version = packageVersion();
const transport = httpTransport({ userAgent: `waybill/${version}` });

export interface Place {
  readonly env: CliContext['env'];
  readonly cwd?: string;
}

export async function waybillHere(args: readonly string[], { env, cwd }: Place): Promise<RunResult> {
  const { json, quiet } = reportFlags(args);
  const out: Buffer[] = [];
  const errors: string[] = [];
  let code = 0;
  const lineOf = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`);
  const stdout = (text: string | Uint8Array): void => {
    out.push(Buffer.from(typeof text === 'string' ? lineOf(text) : text));
  };
  const stderr = (text: string): void => void errors.push(lineOf(text));
  const context: CliContext = {
    env,
    cwd: cwd ?? process.cwd(),
    transport,
    transportFor: httpTransport,
    clock: systemClock,
    random: systemRandom,
    json,
    isTerminal: false,
    useColor: false,
    stdout,
    stderr,
    progress: (text) => {
      if (!quiet) stderr(plainText(text));
    },
    result: (schema, value, text) => stdout(json ? JSON.stringify({ schema, ...value }) : plainText(text())),
    exit: (given) => {
      code = given;
    },
  };
  code = (await runCommandLine(args, context, version)) ?? code;
  return { code, stdout: Buffer.concat(out).toString(), stderr: errors.join(''), timedOut: false };
}
