/** `--ca-file`: authorities of one's own servers, for every verb that speaks TLS. */
import { resolve } from 'node:path';
import { Option } from 'commander';
import type { CliContext } from './context.ts';

export const caFileOption = (): Option =>
  new Option(
    '--ca-file <file>',
    "PEM authorities believed beside the system's and those of SSL_CERT_FILE, for https",
  );

/** Before the first request. A file with options (`serve --config`) may name it too. */
export function believeAuthorities(
  { caFile }: { readonly caFile?: string },
  { believe, cwd }: Pick<CliContext, 'believe' | 'cwd'>,
): void {
  if (caFile !== undefined) believe?.(resolve(cwd, caFile));
}
