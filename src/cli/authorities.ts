/** `--ca-file`, `--client-cert`, `--client-key`: both sides of TLS towards one's own servers, for every verb. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';

const tlsOptions = (): readonly Option[] => [
  new Option(
    '--ca-file <file>',
    "PEM authorities believed beside the system's and those of SSL_CERT_FILE, for https",
  ),
  new Option(
    '--client-cert <file>',
    'PEM certificate shown to services that ask who connects (registries: --registry-client-cert)',
  ),
  new Option('--client-key <file>', 'its private key'),
];

/** Each unless the command has one of the name. */
export function addTlsOptions(command: Command): void {
  for (const option of tlsOptions()) {
    if (!command.options.some(({ long }) => long === option.long)) command.addOption(option);
  }
}

interface TlsFlags {
  readonly caFile?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
}

/** Before the first request. A file with options (`serve --config`) may name them too. Throws WB-1305. */
export function believeAuthorities(
  { caFile, clientCert, clientKey }: TlsFlags,
  { believe, identify, cwd }: Pick<CliContext, 'believe' | 'identify' | 'cwd'>,
): void {
  if (caFile !== undefined) believe?.(resolve(cwd, caFile));
  if (clientCert !== undefined && clientKey !== undefined) {
    identify?.({ certFile: resolve(cwd, clientCert), keyFile: resolve(cwd, clientKey) });
    return;
  }
  if ((clientCert ?? clientKey) === undefined) return;
  const actual = clientCert === undefined ? '--client-key alone' : '--client-cert alone';
  throw fail(R.optionValue, { expected: '--client-cert with --client-key', actual });
}
